package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSortIsStable(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		var s sorter
		for _, kind := range kinds {
			for _, n := range []int{1, 2, insertLeast - 1, insertLeast, 100, 129, 1000, 4096, 10000} {
				row := kind.row(rand.New(rand.NewPCG(uint64(n), 9)), n)
				entries := largest(row, n, ByIndex)
				want := slices.Clone(entries)
				slices.SortStableFunc(want, byValue)
				s.sort(entries, -maxGeneric(negated(row)))
				requireSame(t, want, entries, fmt.Sprintf("%s, %d", kind.name, n))
			}
		}
	})
}

func byValue(a, b Entry) int {
	switch {
	case a.Value > b.Value:
		return -1
	case a.Value < b.Value:
		return 1
	}
	return 0
}

// Equal values lie everywhere in the slice, also where exp is computed another
// way than elsewhere.
func TestSortKeepsEqualsInOrder(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		var s sorter
		for seed := range uint64(300) {
			r := rand.New(rand.NewPCG(seed, 3))
			n := 100 + r.IntN(3000)
			steps := float64(1 + r.IntN(200))
			row := fill(n, func(int) float32 { return float32(math.Round(r.ExpFloat64()*steps)/steps - 3) })
			entries := largest(row, n, ByIndex)
			want := slices.Clone(entries)
			slices.SortStableFunc(want, byValue)
			s.sort(entries, -3)
			requireSame(t, want, entries, fmt.Sprintf("seed %d", seed))
		}
	})
}

// The way that is taken when the values are not spread as expected must be
// tested by itself: it is rarely taken.
func TestRadixIsStable(t *testing.T) {
	for _, kind := range kinds {
		entries := largest(kind.row(rand.New(rand.NewPCG(1, 9)), 3000), 3000, ByIndex)
		want := slices.Clone(entries)
		slices.SortStableFunc(want, byValue)
		s := sorter{moved: make([]Entry, len(entries))}
		s.radix(entries)
		requireSame(t, want, entries, kind.name)
	}
}

func TestCrowdedEntriesAreNotSpread(t *testing.T) {
	entries := largest(realisticRow(rand.New(rand.NewPCG(1, 9)), 3000), 3000, ByIndex)
	entries[0].Value = 1e9 // beside its excess all others are alike
	before := slices.Clone(entries)
	var s sorter
	s.grow(3000)
	require.False(t, s.spread(entries, -20))
	requireSame(t, before, entries, "untouched")
}

func TestOrderedBitsOrder(t *testing.T) {
	list := []float32{-inf, -1e30, -1, -1e-40, 0, 1e-40, 0.5, 1, 1e30, inf}
	for i, a := range list {
		require.Equal(t, a, fromOrderedBits(orderedBits(a)))
		for j, b := range list {
			require.Equal(t, i < j, orderedBits(a) < orderedBits(b), "%v %v", a, b)
		}
	}
}

func negated(row []float32) []float32 { return fill(len(row), func(i int) float32 { return -row[i] }) }
