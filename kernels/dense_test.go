package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSoftmaxAndItsLogarithm(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, n := range []int{1, 9, 1000, 50257} {
			row := realisticRow(rand.New(rand.NewPCG(2, uint64(n))), n)
			row[n/2] = -inf
			row[0] = 3.7
			lse := logSumExp64(row)
			p, logs := make([]float32, n), make([]float32, n)
			require.NoError(t, Softmax(p, row))
			require.NoError(t, LogSoftmax(logs, row))
			sum := 0.0
			for i, v := range row {
				want := math.Exp(float64(v) - lse)
				require.InDelta(t, want, p[i], 2e-6*want+1e-37)
				sum += float64(p[i])
				if v == -inf {
					require.Equal(t, -inf, logs[i])
					continue
				}
				require.InDelta(t, float64(v)-lse, logs[i], 1e-5)
			}
			require.InDelta(t, 1, sum, 2e-6)
			require.NoError(t, Softmax(row, row))
			require.Equal(t, p, row, "in place")
		}
	})
}

func TestCrossEntropy(t *testing.T) {
	row := []float32{1, 2, -inf, 3}
	h, err := CrossEntropy(row, 1)
	require.NoError(t, err)
	require.InDelta(t, math.Log(math.Exp(1)+math.Exp(2)+math.Exp(3))-2, h, 1e-6)
	h, err = CrossEntropy(row, 2)
	require.NoError(t, err)
	require.True(t, math.IsInf(h, 1))
	for _, target := range []int{-1, 4} {
		_, err = CrossEntropy(row, target)
		require.ErrorIs(t, err, ErrIndex)
	}
}

func TestRowsThatAreNoDistribution(t *testing.T) {
	for _, row := range [][]float32{{-inf, -inf}, {1, inf}, {}} {
		require.ErrorIs(t, Softmax(make([]float32, len(row)), row), ErrNotFinite)
		require.ErrorIs(t, LogSoftmax(make([]float32, len(row)), row), ErrNotFinite)
	}
	_, err := CrossEntropy([]float32{inf}, 0)
	require.ErrorIs(t, err, ErrNotFinite)
}
