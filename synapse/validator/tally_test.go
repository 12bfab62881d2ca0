package validator

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// manyRuns leaves out what takes thousands of runs to see, and no second goroutine.
func manyRuns(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("thousands of runs")
	}
}

// round is one in which a server lost this.
func round(losses ...float64) Stats {
	s := newStats(Next, 1)
	s.Answered, s.Losses, s.Worth.Loss = true, losses, mean(losses)
	return s
}

// scatter is the variance of values.
func scatter(values []float64) float64 {
	m, squares := mean(values), 0.0
	for _, v := range values {
		squares += (v - m) * (v - m)
	}
	return squares / float64(len(values)-1)
}

func TestTheErrorOfAPlainMeanIsTheUsualOne(t *testing.T) {
	r := random(t)
	a := NewAverage(Next, 1)
	var means []float64
	for range 50 {
		s := round(3+r.ExpFloat64(), 3+r.ExpFloat64(), 3+2*r.Float64())
		means = append(means, s.Worth.Loss)
		a.Update(s, Rules{Proper: true, Alpha: 1e-3})
	}
	m := mean(means)
	require.InDelta(t, m, a.Tally.Mean, 1e-12)
	require.InDelta(t, m, a.Worth.Loss, 1e-12)
	require.Equal(t, 50, a.Tally.Rounds)
	require.InDelta(t, math.Sqrt(scatter(means)/50), a.Tally.Error(), 1e-12)
	low, high := a.Tally.ParamsInterval()
	require.InDelta(t, EffectiveParams(m+1.959964*a.Tally.Error()), low, 1)
	require.Less(t, low, EffectiveParams(m))
	require.Greater(t, high, EffectiveParams(m))
	require.True(t, math.IsNaN(Tally{Rounds: 1}.Error()))
}

// The error of an average is how much it moves: the scatter of many such averages, also
// where a server is silent in some rounds, about all of their texts.
func TestTheErrorOfAnAverageIsItsScatter(t *testing.T) {
	manyRuns(t)
	r := random(t)
	for _, rules := range []Rules{{Alpha: 0.1}, {Proper: true, Alpha: 0.01}} {
		for _, silent := range []float64{0, 0.1} {
			const runs = 1000
			var means []float64
			told := 0.0
			for range runs {
				a := NewAverage(Next, 1)
				for range 120 {
					s := round(r.ExpFloat64(), r.ExpFloat64(), r.ExpFloat64(), r.ExpFloat64())
					if r.Float64() < silent {
						s = round(10.8, 10.8, 10.8, 10.8)
					}
					a.Update(s, rules)
				}
				means = append(means, a.Tally.Mean)
				told += a.Tally.Error() * a.Tally.Error() / runs
			}
			require.InEpsilon(t, scatter(means), told, 0.25, "alpha %v, silent %v", rules.Alpha, silent)
		}
	}
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
	rules := Rules{Proper: true, Alpha: 0.001}
	list := rules.Neighbours([]int{1, 2, 3}, slices.Values(rounds))
	require.Len(t, list, 2)
	require.Equal(t, 1, list[0].Better)
	require.Equal(t, 2, list[0].Worse)
	require.InDelta(t, 0.1, list[0].Mean, 0.02)
	require.InEpsilon(t, 0.025/math.Sqrt(float64(list[0].Rounds)), list[0].Error, 0.4)
	require.Less(t, list[0].Rounds, 100)
	require.True(t, list[0].Differs(0.999))
	require.False(t, list[1].Differs(0.9999), "two that are alike")
	require.Empty(t, rules.Neighbours([]int{1}, slices.Values(rounds)))
	require.Empty(t, rules.Neighbours(nil, slices.Values(rounds)))
	few := rules.Neighbours([]int{1, 2}, slices.Values(rounds[:20]))
	require.False(t, few[0].Differs(0.95), "after 20 rounds nobody knows")
}

// Of servers that are alike, one in twenty pairs may be called different at 95 %, also
// where they are silent now and then.
func TestAlikeServersAreSeldomCalledDifferent(t *testing.T) {
	manyRuns(t)
	r := random(t)
	for _, silent := range []float64{0, 0.01, 0.1} {
		wrong := 0
		const runs = 2000
		for range runs {
			var rounds []Losses
			sums := [2]float64{}
			for range 120 {
				round := Losses{}
				for range 4 {
					hard := r.ExpFloat64()
					for uid := range 2 {
						round[uid] = append(round[uid], hard+r.NormFloat64())
					}
				}
				for uid := range 2 {
					if r.Float64() < silent {
						round[uid] = []float64{10.8, 10.8, 10.8, 10.8}
					}
					sums[uid] += mean(round[uid])
				}
				rounds = append(rounds, round)
			}
			order := []int{0, 1}
			if sums[0] > sums[1] {
				order = []int{1, 0}
			}
			if (Rules{Proper: true, Alpha: 1e-3}).Neighbours(order, slices.Values(rounds))[0].Differs(0.95) {
				wrong++
			}
		}
		require.Less(t, wrong, runs*75/1000, "silent %v", silent)
	}
}

// By the proper rule newcomers are not worth more than those who are known: neither is
// there anything to gain by luck, nor by beginning anew.
func TestWorthDoesNotDependOnHowLongAServerIsKnown(t *testing.T) {
	manyRuns(t)
	r := random(t)
	rules := Rules{Proper: true, Alpha: 1e-4}
	const runs = 2000
	worth := map[int]float64{}
	for range runs {
		a := NewAverage(Next, 1)
		for n := 1; n <= 100; n++ {
			var losses []float64
			for range 8 {
				losses = append(losses, 0.86+4.5*r.ExpFloat64()) // as those of small models scatter
			}
			a.Update(round(losses...), rules)
			worth[n] += a.Weight / runs
		}
	}
	fair := Power(EffectiveParams(0.86+4.5), 0.5) - Power(EffectiveParams(SilenceLoss), 0.5)
	for _, n := range []int{1, 5, 9} {
		require.Zero(t, worth[n])
	}
	for _, n := range []int{10, 20, 50, 100} {
		require.InEpsilon(t, fair, worth[n], 0.1, "%d rounds", n)
	}
}

func TestRankingPutsUnknownServersLast(t *testing.T) {
	a := Averages{1: NewAverage(Next, 1), 2: NewAverage(Next, 2), 3: NewAverage(Next, 3), 4: NewAverage(Next, 4)}
	a[2].Worth.Loss, a[4].Worth.Loss = 3, 2
	require.Equal(t, []int{4, 2, 1, 3}, a.Ranking())
}
