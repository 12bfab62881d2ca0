package llama_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	llama "axon/cgo"
)

func randomLogits(n int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	row := make([]float32, n)
	for i := range row {
		row[i] = float32(3 * r.NormFloat64())
	}
	return row
}

// ranked is what a chain leaves of a row, at most n candidates.
func ranked(t *testing.T, row []float32, n int, steps ...llama.Step) []llama.Candidate {
	t.Helper()
	r, err := llama.NewRanking(steps...)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Apply(row))
	top, err := r.Top(n)
	require.NoError(t, err)
	return top
}

func TestRankingSortsTheLargest(t *testing.T) {
	row := randomLogits(5000)
	sorted := slices.Clone(row)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	for _, k := range []int{1, 128, 129, 4096} { // either side of its change of method
		top := ranked(t, row, 5000, llama.Step(k))
		require.Len(t, top, k)
		for i, c := range top {
			require.Equal(t, sorted[i], c.Logit)
			require.Equal(t, row[c.Token], c.Logit)
			require.Zero(t, c.P)
		}
	}
}

// The probabilities of the whole row, whether it was sorted before or after.
func TestRankingHasProbabilitiesOfTheWholeRow(t *testing.T) {
	row := randomLogits(5000)
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v))
	}
	after, before := ranked(t, row, 300, llama.Softmax, 300), ranked(t, row, 300, 5000, llama.Softmax)
	require.Equal(t, after, before)
	for _, c := range after {
		require.InEpsilon(t, math.Exp(float64(c.Logit))/sum, c.P, 1e-5)
	}
	part := ranked(t, row, 300, 300, llama.Softmax)
	require.Greater(t, part[0].P, after[0].P, "of the 300 alone")
}

func TestRankingRefuses(t *testing.T) {
	_, err := llama.NewRanking()
	require.ErrorIs(t, err, llama.ErrOption)
	_, err = llama.NewRanking(-1)
	require.ErrorIs(t, err, llama.ErrOption)
	before := llama.Live()
	r, err := llama.NewRanking(1)
	require.NoError(t, err)
	require.Error(t, r.Apply(nil))
	top, err := r.Top(0)
	require.NoError(t, err)
	require.Empty(t, top)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Apply([]float32{1}), llama.ErrClosed)
	_, err = r.Top(1)
	require.ErrorIs(t, err, llama.ErrClosed)
	require.Equal(t, before, llama.Live())
}

// BenchmarkRanking compares the ways to the probabilities of a whole row and
// its k largest entries: axon bench kernels takes the fastest.
func BenchmarkRanking(b *testing.B) {
	row := randomLogits(50257)
	for _, c := range []struct {
		name  string
		steps []llama.Step
	}{
		{"dist,top_k=512", []llama.Step{llama.Softmax, 512}},
		{"top_k=V,dist", []llama.Step{50257, llama.Softmax}},
		{"top_k=512", []llama.Step{512}},
		{"top_k=512,dist", []llama.Step{512, llama.Softmax}},
		{"dist", []llama.Step{llama.Softmax}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := llama.NewRanking(c.steps...)
			require.NoError(b, err)
			defer r.Close()
			b.SetBytes(int64(4 * len(row)))
			for b.Loop() {
				if err := r.Apply(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
