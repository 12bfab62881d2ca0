package translate

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

const (
	// askFrom is the probability from which on the model is asked what it expects
	// after a token, where the standard tokenizer may join that to the token.
	askFrom = 0.1
	// askTrust is the part of a token's probability for which the answer counts; of
	// the rest it may be the start of tokens that need a third token of the server's.
	askTrust = 0.9
	// maxAsks bounds how often that is done.
	maxAsks = 4
)

// lastPosition is the end of the text. What comes after the server's next token
// is not known there, and so not which standard token it begins.
type lastPosition struct {
	open  []portion  // likely server tokens that may be the start of a longer standard token
	scale float64    // of their probabilities, as those in dense are
	dense *[]float32 // the distribution so far
}

// open are, for each token of the server's, the standard tokens that begin with it
// and of which the server has no longer part, and which shares of its
// probability are theirs: nothing is known of what follows it, but that earlier
// entries of a vocabulary are more frequent (Zipf's law).
type open struct {
	first  []int32   // of each server token in tokens
	tokens []int32   // standard tokens
	shares []float32 // of each of them
	keep   []float32 // the share that stays with the server token's own head
}

func (x *exact) findOpen() open {
	n := len(x.pieces)
	o := open{first: make([]int32, n+1), keep: make([]float32, n)}
	from := make([]int32, len(x.stdPieces)) // the server token of each standard one, or none
	for t, piece := range x.stdPieces {
		from[t] = x.tries.server.longest(piece)
		if from[t] >= 0 && len(x.pieces[from[t]]) == len(piece) {
			from[t] = -1
		}
		if from[t] >= 0 {
			o.first[from[t]+1]++
		}
	}
	for t := range n {
		o.first[t+1] += o.first[t]
	}
	o.tokens, o.shares = make([]int32, o.first[n]), make([]float32, o.first[n])
	next := slices.Clone(o.first)
	for t, server := range from {
		if server >= 0 {
			o.tokens[next[server]] = int32(t)
			o.shares[next[server]] = zipf(int32(t))
			next[server]++
		}
	}
	for t := range n {
		o.weigh(t, x.heads[t])
	}
	return o
}

// zipf is how frequent a token is, as a token of a text and not as a part of longer ones,
// by its place in the vocabulary: behind 256 single bytes they stand in the order in
// which they were joined. Counts of joins fall as 1/rank; what longer tokens take
// away makes what is left fall faster.
func zipf(t int32) float32 {
	rank := float64(max(t-firstJoined, 32))
	return float32(1 / (rank * math.Sqrt(rank)))
}

// firstJoined is somewhat before the first token of GPT-2's that is no single byte.
const firstJoined = 224

// weigh makes shares of one token's frequencies.
func (o *open) weigh(token int, head int32) {
	own, sum := float32(0), float32(0)
	if head >= 0 {
		own = zipf(head)
	}
	shares := o.shares[o.first[token]:o.first[token+1]]
	for _, f := range shares {
		sum += f
	}
	o.keep[token] = 1
	if sum > 0 {
		o.keep[token] = own / (own + sum)
		for i := range shares {
			shares[i] /= own + sum
		}
	}
}

// spread adds to the standard tokens that a server token may be the start of their
// shares of a probability.
func (o *open) spread(token int32, p float32, to []float32) {
	for i := o.first[token]; i < o.first[token+1]; i++ {
		to[o.tokens[i]] += p * o.shares[i]
	}
}

// note keeps the tokens about which the model may have to be asked again.
func (l *lastPosition) note(r *exactRun, probs []float32, scale float64) {
	for t, p := range probs {
		if float64(p)*scale < askFrom || r.open.keep[t] == 1 {
			continue
		}
		if head := r.heads[t]; head >= 0 && len(r.stdPieces[head]) == len(r.pieces[t]) {
			l.open = append(l.open, portion{int32(t), p * float32(scale)})
		}
	}
	slices.SortFunc(l.open, func(a, b portion) int {
		return cmp.Or(cmp.Compare(b.prob, a.prob), cmp.Compare(a.token, b.token))
	})
	l.open = l.open[:min(len(l.open), maxAsks)]
}

// hold keeps a distribution until the model has been asked, if it has to be.
func (l *lastPosition) hold(dense *[]float32, scale float64) bool {
	if len(l.open) == 0 {
		return false
	}
	l.dense, l.scale = dense, scale
	return true
}

// finishLast asks and finishes the last position.
func (r *exactRun) finishLast(ctx context.Context, model Rows, stats *Stats) error {
	l := &r.last
	if l.dense == nil {
		return nil
	}
	for _, open := range l.open {
		tokens := append(slices.Clone(r.tokens), open.token)
		stats.Passes++
		stats.Tokens += len(tokens)
		err := model(ctx, tokens, []int{len(tokens) - 1}, func(_ int, logits []float32) error {
			return r.goOn(open, logits)
		})
		if errors.Is(err, ErrNoRoom) {
			break
		}
		if err != nil {
			return err
		}
	}
	normalise(*l.dense)
	err := r.each(len(r.standard)-1, *l.dense)
	r.probs.Put(l.dense)
	return err
}

// goOn moves the share of a token that goes on in a longer standard token there.
func (r *exactRun) goOn(open portion, logits []float32) error {
	row := r.rows.Get().(*[]float32)
	defer r.rows.Put(row)
	scale, err := r.probabilities(*row, logits)
	if err != nil {
		return err
	}
	head, to := r.heads[open.token], *r.last.dense
	longer, unclear := r.longer(head, *row, scale)
	whole := askTrust * open.prob * float32(r.last.scale)
	// The guess gives way to the answer.
	guessed := whole * float32(1-unclear)
	to[head] += guessed * (1 - r.open.keep[open.token])
	r.open.spread(open.token, -guessed, to)
	for _, l := range longer {
		moved := min(whole*l.prob, to[head])
		to[head] -= moved
		to[l.token] += moved
	}
	return nil
}

// longer finds what a standard token becomes with a server token that follows it,
// and how likely it is that this is not all of it: every other time that it ends
// inside a character.
func (r *exactRun) longer(head int32, probs []float32, scale float64) (longer []portion, unclear float64) {
	order := r.tries.server.order
	r.tries.standard.longer(r.stdNodes[head], &r.tries.server, root, 0, func(at int32, _ int) {
		n := r.tries.server.nodes[at]
		for _, t := range order[n.lo:n.hi] {
			p := float64(probs[t]) * scale
			to := r.after(head, t, 0, p >= heavy)
			if to == head || to < 0 {
				continue
			}
			if piece := r.stdPieces[to]; wholeLength(piece) < len(piece) {
				p /= 2
				unclear += p
			}
			longer = append(longer, portion{to, float32(p)})
		}
	})
	return longer, min(unclear, 1)
}
