package engine_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/kernels"
)

func TestSparseIsTheTopOfTheDistributions(t *testing.T) {
	e := newEngine(t, engine.Options{})
	tokens := tokenize(t, e, prompt)
	whole := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokens, Fresh: true})
	for _, k := range []int{0, 1, 50, 1 << 20} {
		got := sparseRows(t, e, engine.SparseRequest{Tokens: tokens, K: k, Fresh: true})
		require.Len(t, got, len(tokens))
		for pos, d := range got {
			row := whole[pos]
			require.Len(t, d.Entries, min(k, len(row)))
			requireTop(t, row, d)
		}
	}
}

// requireTop checks a distribution against the row it came from.
func requireTop(t *testing.T, row []float32, d kernels.Sparse) {
	t.Helper()
	lse, err := kernels.LogSumExp(row)
	require.NoError(t, err)
	left := slices.Clone(row)
	mass, least := math.Exp(float64(d.Rest)), math.Inf(1)
	for i, entry := range d.Entries {
		require.True(t, i == 0 || d.Entries[i-1].Index < entry.Index)
		require.InDelta(t, float64(row[entry.Index])-lse, entry.Value, 1e-5)
		mass += math.Exp(float64(entry.Value))
		least = min(least, float64(row[entry.Index]))
		left[entry.Index] = float32(math.Inf(-1))
	}
	require.InDelta(t, 1, mass, 1e-5)
	require.LessOrEqual(t, float64(slices.Max(left)), least)
}

// sparseRows collects copies, by position.
func sparseRows(t *testing.T, e *engine.Engine, req engine.SparseRequest) map[int]kernels.Sparse {
	t.Helper()
	var mu sync.Mutex
	out := map[int]kernels.Sparse{}
	req.Each = func(pos int, d kernels.Sparse) error {
		mu.Lock()
		defer mu.Unlock()
		out[pos] = kernels.Sparse{Entries: slices.Clone(d.Entries), Rest: d.Rest}
		return nil
	}
	require.NoError(t, e.Sparse(context.Background(), req))
	return out
}

func TestSparseRefusesAndPassesErrorsOn(t *testing.T) {
	e := newEngine(t, engine.Options{})
	tokens := tokenize(t, e, prompt)
	none := func(int, kernels.Sparse) error { return nil }
	require.ErrorIs(t, e.Sparse(context.Background(), engine.SparseRequest{Tokens: tokens, K: -1, Each: none}), engine.ErrRequest)
	require.ErrorIs(t, e.Sparse(context.Background(), engine.SparseRequest{Tokens: tokens, K: 1}), engine.ErrRequest)
	require.ErrorIs(t, e.Sparse(context.Background(), engine.SparseRequest{K: 1, Each: none}), engine.ErrRequest)
	full := errors.New("the disk is full")
	err := e.Sparse(context.Background(), engine.SparseRequest{Tokens: tokens, K: 1, Each: func(int, kernels.Sparse) error { return full }})
	require.ErrorIs(t, err, full)
}
