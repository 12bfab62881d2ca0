package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantilesAreNearestRanks(t *testing.T) {
	ms := func(n ...int) []time.Duration {
		list := make([]time.Duration, len(n))
		for i, v := range n {
			list[i] = time.Duration(v) * time.Millisecond
		}
		return list
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, c := range []struct {
		samples            []time.Duration
		p50, p90, p99, max float64
	}{
		{nil, 0, 0, 0, 0},
		{ms(7), 7, 7, 7, 7},
		{ms(1, 2), 1, 2, 2, 2},
		{ms(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 5, 9, 10, 10},
		{ms(hundred...), 50, 90, 99, 100},
		{ms(append(slices.Clone(hundred), 101)...), 51, 91, 100, 101},
	} {
		shuffled := slices.Clone(c.samples)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		before := slices.Clone(shuffled)
		require.Equal(t, Latency{len(c.samples), c.p50, c.p90, c.p99, c.max}, newLatency(shuffled))
		require.Equal(t, before, shuffled, "the samples stay as they are")
	}
}
