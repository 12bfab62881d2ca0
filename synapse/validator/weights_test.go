package validator

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWeightsAreSharesWithALimit(t *testing.T) {
	r := random(t)
	for range 300 {
		rules := WeightRules{Least: r.IntN(20), Most: 0.05 + 0.9*r.Float64(), Quantile: r.Float64()}
		values := map[int]float64{}
		for uid := range 1 + r.IntN(60) {
			values[uid] = math.Exp(2 * r.NormFloat64())
		}
		got, err := rules.Weights(values)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(got), min(rules.Least, len(values)))
		require.NotEmpty(t, got)
		sum := 0.0
		for i, w := range got {
			sum += float64(w.Value)
			if float64(len(got))*rules.Most > 1 {
				require.LessOrEqual(t, float64(w.Value), rules.Most+1e-6)
			}
			if i > 0 {
				require.Less(t, got[i-1].UID, w.UID)
			}
			for _, other := range got { // who is worth more has no less
				if values[w.UID] > values[other.UID] {
					require.GreaterOrEqual(t, w.Value, other.Value)
				}
			}
		}
		require.InDelta(t, 1, sum, 1e-5)
		kept := map[int]bool{}
		for _, w := range got {
			kept[w.UID] = true
		}
		for uid, v := range values { // those left out are worth less than those kept
			for other := range kept {
				require.True(t, kept[uid] || v <= values[other])
			}
		}
	}
}

func TestWeightsLeaveOutWhatIsNone(t *testing.T) {
	got, err := WeightRules{}.Weights(map[int]float64{1: 0, 2: -1, 3: nan, 4: math.Inf(1), 5: 2})
	require.NoError(t, err)
	require.Equal(t, []Weight{{5, 1}}, got)
}

func TestEmittedWeightsNeverExceedTheWhole(t *testing.T) {
	r := random(t)
	for range 300 {
		weights := make([]Weight, 1+r.IntN(300))
		for i := range weights {
			weights[i] = Weight{i, float32(math.Exp(3 * r.NormFloat64()))}
		}
		emitted, err := Emit(weights)
		require.NoError(t, err)
		sum := 0
		for _, e := range emitted {
			require.NotZero(t, e.Value)
			sum += int(e.Value)
		}
		require.LessOrEqual(t, sum, math.MaxUint16)
		require.Greater(t, sum, math.MaxUint16-2*len(weights))
	}
}

func TestEmitRefusesWhatAChainDoes(t *testing.T) {
	for _, w := range []Weight{{1, -0.5}, {-1, 0.5}, {1, float32(nan)}, {1, float32(math.Inf(1))}} {
		_, err := Emit([]Weight{{0, 1}, w})
		require.ErrorIs(t, err, ErrWeight)
	}
	none, err := Emit(nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestWeightRulesSayAllThatIsWrong(t *testing.T) {
	err := WeightRules{Least: -1, Most: nan, Quantile: 1.5}.Validate()
	require.ErrorIs(t, err, ErrRules)
	for _, what := range []string{"-1", "NaN", "1.5"} {
		require.ErrorContains(t, err, what)
	}
	_, err = WeightRules{Most: 2}.Weights(nil)
	require.ErrorIs(t, err, ErrRules)
}
