package server_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"axon/kernels"
	"axon/synapse"
)

// model answers from the tokens alone: what follows token t is t+1, t+2, …, each half as
// likely as the one before. It counts, and waits where a test tells it to.
type model struct {
	calls   atomic.Int64
	running atomic.Int64
	most    atomic.Int64 // running at once
	ended   atomic.Int64 // calls whose context ended

	// hold is called at the start of each answer, where it is set; its error is the model's.
	hold func(ctx context.Context, tokens []int32) error

	mu    sync.Mutex
	first []int32 // the first token of each call, in order of arrival
}

const (
	logHalf     = -0.6931472
	least       = 100 // halvings; none is less likely
	hiddenWidth = 8
)

func (m *model) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	m.arrive(tokens)
	defer m.running.Add(-1)
	if m.hold != nil {
		if err := m.hold(ctx, tokens); err != nil {
			if ctx.Err() != nil {
				m.ended.Add(1)
			}
			return err
		}
	}
	for _, n := range needs {
		if err := meet(n, tokens); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) arrive(tokens []int32) {
	m.calls.Add(1)
	now := m.running.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most.Store(max(m.most.Load(), now))
	m.first = append(m.first, tokens[0])
}

func (m *model) order() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]int32(nil), m.first...)
}

// follows is the i-th most likely token after another.
func follows(token int32, i int) int32 { return (token + 1 + int32(i)) % synapse.StandardVocabulary }

func meet(n synapse.Need, tokens []int32) error {
	for pos, token := range tokens {
		if n.Row != nil {
			if err := n.Row(pos, row(token, n.K, n.Order)); err != nil {
				return err
			}
		}
		if n.LogProb != nil && pos > 0 {
			n.LogProb(pos, -float32(token)/1000)
		}
		if n.Hidden != nil {
			if err := n.Hidden(pos, state(token)); err != nil {
				return err
			}
		}
	}
	last := tokens[len(tokens)-1]
	if n.Next != nil {
		if err := n.Next(phrases(last, n.NextK)); err != nil {
			return err
		}
	}
	if n.Generated != nil {
		for i := range max(1, n.Generation.Sequences) {
			if err := n.Generated(i, append(append([]int32(nil), tokens...), follows(last, i))); err != nil {
				return err
			}
		}
	}
	return nil
}

func row(token int32, k int, order kernels.Order) kernels.Sparse {
	top := kernels.Sparse{Rest: float32(min(k, least)) * logHalf}
	for i := range k {
		top.Entries = append(top.Entries, kernels.Entry{Index: follows(token, i), Value: float32(min(i+1, least)) * logHalf})
	}
	if order == kernels.ByIndex {
		slices.SortFunc(top.Entries, func(x, y kernels.Entry) int { return cmp.Compare(x.Index, y.Index) })
	}
	return top
}

func state(token int32) []float32 {
	s := make([]float32, hiddenWidth)
	for i := range s {
		s[i] = float32(token) + float32(i)/10
	}
	return s
}

func phrases(token int32, k int) synapse.Phrases {
	p := synapse.Phrases{Floor: 1e-7}
	prob := float32(0.5)
	for i := range k {
		p.List = append(p.List, synapse.Phrase{Prob: prob, Tokens: []int32{follows(token, i)}})
		prob /= 2
	}
	return p
}
