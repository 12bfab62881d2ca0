package translate

import (
	"context"

	"axon/kernels"
)

// plain is a text of a server whose vocabulary is the standard one.
type plain struct {
	tokens []int32
	rows   buffers
}

func newPlain(p *Pair, standard []int32) *plain {
	return &plain{standard, newBuffers(p.standard.Size())}
}

func (t *plain) Tokens() []int32 { return t.tokens }

func (t *plain) Distributions(ctx context.Context, model Rows, positions []int, each func(pos int, probs []float32) error) (Stats, error) {
	err := model(ctx, t.tokens, positions, func(pos int, logits []float32) error {
		probs := t.rows.get()
		defer t.rows.put(probs)
		if err := softmax(*probs, logits); err != nil {
			return err
		}
		return each(pos, *probs)
	})
	return Stats{Passes: 1, Tokens: len(t.tokens)}, err
}

// softmax makes probabilities of logits. Those beyond the vocabulary are padding
// of the model and cut off; tokens for which there are none cannot come.
func softmax(probs, logits []float32) error {
	n := min(len(probs), len(logits))
	clear(probs[n:])
	return kernels.Softmax(probs[:n], logits[:n])
}
