package nucleus

import (
	"context"
	"slices"

	"axon/synapse"
)

// pass is one run of the model over a text, for all needs that rows can meet.
type pass struct {
	*text
	needs []synapse.Need
}

func (p *pass) any(wants func(*synapse.Need) bool) bool {
	for i := range p.needs {
		if wants(&p.needs[i]) {
			return true
		}
	}
	return false
}

func (p *pass) run(ctx context.Context) error {
	positions, distributions := p.wanted()
	if p.translated == nil {
		return p.rows(ctx, p.own, positions, p.logits, p.states())
	}
	if !distributions {
		return p.rows(ctx, p.own, p.ownPositions(), p.end, p.states())
	}
	whole := false // has the model run over the whole text?
	stats, err := p.translated.Distributions(ctx, func(ctx context.Context, own []int32, at []int, each func(int, []float32) error) error {
		if whole || !slices.Equal(own, p.own) {
			return p.rows(ctx, own, at, each, nil)
		}
		whole = true
		return p.wholePass(ctx, own, at, each)
	}, positions, p.probabilities)
	p.again.Add(int64(max(0, stats.Passes-1)))
	if err == nil && !whole && p.any(func(n *synapse.Need) bool { return n.Next != nil || n.Hidden != nil }) {
		return p.rows(ctx, p.own, p.ownPositions(), p.end, p.states())
	}
	return err
}

// wholePass runs the model over the text for the translation, and takes from it what
// is needed of the model's own rows besides.
func (p *pass) wholePass(ctx context.Context, own []int32, at []int, each func(int, []float32) error) error {
	asked := func(int) bool { return true }
	if at != nil {
		wanted := make([]bool, len(own))
		for _, pos := range at {
			wanted[pos] = true
		}
		asked = func(pos int) bool { return wanted[pos] }
		at = union(at, p.ownPositions())
	}
	return p.rows(ctx, own, at, func(pos int, row []float32) error {
		if err := p.end(pos, row); err != nil || !asked(pos) {
			return err
		}
		return each(pos, row)
	}, p.states())
}

// union is what is in either list, nil standing for all.
func union(a, b []int) []int {
	if a == nil || b == nil {
		return nil
	}
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// wanted is at which standard positions distributions are needed (nil: all), and
// whether at any.
func (p *pass) wanted() (positions []int, distributions bool) {
	last := len(p.tokens) - 1
	switch {
	case p.any(func(n *synapse.Need) bool { return n.Row != nil }):
		return nil, true
	case p.translated == nil && p.any(func(n *synapse.Need) bool { return n.Hidden != nil }):
		return nil, true
	case p.any(func(n *synapse.Need) bool { return n.LogProb != nil }) && last > 0:
		n := last
		if p.translated == nil && p.any(func(n *synapse.Need) bool { return n.Next != nil }) {
			n++
		}
		positions = make([]int, n)
		for i := range positions {
			positions[i] = i
		}
		return positions, true
	}
	return []int{last}, false
}

// ownPositions is at which of the model's own positions rows are needed for
// themselves: all for hidden states, the last for what follows the text.
func (p *pass) ownPositions() []int {
	if p.any(func(n *synapse.Need) bool { return n.Hidden != nil }) {
		return nil
	}
	return []int{len(p.own) - 1}
}

// logits takes a row of a model whose tokens are the standard ones.
func (p *pass) logits(pos int, row []float32) error {
	if err := p.end(pos, row); err != nil {
		return err
	}
	return p.distribution(pos, &distribution{row: row[:min(len(row), p.std.Size())]})
}

// probabilities takes a translated row.
func (p *pass) probabilities(pos int, probs []float32) error {
	return p.distribution(pos, &distribution{row: probs, probs: true})
}

// distribution hands one position's distribution to whoever needs it.
func (p *pass) distribution(pos int, d *distribution) error {
	d.scratch = borrow()
	defer d.scratch.giveBack()
	for i := range p.needs {
		n := &p.needs[i]
		if n.LogProb != nil && pos+1 < len(p.tokens) {
			logProb, err := d.logProb(p.tokens[pos+1])
			if err != nil {
				return err
			}
			n.LogProb(pos+1, logProb)
		}
		if n.Row == nil {
			continue
		}
		top, err := d.top(n.K, n.Order)
		if err != nil {
			return err
		}
		if err := n.Row(pos, top); err != nil {
			return err
		}
	}
	return nil
}

// end takes the model's own row at the text's end for what may follow.
func (p *pass) end(pos int, row []float32) error {
	if pos != len(p.own)-1 {
		return nil
	}
	for i := range p.needs {
		if p.needs[i].Next == nil {
			continue
		}
		if err := p.next(&p.needs[i], row[:min(len(row), p.server.Size())]); err != nil {
			return err
		}
	}
	return nil
}
