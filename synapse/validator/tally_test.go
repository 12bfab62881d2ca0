package validator

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheErrorOfAPlainMeanIsTheUsualOne(t *testing.T) {
	r := random(t)
	a := NewAverage(Next, 1)
	var all []float64
	for range 50 {
		losses := []float64{3 + r.ExpFloat64(), 3 + r.ExpFloat64(), 3 + 2*r.Float64()}
		all = append(all, losses...)
		s := newStats(Next, 1)
		s.Answered, s.Losses, s.Worth.Loss = true, losses, mean(losses)
		a.Update(s, Rules{Proper: true, Alpha: 1e-3})
	}
	m, squares := mean(all), 0.0
	for _, l := range all {
		squares += (l - m) * (l - m)
	}
	n := float64(len(all))
	require.InDelta(t, m, a.Tally.Mean, 1e-12)
	require.InDelta(t, m, a.Worth.Loss, 1e-12)
	require.Equal(t, 150, a.Tally.Texts)
	require.InDelta(t, math.Sqrt(squares/(n-1)/n), a.Tally.Error(), 1e-12)
	low, high := a.Tally.ParamsInterval()
	require.InDelta(t, EffectiveParams(m+1.959964*a.Tally.Error()), low, 1)
	require.Less(t, low, EffectiveParams(m))
	require.Greater(t, high, EffectiveParams(m))
	require.True(t, math.IsNaN(Tally{Texts: 1}.Error()))
}

// The error of a moving average is how much it moves: the scatter of many such averages.
func TestTheErrorOfAMovingAverageIsItsScatter(t *testing.T) {
	r := random(t)
	const runs = 2000
	var means []float64
	told := 0.0
	for range runs {
		a := NewAverage(Next, 1)
		for range 60 {
			losses := []float64{r.ExpFloat64(), r.ExpFloat64()}
			s := newStats(Next, 1)
			s.Answered, s.Losses, s.Worth.Loss = true, losses, mean(losses)
			a.Update(s, Rules{Alpha: 0.1})
		}
		means = append(means, a.Tally.Mean)
		told += a.Tally.Error() * a.Tally.Error() / runs
	}
	m, squares := mean(means), 0.0
	for _, v := range means {
		squares += (v - m) * (v - m)
	}
	require.InEpsilon(t, squares/(runs-1), told, 0.15)
}

func TestNeighboursAreComparedOnWhatBothLost(t *testing.T) {
	r := random(t)
	var rounds []Losses
	for range 100 {
		round := Losses{1: nil, 2: nil, 3: nil}
		for range 4 {
			hard := 5 * r.ExpFloat64() // for everybody
			round[1] = append(round[1], hard)
			round[2] = append(round[2], hard+0.1+0.05*r.NormFloat64())
			round[3] = append(round[3], hard+0.1+0.05*r.NormFloat64())
		}
		if r.IntN(4) == 0 {
			delete(round, 2)
		}
		rounds = append(rounds, round)
	}
	list := Neighbours([]int{1, 2, 3}, slices.Values(rounds))
	require.Len(t, list, 2)
	require.Equal(t, 1, list[0].Better)
	require.Equal(t, 2, list[0].Worse)
	require.InDelta(t, 0.1, list[0].Mean, 0.02)
	require.InEpsilon(t, 0.05/math.Sqrt(float64(list[0].Texts)), list[0].Error, 0.2)
	require.Less(t, list[0].Texts, 400)
	require.True(t, list[0].Differs(0.999))
	require.False(t, list[1].Differs(0.9999), "two that are alike")
	require.Empty(t, Neighbours([]int{1}, slices.Values(rounds)))
	require.Empty(t, Neighbours(nil, slices.Values(rounds)))
}

// Of servers that are alike, one in twenty pairs may be called different at 95 %.
func TestAlikeServersAreSeldomCalledDifferent(t *testing.T) {
	r := random(t)
	wrong := 0
	const runs = 2000
	for range runs {
		round := Losses{}
		for range 100 {
			hard := r.ExpFloat64()
			round[1] = append(round[1], hard+r.NormFloat64())
			round[2] = append(round[2], hard+r.NormFloat64())
		}
		order := []int{1, 2}
		if mean(round[1]) > mean(round[2]) {
			order = []int{2, 1}
		}
		if Neighbours(order, slices.Values([]Losses{round}))[0].Differs(0.95) {
			wrong++
		}
	}
	require.Less(t, wrong, runs*65/1000)
}

func TestRankingPutsUnknownServersLast(t *testing.T) {
	a := Averages{1: NewAverage(Next, 1), 2: NewAverage(Next, 2), 3: NewAverage(Next, 3), 4: NewAverage(Next, 4)}
	a[2].Worth.Loss, a[4].Worth.Loss = 3, 2
	require.Equal(t, []int{4, 2, 1, 3}, a.Ranking())
}
