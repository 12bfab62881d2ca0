package translate

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"axon/kernels"
)

// exactRun is one run of the model over a text. Rows write what they have to say
// into the slots of their cuts; the last one that a position waits for makes its
// distribution.
type exactRun struct {
	*exactText
	each    func(pos int, probs []float32) error
	wanted  []bool
	first   int32          // the first row that there is
	slots   []slot         // by cut
	spelled []float64      // by row: the logarithm of the probability of the text's own token
	own     []float64      // by row: that probability
	waits   []atomic.Int32 // by position: rows to come
	dense   []*[]float32   // by position: what the last row before its end says
	last    lastPosition
}

// slot is what a row says about one position: how likely tokens are that begin
// with the bytes up to it, and, of all but the last row, what the rest of
// these tokens begins with.
type slot struct {
	mass float64
	rest []portion
}

type portion struct {
	token int32
	prob  float32
}

// Distributions gives what follows each wanted position.
func (t *exactText) Distributions(ctx context.Context, model Rows, positions []int, each func(pos int, probs []float32) error) (Stats, error) {
	r := &exactRun{exactText: t, each: each, first: 1,
		slots: make([]slot, len(t.cuts)), spelled: make([]float64, len(t.starts)), own: make([]float64, len(t.starts)),
		waits: make([]atomic.Int32, len(t.standard)), dense: make([]*[]float32, len(t.standard))}
	if err := r.want(positions); err != nil {
		return Stats{}, err
	}
	var stats Stats
	if r.startsInToken() {
		r.first = 0
	}
	rows := r.await()
	if r.first == 0 && r.needs(0) {
		if err := r.begins(ctx, model, &stats); err != nil {
			return stats, err
		}
	}
	if len(rows) > 0 {
		stats.Passes++
		stats.Tokens += len(t.tokens)
		err := model(ctx, t.tokens, rows, func(pos int, logits []float32) error { return r.row(pos+1, logits) })
		if err != nil {
			return stats, err
		}
	}
	return stats, r.finishLast(ctx, model, &stats)
}

// want notes the wanted positions.
func (r *exactRun) want(positions []int) error {
	r.wanted = make([]bool, len(r.standard))
	for _, p := range positions {
		if p < 0 || p >= len(r.wanted) {
			return fmt.Errorf("%w: position %d, must be below %d", ErrText, p, len(r.wanted))
		}
		r.wanted[p] = true
	}
	if positions == nil {
		for p := range r.wanted {
			r.wanted[p] = true
		}
	}
	return nil
}

// startsInToken reports whether there is a position inside the server's first
// token, about which only a row before it says something.
func (r *exactRun) startsInToken() bool { return r.ends[0] < r.starts[1] }

// needs reports whether a wanted position waits for a row.
func (r *exactRun) needs(row int32) bool {
	for s, p := range r.places {
		if r.wanted[s] && row >= p.lo && row <= p.hi {
			return true
		}
	}
	return false
}

// await counts what wanted positions wait for, and returns the positions of the
// server's tokens whose rows are needed.
func (r *exactRun) await() (rows []int) {
	needed := make([]bool, len(r.starts))
	for s, p := range r.places {
		if !r.wanted[s] {
			continue
		}
		lo := max(p.lo, r.first)
		r.waits[s].Store(p.hi - lo + 1)
		for row := lo; row <= p.hi; row++ {
			needed[row] = true
		}
	}
	for row := 1; row < len(needed); row++ {
		if needed[row] {
			rows = append(rows, row-1)
		}
	}
	return rows
}

// begins gets the row before the first token: what the model expects after the
// end of another text, or where there is no such token, that earlier entries of
// a vocabulary are the more frequent ones.
func (r *exactRun) begins(ctx context.Context, model Rows, stats *Stats) error {
	end := r.server.EndOfText()
	if end < 0 {
		logits := make([]float32, len(r.pieces))
		for t := range logits {
			logits[t] = float32(-math.Log(float64(t) + 100))
		}
		return r.row(0, logits)
	}
	stats.Passes++
	stats.Tokens++
	return model(ctx, []int32{end}, []int{0}, func(_ int, logits []float32) error { return r.row(0, logits) })
}

// row takes the distribution of server token n of the text.
func (r *exactRun) row(n int, logits []float32) error {
	p := r.rows.Get().(*[]float32)
	defer r.rows.Put(p)
	probs := *p
	scale, err := r.probabilities(probs, logits)
	if err != nil {
		return err
	}
	own := int32(-1)
	if n < len(r.tokens) {
		own = r.tokens[n]
		r.own[n] = float64(probs[own]) * scale
		r.spelled[n] = math.Log(max(r.own[n], 1e-38))
	}
	for c := r.byRow[n][0]; c < r.byRow[n][1]; c++ {
		r.meet(c, own, probs, scale)
	}
	return r.complete(int32(n))
}

// probabilities are those of the server's tokens without its control tokens,
// once multiplied by scale.
func (r *exactRun) probabilities(probs, logits []float32) (scale float64, err error) {
	if len(logits) < len(probs) {
		return 0, fmt.Errorf("%w: a row of %d logits for %d tokens", ErrVocabulary, len(logits), len(probs))
	}
	if err := kernels.Softmax(probs, logits[:len(probs)]); err != nil {
		return 0, err
	}
	lost := 0.0
	for _, t := range r.control {
		lost += float64(probs[t])
		probs[t] = 0
	}
	return 1 / max(1-lost, 1e-6), nil
}

