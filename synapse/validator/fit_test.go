package validator

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func lawful(sizes ...float64) []Sized {
	var servers []Sized
	for _, n := range sizes {
		servers = append(servers, Sized{Params: n, Loss: math.Pow(lawParams/n, lawExponent)})
	}
	return servers
}

func TestALawIsFoundAgain(t *testing.T) {
	law, err := FitLaw(lawful(1e6, 3e6, 1e8, 7e10), nil)
	require.NoError(t, err)
	require.InDelta(t, lawExponent, law.Alpha, 1e-9)
	require.InDelta(t, math.Log(lawParams), law.LogNc, 1e-6)
	require.InDelta(t, math.Pow(lawParams/1e9, lawExponent), law.Loss(1e9), 1e-9)
	low, high := law.Band(1e9)
	require.InDelta(t, law.Loss(1e9), low, 1e-6)
	require.InDelta(t, law.Loss(1e9), high, 1e-6)
}

// The intervals hold what they say at least as often as they say it, where most of the
// error is common to the servers, since they were asked about the same texts.
func TestIntervalsOfALaw(t *testing.T) {
	manyRuns(t)
	r := random(t)
	for _, sizes := range [][]float64{{1e6, 3e6, 1e7}, {7e4, 2e5, 8e5, 3e6}, {1e6, 3e6, 1e7, 4e7, 1e8, 1e9}} {
		const runs = 1000
		alpha, band := 0, 0
		for range runs {
			servers := lawful(sizes...)
			var uids []int
			for i := range servers {
				uids = append(uids, i)
			}
			var rounds []Losses
			sums := make([]float64, len(servers))
			for range 60 {
				round, hard := Losses{}, 0.3*r.NormFloat64()
				for i, s := range servers {
					l := s.Loss + hard + 0.07*r.NormFloat64()
					round[i] = []float64{l}
					sums[i] += l
				}
				rounds = append(rounds, round)
			}
			for i := range servers {
				servers[i].Loss = sums[i] / 60
			}
			law, err := FitLaw(servers, Covariance(uids, slices.Values(rounds)))
			require.NoError(t, err)
			if low, high := law.AlphaInterval(); low <= lawExponent && lawExponent <= high {
				alpha++
			}
			truth := math.Pow(lawParams/2e6, lawExponent)
			if low, high := law.Band(2e6); low <= truth && truth <= high {
				band++
			}
		}
		require.Greater(t, float64(alpha)/runs, 0.93, "α of %d", len(sizes))
		require.Greater(t, float64(band)/runs, 0.93, "band of %d", len(sizes))
	}
}

func TestCovarianceOfMeans(t *testing.T) {
	rounds := []Losses{{1: {1, 3}, 2: {5}}, {1: {4}}, {1: {4}, 2: {6}}, {1: {6}, 2: {10}}}
	c := Covariance([]int{1, 2}, slices.Values(rounds))
	require.InDeltaSlice(t, []float64{4.0 / 3, 5.0 / 3}, c[0], 1e-12) // of (2, 4, 6) and (5, 6, 10), a third
	require.InDeltaSlice(t, []float64{5.0 / 3, 7.0 / 3}, c[1], 1e-12)
	require.Nil(t, Covariance([]int{1, 2}, slices.Values(rounds[:2])))
}

func TestStudentsT(t *testing.T) {
	for degrees, want := range map[int]float64{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 10: 2.228, 100: 1.984} {
		require.InEpsilon(t, want, student95(degrees), 0.005, "%d", degrees)
	}
}

func TestWhatHasNoLaw(t *testing.T) {
	_, err := FitLaw([]Sized{{Params: 1, Loss: 3}, {Params: 2, Loss: 2}, {Params: 2, Loss: 2}}, nil)
	require.ErrorIs(t, err, ErrRules)
	for _, bad := range []Sized{{Params: 0, Loss: 1}, {Params: 1, Loss: math.NaN()}, {Params: math.Inf(1), Loss: 1}, {Params: 3, Loss: -1}} {
		_, err := FitLaw(append(lawful(1, 2, 3), bad), nil)
		require.ErrorIs(t, err, ErrRules)
	}
}
