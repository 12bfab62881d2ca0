package validator

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALawIsFoundAgain(t *testing.T) {
	var servers []Sized
	for _, n := range []float64{1e6, 3e6, 1e8, 7e10} {
		servers = append(servers, Sized{Params: n, Loss: math.Pow(lawParams/n, lawExponent), Error: 0.01})
	}
	law, err := FitLaw(servers)
	require.NoError(t, err)
	require.InDelta(t, lawExponent, law.Alpha, 1e-9)
	require.InDelta(t, math.Log(lawParams), law.LogNc, 1e-6)
	require.InDelta(t, math.Pow(lawParams/1e9, lawExponent), law.Loss(1e9), 1e-9)
}

// The intervals hold what they say they hold.
func TestIntervalsOfALaw(t *testing.T) {
	r := random(t)
	const runs = 3000
	alpha, band := 0, 0
	for range runs {
		var servers []Sized
		for _, n := range []float64{1e6, 3e6, 1e7, 4e7, 1e8} {
			loss := math.Pow(lawParams/n, lawExponent)
			e := 0.01 * loss * (1 + r.Float64())
			servers = append(servers, Sized{Params: n, Loss: loss + e*r.NormFloat64(), Error: e})
		}
		law, err := FitLaw(servers)
		require.NoError(t, err)
		if low, high := law.AlphaInterval(); low <= lawExponent && lawExponent <= high {
			alpha++
		}
		if low, high := law.Band(2e7); low <= math.Pow(lawParams/2e7, lawExponent) && math.Pow(lawParams/2e7, lawExponent) <= high {
			band++
		}
	}
	require.InDelta(t, 0.96, float64(alpha)/runs, 0.025)
	require.InDelta(t, 0.96, float64(band)/runs, 0.025)
}

func TestWhatHasNoLaw(t *testing.T) {
	_, err := FitLaw([]Sized{{Params: 1, Loss: 3}, {Params: 2, Loss: 2}, {Params: 2, Loss: 2}})
	require.ErrorIs(t, err, ErrRules)
	for _, bad := range []Sized{{Params: 0, Loss: 1}, {Params: 1, Loss: math.NaN()}, {Params: math.Inf(1), Loss: 1}, {Params: 3, Loss: -1}} {
		_, err := FitLaw([]Sized{{Params: 1, Loss: 3}, {Params: 2, Loss: 2}, {Params: 3, Loss: 1}, bad})
		require.ErrorIs(t, err, ErrRules)
	}
	law, err := FitLaw([]Sized{{Params: 1e6, Loss: 5}, {Params: 1e7, Loss: 4.2}, {Params: 1e8, Loss: 3.5}}) // without errors
	require.NoError(t, err)
	low, high := law.Band(1e7)
	require.Less(t, low, 4.2)
	require.Greater(t, high, 4.2)
}
