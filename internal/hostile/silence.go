package hostile

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// mute never answers.
type mute struct{}

// Answer implements server.Model.
func (mute) Answer(context.Context, []int32, []synapse.Need) error { return server.ErrBusy }

// slow takes its time.
type slow struct {
	server.Model
	delay time.Duration
}

// Answer implements server.Model.
func (s slow) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	select {
	case <-time.After(s.delay):
		return s.Model.Answer(ctx, tokens, needs)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// late answers when nobody waits any more.
type late struct{ server.Model }

// Answer implements server.Model.
func (late) Answer(ctx context.Context, _ []int32, _ []synapse.Need) error {
	<-ctx.Done()
	return ctx.Err()
}

// shy is silent about texts of which it finds on average more things possible than the median
// of those it was asked before.
type shy struct {
	mu        sync.Mutex
	entropies []float64 // ascending
}

// maxEntropies bounds what a shy server compares with.
const maxEntropies = 1 << 12

func newShy() *shy { return &shy{} }

func (s *shy) lie(item *synapse.Item) {
	h, err := entropyOf(item)
	if err != nil {
		return
	}
	if s.unusual(h) {
		item.Answer = nil
		item.Fault = synapse.Faultf(wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL, "busy")
	}
}

func (s *shy) unusual(h float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.entropies)
	unusual := n > 0 && h > s.entropies[n/2]
	if n < maxEntropies {
		at, _ := slices.BinarySearch(s.entropies, h)
		s.entropies = slices.Insert(s.entropies, at, h)
	}
	return unusual
}

// entropyOf is the mean entropy of what an answer says follows the texts, in nats.
func entropyOf(item *synapse.Item) (float64, error) {
	answer, err := item.Synapse.Decode(item.Batch, item.Answer)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	switch a := answer.(type) {
	case *synapse.NextPhrases:
		for _, p := range a.Texts {
			sum += entropyOfPhrases(p)
		}
	case *synapse.Distributions:
		for i := range a.Texts {
			row, err := a.At(i, a.Length-1)
			if err != nil {
				return 0, err
			}
			sum += entropyOfRow(row)
		}
	default:
		return 0, fmt.Errorf("%w: of an answer of type %T no entropy is known", ErrAttack, answer)
	}
	return sum / float64(item.Batch.Texts), nil
}

func entropyOfPhrases(p synapse.Phrases) float64 {
	h, left := 0.0, 1.0
	for _, phrase := range p.List {
		h += part(float64(phrase.Prob), 1)
		left -= float64(phrase.Prob)
	}
	return h + part(left, max(1, ownTokens-len(p.List)))
}

func entropyOfRow(top kernels.Sparse) float64 {
	h := part(math.Exp(float64(top.Rest)), max(1, synapse.StandardVocabulary-len(top.Entries)))
	for _, e := range top.Entries {
		h += part(math.Exp(float64(e.Value)), 1)
	}
	return h
}

// part is what n tokens that share a mass add to an entropy.
func part(mass float64, n int) float64 {
	if mass <= 0 {
		return 0
	}
	return -mass * math.Log(mass/float64(n))
}
