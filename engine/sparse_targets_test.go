package engine_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/kernels"
)

func TestSparseGivesTheTargetsLogProbabilities(t *testing.T) {
	e := newEngine(t, engine.Options{})
	tokens := tokenize(t, e, prompt)
	targets := append(slices.Clone(tokens[1:]), 0)
	whole := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokens, Fresh: true})
	var mu sync.Mutex
	got := map[int]float32{}
	req := engine.SparseRequest{Tokens: tokens, K: 3, Fresh: true, Targets: targets, Target: func(pos int, l float32) {
		mu.Lock()
		defer mu.Unlock()
		got[pos] = l
	}}
	require.Len(t, sparseRows(t, e, req), len(tokens))
	require.Len(t, got, len(tokens))
	for pos, l := range got {
		h, err := kernels.CrossEntropy(whole[pos], int(targets[pos]))
		require.NoError(t, err)
		require.InDelta(t, -h, l, 1e-5)
	}
}

func TestSparseRefusesBadTargets(t *testing.T) {
	e := newEngine(t, engine.Options{})
	each := func(int, kernels.Sparse) error { return nil }
	take := func(int, float32) {}
	for _, c := range []struct {
		targets []engine.Token
		target  func(int, float32)
		want    error
	}{
		{[]engine.Token{1}, take, engine.ErrRequest},
		{[]engine.Token{1, 2}, nil, engine.ErrRequest},
		{[]engine.Token{1, -1}, take, engine.ErrToken},
		{[]engine.Token{1, 1 << 30}, take, engine.ErrToken},
	} {
		err := e.Sparse(t.Context(), engine.SparseRequest{Tokens: []engine.Token{1, 2}, K: 3, Each: each, Targets: c.targets, Target: c.target})
		require.ErrorIs(t, err, c.want)
	}
}
