package hostile

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/server"
)

// copier has no model: it asks neighbours, as anybody may, and passes on what they say.
type copier struct {
	neighbours func() []client.Endpoint
	client     *client.Client
	asks       int // of the neighbours, from the first on
}

// copies is a copier that asks so many.
func copies(asks int) func(server.Model, Means) server.Model {
	return func(_ server.Model, w Means) server.Model {
		c, err := client.New(client.Options{Key: w.Key})
		if err != nil {
			return failing{err}
		}
		return &copier{w.Neighbours, c, asks}
	}
}

// failing says why there is no answer.
type failing struct{ err error }

// Answer implements server.Model.
func (f failing) Answer(context.Context, []int32, []synapse.Need) error { return f.err }

// Close lets go of the copier's connections.
func (c *copier) Close() error { return c.client.Close() }

// Answer implements server.Model.
func (c *copier) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	for _, n := range needs {
		if err := c.meet(ctx, tokens, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) meet(ctx context.Context, tokens []int32, n synapse.Need) error {
	b := synapse.Batch{Texts: 1, Length: len(tokens), Tokens: tokens}
	switch {
	case n.Next != nil:
		answers, err := c.ask(ctx, b, &synapse.TextCausalLMNext{TopK: n.NextK})
		if err != nil {
			return err
		}
		return n.Next(meanPhrases(answers, n.NextK))
	case n.Row != nil:
		answers, err := c.ask(ctx, b, &synapse.TextCausalLM{TopK: n.K})
		if err != nil {
			return err
		}
		for pos := range tokens {
			row, err := meanRow(answers, pos, n.K, n.Order)
			if err != nil {
				return err
			}
			if err := n.Row(pos, row); err != nil {
				return err
			}
		}
		return nil
	}
	return server.ErrUnsupported
}

// ask asks the neighbours at once. All must answer.
func (c *copier) ask(ctx context.Context, b synapse.Batch, s synapse.Synapse) ([]synapse.Answer, error) {
	all := c.neighbours()
	if len(all) < c.asks {
		return nil, fmt.Errorf("%w: %d neighbours to ask, and %d are there", ErrAttack, c.asks, len(all))
	}
	answers := make([]synapse.Answer, c.asks)
	faults := make([]*synapse.Fault, c.asks)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() {
			r := c.client.Forward(ctx, all[i], b, s)
			if faults[i] = r.Fault(); faults[i] == nil {
				answers[i] = r.Results[0].Answer
			}
		})
	}
	wait.Wait()
	for _, f := range faults {
		if f != nil {
			return nil, f
		}
	}
	return answers, nil
}

// meanPhrases are the k likeliest phrases by the mean of what answers give them: what an
// answer does not name has its floor.
func meanPhrases(answers []synapse.Answer, k int) synapse.Phrases {
	if len(answers) == 1 {
		return answers[0].(*synapse.NextPhrases).Texts[0]
	}
	sums := map[string]*synapse.Phrase{}
	floors := float32(0)
	for _, a := range answers {
		floors += a.(*synapse.NextPhrases).Texts[0].Floor
	}
	for _, a := range answers {
		p := a.(*synapse.NextPhrases).Texts[0]
		for _, phrase := range p.List {
			spelt := fmt.Sprint(phrase.Tokens)
			if sums[spelt] == nil {
				sums[spelt] = &synapse.Phrase{Tokens: phrase.Tokens, Prob: floors}
			}
			sums[spelt].Prob += phrase.Prob - p.Floor
		}
	}
	n := float32(len(answers))
	mean := synapse.Phrases{Floor: floors / n}
	for _, phrase := range sums {
		mean.List = append(mean.List, synapse.Phrase{Tokens: phrase.Tokens, Prob: max(0, phrase.Prob/n)})
	}
	slices.SortFunc(mean.List, func(a, b synapse.Phrase) int {
		return cmp.Or(cmp.Compare(b.Prob, a.Prob), slices.Compare(a.Tokens, b.Tokens))
	})
	mean.List = mean.List[:min(k, len(mean.List))]
	return within(mean)
}

// meanRow is the same of a position.
func meanRow(answers []synapse.Answer, pos, k int, order kernels.Order) (kernels.Sparse, error) {
	mass := map[int32]float64{}
	for _, a := range answers {
		row, err := a.(*synapse.Distributions).At(0, pos)
		if err != nil {
			return row, err
		}
		for _, e := range row.Entries {
			mass[e.Index] += math.Exp(float64(e.Value)) / float64(len(answers))
		}
	}
	var top kernels.Sparse
	for token, m := range mass {
		top.Entries = append(top.Entries, kernels.Entry{Index: token, Value: float32(m)})
	}
	slices.SortFunc(top.Entries, func(a, b kernels.Entry) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Index, b.Index))
	})
	top.Entries = top.Entries[:min(k, len(top.Entries))]
	left := 1.0
	for i, e := range top.Entries {
		left -= float64(e.Value)
		top.Entries[i].Value = float32(math.Log(float64(e.Value)))
	}
	top.Rest = float32(math.Log(max(left, 1e-38)))
	if order == kernels.ByIndex {
		slices.SortFunc(top.Entries, func(a, b kernels.Entry) int { return cmp.Compare(a.Index, b.Index) })
	}
	return top, nil
}
