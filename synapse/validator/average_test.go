package validator

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// answered is a round in which a server lost this much.
func answered(uid int, loss float64) Stats {
	s := newStats(Next, uid)
	s.Answered, s.ResponseTime, s.Worth.Loss, s.Worth.Synergy, s.Excess = true, 0.5, loss, 0, 0
	return s
}

func silent(uid int) Stats {
	s := newStats(Next, uid)
	s.ResponseTime = 12
	return s
}

func TestWeightApproachesTheScoreAndDecaysWithSilence(t *testing.T) {
	averages := Averages{}
	score := Power(EffectiveParams(3), 0.5)
	for range 100 {
		require.Equal(t, []int{7}, averages.Update([]Stats{answered(7, 3)}, Rules{}))
	}
	require.InEpsilon(t, score*(1-math.Pow(0.9, 100)), averages[7].Weight, 1e-9)
	require.InEpsilon(t, score, averages[7].Score, 1e-9)

	for range 20 {
		require.Empty(t, averages.Update([]Stats{silent(7)}, Rules{}))
	}
	require.InEpsilon(t, score*(1-math.Pow(0.9, 100))*math.Pow(0.9, 20), averages[7].Weight, 1e-9)
	require.InEpsilon(t, score, averages[7].Score, 1e-9) // what it is worth when it answers
	require.InEpsilon(t, 3, averages[7].Worth.Loss, 1e-9)
	require.Equal(t, 120, averages[7].Rounds)
	require.Equal(t, 100, averages[7].Scored)
	require.False(t, averages[7].Answered)
}

// The score comes from the averaged loss: losing 2 and 4 in turns is worth what losing
// about 3 is, not the mean of what 2 and 4 are.
func TestScoreIsThatOfTheAveragedLoss(t *testing.T) {
	averages := Averages{}
	for i := range 400 {
		averages.Update([]Stats{answered(1, 2+2*float64(i%2)), answered(2, 3)}, Rules{})
	}
	between := (Power(EffectiveParams(2), 0.5) + Power(EffectiveParams(4), 0.5)) / 2
	require.InEpsilon(t, averages[2].Weight, averages[1].Weight, 0.3)
	require.Less(t, averages[1].Weight, between/2)
}

func TestPenaltyDividesTheScore(t *testing.T) {
	fair, far := NewAverage(Next, 1), NewAverage(Next, 2)
	s := answered(2, 3)
	s.Excess = 10
	fair.Update(answered(1, 3), Rules{Penalty: 0.1})
	far.Update(s, Rules{Penalty: 0.1})
	require.InEpsilon(t, fair.Weight/2, far.Weight, 1e-9)
}

func TestUnknownExcessIsNoPenalty(t *testing.T) {
	a, s := NewAverage(Next, 1), answered(1, 3)
	s.Excess = nan
	require.True(t, a.Update(s, Rules{Penalty: 5}))
	require.InEpsilon(t, 0.1*Power(EffectiveParams(3), 0.5), a.Weight, 1e-9)
}

func TestAlphaOneRemembersNothing(t *testing.T) {
	a := NewAverage(Next, 1)
	for _, loss := range []float64{2, 5, 3} {
		a.Update(answered(1, loss), Rules{Alpha: 1})
	}
	require.Equal(t, Power(EffectiveParams(3), 0.5), a.Weight)
	a.Update(silent(1), Rules{Alpha: 1})
	require.Zero(t, a.Weight)
}
