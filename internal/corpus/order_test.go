package corpus

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrderHasEverySlotOnce(t *testing.T) {
	for size := uint64(1); size < 700; size++ {
		requirePermutation(t, size)
	}
	for _, size := range []uint64{1 << 10, 1<<10 + 1, 1<<16 - 1, 1 << 16, 1<<16 + 1, 100_003} {
		requirePermutation(t, size)
	}
}

func requirePermutation(t *testing.T, size uint64) {
	t.Helper()
	p := newPermutation(rand.NewPCG(size, 1), size)
	seen := make([]bool, size)
	for i := range size {
		at := p.at(i)
		require.Less(t, at, size)
		require.False(t, seen[at], "%d of %d comes twice", at, size)
		seen[at] = true
	}
}

// Positions that were written down must mean the same in every release.
func TestOrderIsForEver(t *testing.T) {
	o := newOrder(7, 1, 1_000_000, 1000)
	starts := []int64{}
	for i := range uint64(5) {
		starts = append(starts, o.start(i))
	}
	require.Equal(t, []int64{472617, 768617, 213617, 72617, 914617}, starts)
	require.InDelta(t, 0.3844126663871261, share(7, 1), 1e-15)
}

func TestSlotsCoverTheText(t *testing.T) {
	for _, total := range []int64{1, 2, 71, 72, 73, 1000, 72 * 50} {
		for epoch := range uint64(50) {
			o := newOrder(3, epoch, total, 72)
			first, last := total, int64(0)
			for i := range o.size {
				first, last = min(first, o.start(i)), max(last, o.start(i))
			}
			require.Less(t, first, min(total, 72))
			require.Less(t, last, total)
			require.GreaterOrEqual(t, last+72, total)
		}
	}
}

// Whatever begins an order, and whatever follows that, is as likely to be any slot.
func TestOrdersAreUniform(t *testing.T) {
	for _, size := range []int{2, 3, 7, 16, 100, 300} {
		const orders = 20_000
		for _, draw := range []uint64{0, 1, uint64(size) - 1} {
			hits := make([]int, size)
			for seed := range uint64(orders) {
				p := newPermutation(rand.NewPCG(seed, draw), uint64(size))
				hits[p.at(draw)]++
			}
			requireUniform(t, hits, orders)
		}
	}
}

// Neighbours are not drawn one after the other more often than others.
func TestOrderHasNoSteps(t *testing.T) {
	const size, bins = 50_000, 20
	p := newPermutation(rand.NewPCG(11, 0), size)
	hits := make([]int, bins)
	for i := range uint64(size - 1) {
		step := (p.at(i+1) + size - p.at(i)) % size
		hits[step*bins/size]++
	}
	requireUniform(t, hits, size-1)
}

// requireUniform is a chi-square test at five standard deviations.
func requireUniform(t testing.TB, hits []int, total int) {
	t.Helper()
	expected := float64(total) / float64(len(hits))
	sum := 0.0
	for _, h := range hits {
		sum += (float64(h) - expected) * (float64(h) - expected) / expected
	}
	freedom := float64(len(hits) - 1)
	require.Less(t, (sum-freedom)*(sum-freedom), 25*2*freedom+25, "chi-square %.1f with %v degrees of freedom: %v", sum, freedom, hits)
}

func BenchmarkOrder(b *testing.B) {
	o := newOrder(1, 0, 1<<40, 2112)
	for i := uint64(0); b.Loop(); i++ {
		o.start(i % o.size)
	}
}
