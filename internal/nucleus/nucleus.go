// Package nucleus joins an engine and a translation into what a synapse server
// asks for: answers about texts in standard tokens, whatever tokens the model has.
// It knows neither the protocol's messages nor the network.
//
// Start reading at [Nucleus.Answer].
package nucleus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"axon/engine"
	"axon/internal/enginevocab"
	"axon/internal/standard"
	"axon/synapse"
	"axon/synapse/translate"
)

// ErrEmpty is returned when nothing of a text is left in the model's own tokens.
var ErrEmpty = errors.New("the text has no tokens in the model's vocabulary")

// Nucleus answers about texts in standard tokens. It may be used by many goroutines.
type Nucleus struct {
	engine        *engine.Engine
	pair          *translate.Pair
	server        translate.Vocabulary
	std           translate.Vocabulary
	method        translate.Method
	start         []int32 // what the model wants before a text: its beginning-of-text token, or nothing
	passes, again atomic.Int64
}

// New makes a nucleus of an engine, and with it the tables that translation by a method
// needs, which can take a second.
func New(e *engine.Engine, method translate.Method) (*Nucleus, error) {
	vocab := e.Model().Vocab()
	std, err := standard.Vocab()
	if err != nil {
		return nil, err
	}
	n := &Nucleus{engine: e, server: enginevocab.New(vocab), std: enginevocab.New(std), method: method}
	if n.pair, err = translate.NewPair(n.server, n.std); err == nil {
		err = n.pair.Warm(method)
	}
	if err != nil {
		return nil, fmt.Errorf("vocabularies of %s and of the network: %w", e.Model().Name(), err)
	}
	if vocab.AddBOS && vocab.BOS >= 0 {
		n.start = []int32{vocab.BOS}
	}
	return n, nil
}

// Identical reports whether the model's vocabulary is the standard one, so that
// nothing has to be translated.
func (n *Nucleus) Identical() bool { return n.pair.Identical() }

// Passes is how often the model was run to answer for distributions, and how many of those
// runs a translation asked for on top of the first.
func (n *Nucleus) Passes() (all, again int64) { return n.passes.Load(), n.again.Load() }

// Answer runs the model over a text and meets every need: distributions,
// phrases, log-probabilities and hidden states from one pass, generated texts
// each from their own. What a caller may read of errors wraps the server's.
func (n *Nucleus) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	return forCaller(n.answer(ctx, tokens, needs))
}

func (n *Nucleus) answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	t, err := n.prepare(tokens)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(needs, needsPass) {
		p := &pass{text: t, needs: needs}
		if err := p.run(ctx); err != nil {
			return err
		}
	}
	for i := range needs {
		if needs[i].Generated == nil {
			continue
		}
		if err := t.generate(ctx, &needs[i]); err != nil {
			return err
		}
	}
	return nil
}

func needsPass(n synapse.Need) bool {
	return n.Row != nil || n.LogProb != nil || n.Next != nil || n.Hidden != nil
}

// text is a text in both vocabularies.
type text struct {
	*Nucleus
	tokens     []int32        // standard
	own        []int32        // the model's, without what it wants before a text
	translated translate.Text // nil: the vocabularies are the same
}

func (n *Nucleus) prepare(tokens []int32) (*text, error) {
	t := &text{Nucleus: n, tokens: tokens, own: tokens}
	if !n.pair.Identical() {
		var err error
		if t.translated, err = n.pair.Prepare(tokens, n.method); err != nil {
			return nil, fmt.Errorf("translating a text of %d tokens: %w", len(tokens), err)
		}
		t.own = t.translated.Tokens()
	}
	if len(t.own) == 0 {
		return nil, ErrEmpty
	}
	return t, nil
}

// rows runs the model; positions are those of the text's own tokens.
func (n *Nucleus) rows(ctx context.Context, own []int32, positions []int, each, state func(int, []float32) error) error {
	n.passes.Add(1)
	shift := len(n.start)
	all := append(slices.Clone(n.start), own...)
	if positions == nil {
		positions = make([]int, len(own))
		for i := range positions {
			positions[i] = i
		}
	}
	shifted := make([]int, len(positions))
	for i, p := range positions {
		shifted[i] = p + shift
	}
	req := engine.RowsRequest{Tokens: all, Positions: shifted, Each: func(p int, row []float32) error { return each(p-shift, row) }}
	if state != nil {
		req.State = func(p int, s []float32) error { return state(p-shift, s) }
	}
	err := n.engine.Distributions(ctx, req)
	if errors.Is(err, engine.ErrTooLong) {
		return fmt.Errorf("%w: %w", translate.ErrNoRoom, err)
	}
	return err
}
