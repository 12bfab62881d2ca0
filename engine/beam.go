package engine

import (
	"cmp"
	"math"
	"slices"

	llama "axon/cgo"
	"axon/kernels"
)

// BeamOptions asks for beam search, and with Groups > 1 for diverse beam
// search (Vijayakumar et al., arXiv 1610.02424): the groups are extended one
// after the other, and a token that an earlier group took at the same step
// loses DiversityPenalty for each time it was taken. Semantics and names are
// those of Hugging Face's generate: a hypothesis scores its total
// log-probability, penalties included, over (new tokens)^LengthPenalty.
type BeamOptions struct {
	Beams            int     // hypotheses followed at once, over all groups
	Groups           int     // 0: 1; must divide Beams
	DiversityPenalty float32 // nats; 0 or more
	// LengthPenalty is the exponent of the length that a hypothesis's total is
	// divided by: 0 compares totals, 1 means; the larger, the longer.
	LengthPenalty float32
	// EarlyStopping ends a group as soon as it has as many finished hypotheses
	// as beams; otherwise it goes on while a better one may still come.
	EarlyStopping bool
}

func (b *BeamOptions) validate(r *GenerateRequest) error {
	var f faults
	groups := or(b.Groups, 1)
	f.check(b.Beams >= 1 && b.Beams <= llama.MaxSequences/2, "%d beams: must be 1 to %d", b.Beams, llama.MaxSequences/2)
	f.check(groups >= 1 && b.Beams%max(groups, 1) == 0, "%d beams do not divide into %d groups", b.Beams, groups)
	f.check(r.N <= b.Beams, "%d sequences from %d beams", r.N, b.Beams)
	f.check(finite(b.DiversityPenalty) && b.DiversityPenalty >= 0, "diversity penalty %v: must be 0 or more", b.DiversityPenalty)
	f.check(finite(b.LengthPenalty), "length penalty %v: must be finite", b.LengthPenalty)
	s := &r.Sampling
	f.check(s.Temp == 0 && s.Grammar == "" && len(s.Bias) == 0 && s.FrequencyPenalty == 0 && s.PresencePenalty == 0,
		"beam search takes the repeat penalty and the n-gram size, and no other sampling settings")
	return f.err()
}

// beamSearch is the work of a beam search.
type beamSearch struct {
	req    *GenerateRequest
	opt    BeamOptions
	vocab  *Vocab
	queue  *eventQueue
	groups []*beamGroup
	bank   [2][]int32 // two sets of slots: beams move from one to the other
	used   int        // which of them is in use
	steps  int
	recent int
	done   []Generated
}

// beamGroup is a set of beams that compete with each other.
type beamGroup struct {
	beams []*beam
	found []hypothesis // finished, best first, at most as many as beams
	over  bool
}

// beam is an unfinished hypothesis.
type beam struct {
	seq    *sequence
	new    []Token
	probs  []float64 // log-probability of each new token
	total  float64
	next   []candidate // best continuations, filled by row
	parent int         // index of the beam in the last step that it came from
}

type hypothesis struct {
	tokens []Token
	probs  []float64
	score  float64
	reason StopReason
}

// candidate is a beam extended by one token.
type candidate struct {
	beam    int
	token   Token
	logprob float64 // of the token
	total   float64 // of the beam with it, less what diversity has cost it
}

func (e *Engine) newBeamSearch(req *GenerateRequest) (generation, *job, error) {
	b := &beamSearch{req: req, opt: *req.Beams, vocab: e.model.vocab, queue: newEventQueue(req.OnToken), recent: req.Sampling.recent(e.info.ContextSeq)}
	b.opt.Groups = or(b.opt.Groups, 1)
	room := (e.info.Context - len(req.Prompt)) / b.opt.Beams
	req.MaxTokens = min(req.MaxTokens, room)
	j := newJob(b, req.Prompt)
	if req.MaxTokens < 1 {
		return nil, nil, noRoom(req, b.opt.Beams, e.info.Context)
	}
	j.slots, j.cells, j.fresh = 2*b.opt.Beams, len(req.Prompt)+b.opt.Beams*req.MaxTokens, req.Fresh
	for range b.opt.Groups {
		b.groups = append(b.groups, &beamGroup{beams: []*beam{{seq: j.seqs[0]}}})
	}
	return b, j, nil
}

