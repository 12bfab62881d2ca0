package kernels

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRowsOfABatchAreTheSameOnAnyNumberOfThreads(t *testing.T) {
	const n, rows = 5000, 7
	logits := realisticRow(rand.New(rand.NewPCG(1, 1)), n*rows)
	for _, threads := range []int{1, 2, 3, 20} {
		out := make([]Reduction, rows)
		require.NoError(t, ReduceRows(out, logits, 10, Descending, make([]Scratch, threads)))
		for i, r := range out {
			row := logits[i*n : (i+1)*n]
			requireSame(t, largest(row, 10, Descending), r.Entries, "row")
			require.InDelta(t, logSumExp64(row), r.LogSumExp, 1e-5)
		}
	}
}

func TestRowsOfABatchNameTheRowWithANaN(t *testing.T) {
	logits := make([]float32, 40)
	logits[25] = float32(math.NaN())
	err := ReduceRows(make([]Reduction, 4), logits, 2, ByIndex, make([]Scratch, 2))
	require.ErrorIs(t, err, ErrNaN)
	require.ErrorContains(t, err, "row 2")
	require.Error(t, ReduceRows(make([]Reduction, 3), logits, 2, ByIndex, make([]Scratch, 1)))
	require.Error(t, ReduceRows(make([]Reduction, 4), logits, 2, ByIndex, nil))
	require.NoError(t, ReduceRows(nil, nil, 2, ByIndex, nil))
}
