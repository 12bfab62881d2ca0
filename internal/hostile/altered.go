package hostile

import (
	"context"
	"slices"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/server"
)

// altered is a model whose answers pass through somebody's hands: functions that get what
// they may change, and the text that was asked about.
type altered struct {
	server.Model
	phrases func(text []int32, p synapse.Phrases) synapse.Phrases
	row     func(text []int32, pos int, top kernels.Sparse) kernels.Sparse
}

// Answer implements server.Model.
func (a altered) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	needs = slices.Clone(needs)
	for i := range needs {
		if told := needs[i].Next; told != nil && a.phrases != nil {
			needs[i].Next = func(p synapse.Phrases) error { return told(a.phrases(tokens, clonePhrases(p))) }
		}
		if told := needs[i].Row; told != nil && a.row != nil {
			needs[i].Row = func(pos int, top kernels.Sparse) error { return told(pos, a.row(tokens, pos, cloneRow(top))) }
		}
	}
	return a.Model.Answer(ctx, tokens, needs)
}

// clonePhrases are phrases to change. Their tokens are shared: nobody writes into them.
func clonePhrases(p synapse.Phrases) synapse.Phrases {
	p.List = slices.Clone(p.List)
	return p
}

func cloneRow(top kernels.Sparse) kernels.Sparse {
	top.Entries = slices.Clone(top.Entries)
	return top
}

// phrasesBy alters phrases, whatever the text.
func phrasesBy(f func(synapse.Phrases) synapse.Phrases) func(server.Model, Means) server.Model {
	return both(f, nil)
}

// both alters phrases and rows, whatever the text. A nil function leaves them.
func both(phrases func(synapse.Phrases) synapse.Phrases, row func(kernels.Sparse) kernels.Sparse) func(server.Model, Means) server.Model {
	return func(m server.Model, _ Means) server.Model {
		a := altered{Model: m}
		if phrases != nil {
			a.phrases = func(_ []int32, p synapse.Phrases) synapse.Phrases { return phrases(p) }
		}
		if row != nil {
			a.row = func(_ []int32, _ int, top kernels.Sparse) kernels.Sparse { return row(top) }
		}
		return a
	}
}
