package bench

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// entropy and spread are those of a row's distribution, and of its values.
func entropyAndSpread(row []float32) (entropy, spread float64) {
	lse := naiveLogSumExp(row)
	sum, squares := 0.0, 0.0
	for _, v := range row {
		p := math.Exp(float64(v) - lse)
		entropy -= p * (float64(v) - lse)
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(row))
	return entropy, math.Sqrt(squares/n - sum/n*sum/n)
}

func TestRealisticRowsAreAsDescribed(t *testing.T) {
	for _, vocab := range []int{32000, 50257, 256000} {
		entropies := 0.0
		rows := SyntheticRows(Realistic, vocab, 16, 1)
		for _, row := range rows {
			require.Len(t, row, vocab)
			entropy, spread := entropyAndSpread(row)
			require.InDelta(t, 2.24, spread, 0.4)
			require.True(t, entropy > 0.5 && entropy < 7, "entropy %v", entropy)
			entropies += entropy
		}
		require.InDelta(t, 3.5, entropies/float64(len(rows)), 0.7)
	}
}

func TestTheSeedMakesTheRows(t *testing.T) {
	for _, kind := range Kinds {
		a := SyntheticRows(kind, 3000, 2, 1)
		require.Equal(t, a, SyntheticRows(kind, 3000, 2, 1))
		if kind != Constant {
			require.NotEqual(t, a[0], a[1], kind)
			require.NotEqual(t, a, SyntheticRows(kind, 3000, 2, 2), kind)
		}
	}
}

func TestKindsAreWhatTheyAreCalled(t *testing.T) {
	row := func(k Kind) []float32 { return SyntheticRows(k, 32000, 1, 1)[0] }
	require.True(t, slices.IsSorted(row(Ascending)))
	up := row(Descending)
	slices.Reverse(up)
	require.True(t, slices.IsSorted(up))
	count := map[float32]int{}
	for _, v := range row(TwoValued) {
		count[v]++
	}
	require.Len(t, count, 2)
	require.InDelta(t, 16000, count[0], 1000)
	require.Equal(t, slices.Min(row(Constant)), slices.Max(row(Constant)))
	for _, c := range []struct {
		kind Kind
		by   float32
		n    int
	}{{Misled, 20, 2048}, {MisledMore, 20, 4096}, {MisledLow, -20, 2048}} {
		plain, shifted := row(Realistic), row(c.kind)
		n := 0
		for i := range plain {
			if plain[i] != shifted[i] {
				require.InDelta(t, plain[i]+c.by, shifted[i], 1e-5)
				n++
			}
		}
		require.Equal(t, c.n, n, c.kind)
	}
}

func TestParseKinds(t *testing.T) {
	all, err := ParseKinds([]string{"all"})
	require.NoError(t, err)
	require.Equal(t, Kinds, all)
	two, err := ParseKinds([]string{"constant", "misled"})
	require.NoError(t, err)
	require.Equal(t, []Kind{Constant, Misled}, two)
	_, err = ParseKinds([]string{"nonsense"})
	require.ErrorContains(t, err, "must be all, realistic")
}
