package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// sparse is the top k of a row.
func sparse(t *testing.T, row []float32, k int) Sparse {
	t.Helper()
	var s Scratch
	entries, lse, err := Reduce(nil, row, k, ByIndex, &s)
	require.NoError(t, err)
	return Sparse{entries, LogProbs(entries, lse, len(row), &s)}
}

func TestLogProbsAndTheRestHaveAMassOfOne(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, k := range []int{0, 1, 128, 4096, 20000} {
			row := realisticRow(rand.New(rand.NewPCG(4, 4)), 20000)
			lse := logSumExp64(row)
			d := sparse(t, row, k)
			rest := 1.0
			for _, e := range d.Entries {
				require.InDelta(t, float64(row[e.Index])-lse, e.Value, 1e-5)
				rest -= math.Exp(float64(row[e.Index]) - lse)
			}
			require.InDelta(t, rest, math.Exp(float64(d.Rest)), 2e-6, "k %d", k)
			if k == len(row) {
				require.Equal(t, -inf, d.Rest)
			}
		}
	})
}

func TestTheRestIsNoMoreThanItsTokensCouldHave(t *testing.T) {
	row := fill(50000, func(int) float32 { return -40 }) // e^-60 each beside the first
	row[7], row[8] = 20, -20
	d := sparse(t, row, 2)
	require.Less(t, math.Exp(float64(d.Rest)), 50000*math.Exp(-40)*1.001)
}

func TestHellingerEqualsItsDefinition(t *testing.T) {
	const n = 300
	for seed := range uint64(20) {
		p := sparse(t, realisticRow(rand.New(rand.NewPCG(seed, 1)), n), 40)
		q := sparse(t, realisticRow(rand.New(rand.NewPCG(seed, 2)), n), int(seed*15))
		a, b := dense(p, n), dense(q, n)
		overlap := 0.0
		for i := range a {
			overlap += math.Sqrt(a[i] * b[i])
		}
		want := math.Sqrt(max(0, 1-overlap))
		require.InDelta(t, want, Hellinger(p, q, n), 1e-5)
		require.InDelta(t, want, Hellinger(q, p, n), 1e-5)
		require.InDelta(t, 0, Hellinger(p, p, n), 2e-3) // the root of an error of 1e-6
	}
}

func TestHellingerOfWhatHasNothingInCommonIsOne(t *testing.T) {
	p := Sparse{[]Entry{{1, 0}}, -inf}
	q := Sparse{[]Entry{{2, 0}}, -inf}
	require.InDelta(t, 1, Hellinger(p, q, 3), 1e-9)
	require.InDelta(t, 0, Hellinger(p, p, 3), 1e-9)
}

// dense spreads the rest evenly.
func dense(s Sparse, n int) []float64 {
	p := make([]float64, n)
	for i := range p {
		p[i] = math.Exp(float64(s.Rest)) / float64(n-len(s.Entries))
	}
	for _, e := range s.Entries {
		p[e.Index] = math.Exp(float64(e.Value))
	}
	return p
}
