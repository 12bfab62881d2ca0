package hostile

import (
	"context"
	"slices"
	"sync"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/server"
)

// Once is a model that runs once for a question which many servers are asked: all get the
// same to the last bit, and a network of servers that differ in what they make of it costs
// a pass. It keeps what it said about the latest texts.
type Once struct {
	model server.Model
	keep  int

	mu     sync.Mutex
	known  map[question]*said
	latest []question
}

// question is what a model was asked: rows and phrases only.
type question struct {
	text     string
	k, nextK int
	order    kernels.Order
}

// said is what the model answered.
type said struct {
	done    chan struct{} // closed when the rest is there
	err     error
	rows    []kernels.Sparse
	phrases synapse.Phrases
}

// NewOnce keeps the answers about so many texts.
func NewOnce(m server.Model, keep int) *Once {
	return &Once{model: m, keep: keep, known: map[question]*said{}}
}

// Answer implements server.Model.
func (o *Once) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	for _, n := range needs {
		if n.Row == nil && n.Next == nil || n.LogProb != nil || n.Hidden != nil || n.Generated != nil {
			return o.model.Answer(ctx, tokens, needs)
		}
	}
	for _, n := range needs {
		s, err := o.ask(ctx, tokens, n)
		if err != nil {
			return err
		}
		if err := s.tell(n); err != nil {
			return err
		}
	}
	return nil
}

// ask finds what was said, or asks the model. Whoever waits for another's question that
// failed, maybe because its caller had gone, asks again.
func (o *Once) ask(ctx context.Context, tokens []int32, n synapse.Need) (*said, error) {
	q := questionOf(tokens, n)
	for {
		s, first := o.claim(q)
		if first {
			s.err = s.hear(ctx, o.model, tokens, n)
			if s.err != nil {
				o.forget(q)
			}
			close(s.done)
			return s, s.err
		}
		select {
		case <-s.done:
			if s.err == nil {
				return s, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func questionOf(tokens []int32, n synapse.Need) question {
	return question{text: keyOf(tokens), k: n.K, order: n.Order, nextK: n.NextK}
}

func (o *Once) claim(q question) (s *said, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.known[q]; s != nil {
		return s, false
	}
	s = &said{done: make(chan struct{})}
	o.known[q] = s
	o.latest = append(o.latest, q)
	if len(o.latest) > o.keep {
		delete(o.known, o.latest[0])
		o.latest = o.latest[1:]
	}
	return s, true
}

func (o *Once) forget(q question) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, q)
	o.latest = slices.DeleteFunc(o.latest, func(other question) bool { return other == q })
}

// hear asks the model and keeps what it says.
func (s *said) hear(ctx context.Context, m server.Model, tokens []int32, n synapse.Need) error {
	var mu sync.Mutex
	own := n
	if n.Row != nil {
		s.rows = make([]kernels.Sparse, len(tokens))
		own.Row = func(pos int, top kernels.Sparse) error {
			mu.Lock()
			defer mu.Unlock()
			s.rows[pos] = cloneRow(top)
			return nil
		}
	}
	if n.Next != nil {
		own.Next = func(p synapse.Phrases) error {
			s.phrases = clonePhrases(p)
			return nil
		}
	}
	return m.Answer(ctx, tokens, []synapse.Need{own})
}

// tell meets a need with what was said.
func (s *said) tell(n synapse.Need) error {
	if n.Row != nil {
		for pos, row := range s.rows {
			if err := n.Row(pos, row); err != nil {
				return err
			}
		}
	}
	if n.Next != nil {
		return n.Next(s.phrases)
	}
	return nil
}
