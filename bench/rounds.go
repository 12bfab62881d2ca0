package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// leastSample is how long calls are repeated for one sample: long enough for
// the clock, and for an interruption to be a small part of it.
const leastSample = 200 * time.Microsecond

// pass is something to time: one call for each of several inputs.
type pass struct {
	name string
	call func(input int) error
}

// measure times each pass in each round and returns nanoseconds a call, by
// pass and round. A round has one input, and in it each pass has its turn, so
// that what slows the machine for longer slows them all; who begins changes
// from round to round. Before its turn each pass runs once, so that all find
// their memory as they left it. tick is called after each round.
func measure(ctx context.Context, rounds, inputs int, passes []pass, tick func()) ([][]float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	runtime.GC() // now, and not in the middle
	repeats, err := calibrate(passes)
	if err != nil {
		return nil, err
	}
	samples := make([][]float64, len(passes))
	for round := range rounds {
		for turn := range passes {
			i := (round + turn) % len(passes)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			ns, err := passes[i].sample(round%inputs, repeats[i])
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], ns)
		}
		tick()
	}
	return samples, nil
}

// calibrate finds how often each pass must be called for a sample.
func calibrate(passes []pass) ([]int, error) {
	repeats := make([]int, len(passes))
	for i, p := range passes {
		repeats[i] = 1
		for {
			enough, err := p.fills(repeats[i])
			if err != nil {
				return nil, err
			}
			if enough {
				break
			}
			repeats[i] *= 2
		}
	}
	return repeats, nil
}

// fills says whether n calls take long enough for a sample, whenever they are
// not interrupted: that makes the time of few calls long, too.
func (p pass) fills(n int) (bool, error) {
	for range 3 {
		ns, err := p.sample(0, n)
		if err != nil || ns*float64(n) < float64(leastSample) {
			return false, err
		}
	}
	return true, nil
}

// sample is the time of one call, in nanoseconds, as the mean of n.
func (p pass) sample(input, n int) (float64, error) {
	if err := p.call(input); err != nil {
		return 0, fmt.Errorf("%s: %w", p.name, err)
	}
	begun := time.Now()
	for range n {
		if err := p.call(input); err != nil {
			return 0, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / float64(n), nil
}

// Timing is how long one pass took for a row, over the rounds.
type Timing struct {
	NS      float64   `json:"ns_per_row"` // the median
	Min     float64   `json:"ns_per_row_min"`
	Max     float64   `json:"ns_per_row_max"`
	Samples []float64 `json:"samples_ns_per_row"` // round by round
}

func newTiming(samples []float64) Timing {
	if len(samples) == 0 {
		return Timing{}
	}
	return Timing{Median(samples), slices.Min(samples), slices.Max(samples), samples}
}

// over is t's times by another's, round by round.
func (t Timing) over(other Timing) Ratio { return newRatio(t.Samples, other.Samples) }
