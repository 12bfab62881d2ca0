package hostile

import (
	"context"
	"math"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/server"
)

// translated is a model that answers what may follow by standard tokens, as it does for
// TextCausalLM: what it expects, with nothing lost on spelling. By a rule that is about the
// first standard token this is the best that the model can say.
type translated struct{ server.Model }

// Answer implements server.Model.
func (t translated) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	rows := make([]synapse.Need, len(needs))
	for i, n := range needs {
		rows[i] = n
		if n.Next == nil {
			continue
		}
		rows[i].Next, rows[i].NextK = nil, 0
		rows[i].K, rows[i].Order = n.NextK, kernels.Descending
		rows[i].Row = func(pos int, top kernels.Sparse) error {
			if pos != len(tokens)-1 {
				return nil
			}
			return n.Next(phrasesOf(top))
		}
	}
	return t.Model.Answer(ctx, tokens, rows)
}

// phrasesOf are phrases of one standard token each.
func phrasesOf(top kernels.Sparse) synapse.Phrases {
	p := synapse.Phrases{List: make([]synapse.Phrase, len(top.Entries))}
	for i, e := range top.Entries {
		p.List[i] = synapse.Phrase{Prob: float32(math.Exp(float64(e.Value))), Tokens: []int32{e.Index}}
	}
	if others := synapse.StandardVocabulary - len(top.Entries); others > 0 {
		p.Floor = float32(math.Exp(float64(top.Rest)) / float64(others))
	}
	return within(p)
}
