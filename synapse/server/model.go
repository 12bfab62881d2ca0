package server

import (
	"context"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/wire"
)

// Model is what answers: one method. It is called from many goroutines at once.
type Model interface {
	// Answer runs one text (standard tokens) through the model and meets every need,
	// in one forward pass where it can. It returns soon after the context ends, and
	// calls none of the needs' functions after it has returned. An error that wraps
	// [ErrTooLong], [ErrBusy], [ErrUnsupported], [ErrInvalid] or a [synapse.Fault]
	// is for the caller to read; any other is logged and not told.
	Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error
}

// Policy says what callers may have. Who may call at all was decided before, by the
// checker's Admit.
type Policy interface {
	// Priority orders the queue, the highest first: the caller's stake.
	Priority(hotkey auth.PublicKey) float64
	// MayAsk refuses a task to a caller, in words that the caller may read.
	MayAsk(hotkey auth.PublicKey, task wire.SynapseType) error
}

// everybody is the policy where none is given: all are equal.
type everybody struct{}

func (everybody) Priority(auth.PublicKey) float64               { return 0 }
func (everybody) MayAsk(auth.PublicKey, wire.SynapseType) error { return nil }
