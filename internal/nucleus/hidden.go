package nucleus

import "axon/synapse"

// states is what takes the hidden states of a pass, nil where none are needed.
// Where the model's tokens are not the standard ones, each standard position takes
// the state at the nearest of the model's positions, both counted as parts
// of the whole, as the reference's interpolation does.
func (p *pass) states() func(int, []float32) error {
	if !p.any(func(n *synapse.Need) bool { return n.Hidden != nil }) {
		return nil
	}
	return func(own int, state []float32) error {
		// Standard position i takes own position ⌊i·len(own)/len(tokens)⌋.
		first := ceilDiv(own*len(p.tokens), len(p.own))
		for i := first; i < len(p.tokens) && i*len(p.own)/len(p.tokens) == own; i++ {
			if err := p.hidden(i, state); err != nil {
				return err
			}
		}
		return nil
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (p *pass) hidden(pos int, state []float32) error {
	for i := range p.needs {
		if p.needs[i].Hidden == nil {
			continue
		}
		if err := p.needs[i].Hidden(pos, state); err != nil {
			return err
		}
	}
	return nil
}
