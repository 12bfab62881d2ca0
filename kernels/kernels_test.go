package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func randomRow(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	row := make([]float32, n)
	for i := range row {
		row[i] = float32(math.Round(r.NormFloat64()*300) / 100) // rounded: ties are wanted
	}
	return row
}

func TestTopKEqualsAStableSort(t *testing.T) {
	for _, n := range []int{1, 2, 7, 100, 4096} {
		row := randomRow(uint64(n), n)
		want := make([]Entry, n)
		for i, v := range row {
			want[i] = Entry{int32(i), v}
		}
		slices.SortStableFunc(want, func(a, b Entry) int {
			switch {
			case a.Value > b.Value:
				return -1
			case a.Value < b.Value:
				return 1
			}
			return 0
		})
		for _, k := range []int{-1, 0, 1, 3, n / 2, n, n + 5} {
			got, err := TopK(nil, row, k)
			require.NoError(t, err)
			require.Equal(t, want[:max(0, min(k, n))], append([]Entry{}, got...), "n %d k %d", n, k)
		}
	}
}

func TestTopKAppends(t *testing.T) {
	dst := []Entry{{7, 7}}
	got, err := TopK(dst, []float32{1, 3, 2}, 2)
	require.NoError(t, err)
	require.Equal(t, []Entry{{7, 7}, {1, 3}, {2, 2}}, got)
}

func TestLogSumExp(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name string
		row  []float32
		want float64
	}{
		{"one", []float32{3}, 3},
		{"equal", []float32{2, 2, 2, 2}, 2 + math.Log(4)},
		{"huge values do not overflow", []float32{1e30, 1e30}, 1e30},
		{"-Inf has no mass", []float32{1, -inf}, 1},
		{"all -Inf", []float32{-inf, -inf}, math.Inf(-1)},
		{"+Inf", []float32{inf, 0}, math.Inf(1)},
		{"empty", nil, math.Inf(-1)},
	} {
		got, err := LogSumExp(c.row)
		require.NoError(t, err, c.name)
		if math.IsInf(c.want, 0) {
			require.Equal(t, c.want, got, c.name)
			continue
		}
		require.InEpsilon(t, c.want, got, 1e-6, c.name)
	}
}

func TestArgMaxTakesTheLowestOfEquals(t *testing.T) {
	i, err := ArgMax([]float32{1, 5, 5, 2})
	require.NoError(t, err)
	require.Equal(t, 1, i)
	_, err = ArgMax(nil)
	require.Error(t, err)
}

func TestNaNIsATypedError(t *testing.T) {
	nan := float32(math.NaN())
	for _, row := range [][]float32{{nan}, {1, nan}, {nan, 1}, {1, 2, nan, 3}} {
		_, err := ArgMax(row)
		require.ErrorIs(t, err, ErrNaN)
		_, err = LogSumExp(row)
		require.ErrorIs(t, err, ErrNaN)
		_, err = TopK(nil, row, 2)
		require.ErrorIs(t, err, ErrNaN)
	}
}
