package validator

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Products of probabilities are never so small that their logarithm is lost.
func TestTogetherOfWhatNobodyExpected(t *testing.T) {
	for n := 1; n < 100; n++ {
		never := make([]float64, n)
		require.InDelta(t, -math.Log(1e-40), together(never, never), 1e-9)
	}
}

func TestTogetherIsTheMeanLossOfTheMean(t *testing.T) {
	r := random(t)
	for n := 1; n < 40; n++ {
		a, b, want := make([]float64, n), make([]float64, n), 0.0
		for i := range a {
			a[i], b[i] = math.Exp(-9*r.ExpFloat64()), math.Exp(-9*r.ExpFloat64())
			want -= math.Log((a[i]+b[i])/2+1e-40) / float64(n)
		}
		require.InDelta(t, want, together(a, b), 1e-9)
	}
}

func TestExcessIsCubedDeviations(t *testing.T) {
	limit, deviation := spread([]float64{0.1, 0.2, 0.3, 0.4})
	require.InDelta(t, math.Sqrt(0.05/3), deviation, 1e-12) // with n − 1
	require.InDelta(t, 0.25+deviation, limit, 1e-12)
	require.InDelta(t, 8, excess(2*deviation, deviation), 1e-6)
	require.InDelta(t, 0.125, excess(deviation/2, deviation), 1e-6)
	require.Equal(t, 10.0, excess(3*deviation, deviation))
	require.Zero(t, excess(-deviation, deviation))
	_, alone := spread([]float64{0.3})
	require.True(t, math.IsNaN(alone) && math.IsNaN(excess(0, alone)))
}
