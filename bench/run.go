package bench

import (
	"context"
	"fmt"
	"time"
)

// Runner runs one test, once for each call.
type Runner interface {
	// Name is how the program is called in tables and messages.
	Name() string
	// Warm prepares for Run: code and weights come into caches.
	Warm(ctx context.Context) error
	// Run runs the test and returns the time that it took.
	Run(ctx context.Context) (time.Duration, error)
	// Close gives back what the runner holds.
	Close() error
}

// Samples are the times of one test, round by round.
type Samples struct {
	Ours, Peer []time.Duration
}

// Run measures rounds times. With a peer (nil: none) each round is one run of
// either, and who begins changes from round to round. A program that starts
// anew for each run warms up each time, so then we do as well; alone, once is
// enough. tick is called after each run.
func Run(ctx context.Context, rounds int, ours, peer Runner, tick func()) (Samples, error) {
	var s Samples
	for i := range rounds {
		turns := []turn{{ours, &s.Ours, i == 0 || peer != nil}}
		if peer != nil {
			turns = append(turns, turn{peer, &s.Peer, true})
		}
		if i%2 == 1 && peer != nil {
			turns[0], turns[1] = turns[1], turns[0]
		}
		for _, t := range turns {
			if err := t.take(ctx); err != nil {
				return s, err
			}
			tick()
		}
	}
	return s, nil
}

// turn is one runner's part of a round.
type turn struct {
	r    Runner
	into *[]time.Duration
	warm bool
}

func (t turn) take(ctx context.Context) error {
	if t.warm {
		if err := t.r.Warm(ctx); err != nil {
			return t.failed(ctx, err)
		}
	}
	d, err := t.r.Run(ctx)
	if err != nil {
		return t.failed(ctx, err)
	}
	*t.into = append(*t.into, d)
	return nil
}

// failed prefers the interruption to what it broke.
func (t turn) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%s: %w", t.r.Name(), err)
}