// meet fills the slot of a cut. own is the text's own token at this row.
func (r *exactRun) meet(c int32, own int32, probs []float32, scale float64) {
	cut := r.cuts[c]
	s := int(cut.position)
	if !r.wanted[s] && (s == 0 || !r.wanted[s-1]) {
		return
	}
	hidden := r.hide(cut, probs, scale)
	defer hidden.restore(probs)
	depth := int(cut.depth)
	if own >= 0 && depth > 0 && len(r.pieces[own]) == depth {
		// What comes after it is what the rows that follow are about.
		hidden.add(own, probs)
	}
	cuts := r.places[s].cuts
	switch main := cuts[len(cuts)-1] == c; {
	case !r.wanted[s]:
		r.slots[c].mass = scale * r.within(cut, probs)
	case main:
		dense := r.probs.Get().(*[]float32)
		r.slots[c].mass = scale * r.scatter(cut, probs, *dense, scale)
		r.dense[s] = dense
		if depth == 0 && s == len(r.standard)-1 {
			r.last.note(r, probs, scale)
		}
	default:
		r.slots[c].mass = scale * r.list(cut, probs, &r.slots[c], scale)
	}
}

// within is the mass of the tokens that begin with the bytes of a cut.
func (r *exactRun) within(cut crossing, probs []float32) (mass float64) {
	n := r.tries.server.nodes[cut.node]
	for _, t := range r.tries.server.order[n.lo:n.hi] {
		mass += float64(probs[t])
	}
	return mass
}

// scatter gives the mass of these tokens to the standard tokens that what is left
// of them begins with.
func (r *exactRun) scatter(cut crossing, probs, to []float32, scale float64) (mass float64) {
	clear(to)
	if cut.depth == 0 {
		for t, p := range probs {
			if head := r.heads[t]; head >= 0 {
				p *= float32(scale)
				mass += float64(p)
				if keep := r.open.keep[t]; keep < 1 && p >= shared {
					r.open.spread(int32(t), p, to)
					p *= keep
				}
				to[head] += p
			}
		}
		return mass / scale
	}
	n := r.tries.server.nodes[cut.node]
	for _, t := range r.tries.server.order[n.lo:n.hi] {
		p := probs[t]
		mass += float64(p)
		if p == 0 || len(r.pieces[t]) == int(cut.depth) {
			continue
		}
		if head := r.head(t, int(cut.depth)); head >= 0 {
			to[head] += p * float32(scale)
		}
	}
	return mass
}

// shared is the probability from which on a token is shared with those that it may be
// the start of: of what is unlikelier the shares would cost more than they tell.
const shared = 1e-7

// list is scatter for rows that have little to say.
func (r *exactRun) list(cut crossing, probs []float32, to *slot, scale float64) (mass float64) {
	n := r.tries.server.nodes[cut.node]
	for _, t := range r.tries.server.order[n.lo:n.hi] {
		p := probs[t]
		mass += float64(p)
		if p < 1e-12 || len(r.pieces[t]) == int(cut.depth) {
			continue
		}
		if head := r.head(t, int(cut.depth)); head >= 0 {
			to.rest = append(to.rest, portion{head, p * float32(scale)})
		}
	}
	return mass
}

// hidden are tokens that a cut leaves out, with their probabilities.
type hidden []portion

func (h *hidden) add(token int32, probs []float32) {
	if probs[token] != 0 {
		*h = append(*h, portion{token, probs[token]})
		probs[token] = 0
	}
}

func (h *hidden) restore(probs []float32) {
	for _, s := range *h {
		probs[s.token] = s.prob
	}
}

// hide leaves out the tokens with which the position's standard token would have
// become a longer one, unless they are what the text goes on with.
func (r *exactRun) hide(cut crossing, probs []float32, scale float64) *hidden {
	h := &hidden{}
	standard := r.standard[cut.position]
	node := r.stdNodes[standard]
	if node == noNode || !r.certain[cut.position] {
		return h
	}
	following := r.bytes[r.ends[cut.position]:]
	after := int(cut.depth)
	order := r.tries.server.order
	r.tries.standard.longer(node, &r.tries.server, cut.node, 0, func(at int32, depth int) {
		n := r.tries.server.nodes[at]
		onPath := agree(r.pieces[order[n.lo]][after:after+depth], following)
		for _, t := range order[n.lo:n.hi] {
			p := probs[t]
			if p == 0 || onPath && agree(r.pieces[t][after:], following) ||
				float64(p)*scale >= heavy && r.after(standard, t, after, true) == standard {
				continue
			}
			h.add(t, probs)
		}
	})
	return h
}

// agree reports whether the one begins with the other, and neither is empty.
func agree(a, b []byte) bool {
	n := min(len(a), len(b))
	return n > 0 && string(a[:n]) == string(b[:n])
}

// complete counts a row off and makes the distributions that waited for it.
func (r *exactRun) complete(row int32) error {
	// Places are in order of their rows.
	for s := r.firstWith(row); s < len(r.places) && r.places[s].lo <= row; s++ {
		if !r.wanted[s] || r.places[s].hi < row || r.waits[s].Add(-1) > 0 {
			continue
		}
		if err := r.finish(s); err != nil {
			return err
		}
	}
	return nil
}