func (b *beamSearch) events() *eventQueue { return b.queue }
func (b *beamSearch) close()              {}
func (b *beamSearch) firstRow() int       { return len(b.req.Prompt) - 1 }

func (b *beamSearch) wants(_ *sequence, pos int) bool { return pos >= len(b.req.Prompt)-1 }

// size is the number of beams in a group.
func (b *beamSearch) size() int { return b.opt.Beams / b.opt.Groups }

// row finds the best continuations of the beams that stand at s: one beam, or
// at the end of the prompt the first of every group.
func (b *beamSearch) row(s *sequence, _ int, out *llama.Output, i int) error {
	for _, g := range b.groups {
		for _, m := range g.beams {
			if m.seq == s && !g.over {
				if err := b.extend(m, out.Logits(i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// extend keeps enough candidates that the best 2·size are among them whatever
// the diversity penalty takes away: other groups take fewer than Beams tokens.
func (b *beamSearch) extend(m *beam, logits []float32) error {
	s := borrowScratch()
	defer s.giveBack()
	lse, err := kernels.LogSumExp(logits)
	if err != nil {
		return err
	}
	history := append(append([]Token{}, b.req.Prompt...), m.new...)
	logits = b.penalise(logits, lse, history)
	s.top, _, err = kernels.Reduce(s.top[:0], logits, 2*b.size()+b.opt.Beams, kernels.Descending, &s.Scratch)
	if err != nil {
		return err
	}
	m.next = m.next[:0]
	for _, t := range s.top {
		p := float64(t.Value) - lse
		if math.IsInf(p, -1) {
			break // banned
		}
		m.next = append(m.next, candidate{token: t.Index, logprob: p, total: m.total + p})
	}
	return nil
}

// penalise applies the repeat penalty and the ban on repeated n-grams to a
// copy of the row. As in Hugging Face's search they act on log-probabilities.
func (b *beamSearch) penalise(logits []float32, lse float64, history []Token) []float32 {
	penalty := or(b.req.Sampling.RepeatPenalty, 1)
	banned := bannedByNGram(slices.Clone(b.vocab.Suppressed), history, b.req.Sampling.NoRepeatNGram)
	if penalty == 1 && len(banned) == 0 {
		return logits
	}
	row := slices.Clone(logits)
	if penalty != 1 {
		for _, t := range history[max(0, len(history)-b.recent):] {
			row[t] = float32(lse + (float64(logits[t])-lse)*float64(penalty))
		}
	}
	for _, t := range banned {
		row[t] = float32(math.Inf(-1))
	}
	return row
}

// advance chooses the beams of the next step once every beam has its row.
func (b *beamSearch) advance(d *driver, j *job) (bool, error) {
	for _, s := range j.seqs {
		if len(s.pending()) > 0 {
			return false, nil
		}
	}
	j.promptDone()
	b.steps++
	taken := map[Token]int{}
	for _, g := range b.groups {
		if !g.over {
			b.choose(g, taken)
		}
	}
	if b.over() || b.steps == b.req.MaxTokens {
		b.finish(StopLength)
		return true, nil
	}
	b.move(d, j)
	return false, nil
}

func (b *beamSearch) over() bool {
	return !slices.ContainsFunc(b.groups, func(g *beamGroup) bool { return !g.over })
}

// choose picks a group's next beams among the best 2·size candidates.
func (b *beamSearch) choose(g *beamGroup, taken map[Token]int) {
	var all []candidate
	for i, m := range g.beams {
		for _, c := range m.next {
			c.beam = i
			c.total -= float64(b.opt.DiversityPenalty) * float64(taken[c.token])
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(x, y candidate) int { return cmp.Compare(y.total, x.total) })
	all = all[:min(len(all), 2*b.size())]
	var next []*beam
	best := math.Inf(-1)
	for rank, c := range all {
		parent := g.beams[c.beam]
		if b.vocab.IsEOG(c.token) && !b.req.IgnoreEOG {
			if rank < b.size() {
				g.add(b.hypothesis(parent, c.total, StopEOG), b.size())
			}
			continue
		}
		best = max(best, c.total)
		next = append(next, &beam{
			new:   append(slices.Clone(parent.new), c.token),
			probs: append(slices.Clone(parent.probs), c.logprob),
			total: c.total, parent: c.beam, seq: parent.seq,
		})
		taken[c.token]++
		if len(next) == b.size() {
			break
		}
	}
	g.beams = next
	g.over = len(next) == 0 || b.groupOver(g, best)
}

// groupOver reports whether no beam can still beat the group's hypotheses.
func (b *beamSearch) groupOver(g *beamGroup, best float64) bool {
	if len(g.found) < b.size() {
		return false
	}
	return b.opt.EarlyStopping || g.found[len(g.found)-1].score >= b.score(best, b.steps)
}

func (b *beamSearch) score(total float64, n int) float64 {
	return total / math.Pow(float64(max(n, 1)), float64(b.opt.LengthPenalty))
}

// hypothesis finishes a beam; total includes an end-of-text token, which
// counts as one of its tokens.
func (b *beamSearch) hypothesis(m *beam, total float64, reason StopReason) hypothesis {
	n := len(m.new)
	if reason == StopEOG {
		n++
	}
	return hypothesis{tokens: m.new, probs: m.probs, score: b.score(total, n), reason: reason}
}

func (g *beamGroup) add(h hypothesis, most int) {
	g.found = append(g.found, h)
	slices.SortStableFunc(g.found, func(x, y hypothesis) int { return cmp.Compare(y.score, x.score) })
	g.found = g.found[:min(len(g.found), most)]
}

// move gives every beam a sequence that holds its parent's tokens and appends
// its newest one. Sequences are copied from one bank of slots to the other: a
// parent may have several children, and a child must not overwrite the parent
// of another.
func (b *beamSearch) move(d *driver, j *job) {
	if b.bank[0] == nil {
		b.bank[0] = append([]int32{j.seqs[0].slot}, j.spare[:b.opt.Beams-1]...)
		b.bank[1] = j.spare[b.opt.Beams-1:]
		j.spare = nil
	}
	from, to := b.bank[b.used], b.bank[1-b.used]
	b.used = 1 - b.used
	var seqs []*sequence
	for _, g := range b.groups {
		if g.over {
			continue
		}
		for _, m := range g.beams {
			slot, parent := to[len(seqs)], m.seq
			d.ctx.SeqCopy(parent.slot, slot, 0, int32(parent.cached))
			tokens := append(slices.Clone(parent.tokens[:parent.cached]), m.new[len(m.new)-1])
			m.seq = &sequence{job: j, slot: slot, tokens: tokens, cached: parent.cached}
			seqs = append(seqs, m.seq)
		}
	}
	for _, slot := range from {
		d.slots.drop(slot)
	}
	for _, s := range seqs {
		d.slots.slots[s.slot].seq = s
	}
	j.seqs = seqs
}

// finish turns what there is into results: the best over all groups, open
// beams among them for the given reason.
func (b *beamSearch) finish(reason StopReason) {
	var all []hypothesis
	for _, g := range b.groups {
		if !g.over {
			for _, m := range g.beams {
				g.add(b.hypothesis(m, m.total, reason), b.size())
			}
		}
		all = append(all, g.found...)
	}
	slices.SortStableFunc(all, func(x, y hypothesis) int { return cmp.Compare(y.score, x.score) })
	for i, h := range all[:min(len(all), b.req.N)] {
		b.done = append(b.done, b.generated(i, h))
	}
}

// generated spells a hypothesis out, up to the first stop string.
func (b *beamSearch) generated(i int, h hypothesis) Generated {
	out := Generated{Reason: h.reason, Score: h.score}
	text := textStream{stops: b.req.Stop}
	for k, t := range h.tokens {
		ev := TokenEvent{Sequence: i, TokenProb: TokenProb{t, h.probs[k]}}
		var stopped bool
		if !b.vocab.IsControl(t) {
			ev.Text, stopped = text.push(b.vocab.Piece(t))
		}
		if k == len(h.tokens)-1 && !stopped {
			ev.Text += text.flush()
		}
		out.Tokens = append(out.Tokens, t)
		out.Logprobs = append(out.Logprobs, h.probs[k])
		b.queue.put(ev)
		if stopped {
			out.Reason = StopText
			break
		}
	}
	out.Text = text.text.String()
	return out
}

func (b *beamSearch) result() []Generated {
	if b.done == nil {
		b.finish(StopCancel)
	}
	return b.done
}
