package kernels

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArgMaxEqualsTheDefinition(t *testing.T) {
	for n := 1; n < 300; n++ {
		row := randomRow(uint64(n), n)
		want := 0
		for i, v := range row {
			if v > row[want] {
				want = i
			}
		}
		got, err := ArgMax(row)
		require.NoError(t, err)
		require.Equal(t, want, got, "n %d", n)
	}
}

func TestArgMaxFindsNaNAnywhere(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for n := 1; n < 20; n++ {
		for i := range n {
			row := make([]float32, n)
			row[0] = inf // nothing exceeds it
			row[i] = nan
			_, err := ArgMax(row)
			require.ErrorIs(t, err, ErrNaN, "n %d i %d", n, i)
		}
	}
}

func TestArgMaxOfInfinities(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, row := range [][]float32{{-inf}, {-inf, -inf, -inf, -inf, -inf}, {inf, inf}, {-inf, inf, 0, inf, inf}} {
		want := 0
		for i, v := range row {
			if v > row[want] {
				want = i
			}
		}
		got, err := ArgMax(row)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func BenchmarkArgMax(b *testing.B) {
	row := randomRow(1, 50257)
	b.SetBytes(int64(4 * len(row)))
	for b.Loop() {
		_, _ = ArgMax(row)
	}
}
