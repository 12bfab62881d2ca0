package engine_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
)

const batch = 32

// longText is a prompt of n tokens that starts like no other.
func longText(n, seed int) []engine.Token {
	tokens := make([]engine.Token, n)
	for i := range tokens {
		tokens[i] = engine.Token(300 + (i*7+seed*13)%500)
	}
	return tokens
}

// last asks for the distribution after the last token, and started for a sign
// that the first row has come.
func last(t testing.TB, e *engine.Engine, tokens []engine.Token, each func(int, []float32) error) {
	t.Helper()
	require.NoError(t, e.Distributions(context.Background(), engine.RowsRequest{
		Tokens: tokens, Positions: []int{len(tokens) - 1}, Each: each, Fresh: true,
	}))
}

func nothing(int, []float32) error { return nil }

func TestAShortRequestWaitsForOneBatchBehindLongOnes(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 4096, Batch: batch, Sequences: 8})
	var wg sync.WaitGroup
	underWay := make(chan struct{})
	var once sync.Once
	var before, after int64
	for i := range 4 {
		wg.Go(func() {
			require.NoError(t, e.Distributions(context.Background(), engine.RowsRequest{
				Tokens: longText(500, i), Fresh: true,
				Each: func(int, []float32) error { once.Do(func() { close(underWay) }); return nil },
			}))
		})
	}
	<-underWay
	before = e.Stats().Steps
	last(t, e, longText(batch/2, 9), nothing)
	after = e.Stats().Steps
	wg.Wait()
	// One batch that had begun, perhaps one that was being filled, and its own.
	require.LessOrEqual(t, after-before, int64(3))
}

func TestALongRequestEndsThoughShortOnesKeepComing(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 4096, Batch: batch, Sequences: 8})
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				last(t, e, longText(batch-2, i), nothing)
			}
		})
	}
	const long = 512
	var mu sync.Mutex
	var at []int64 // batches so far, at the text's first and last token: short ones go on before and after
	err := e.Distributions(ctx, engine.RowsRequest{Tokens: longText(long, 9), Positions: []int{0, long - 1}, Fresh: true, Each: func(int, []float32) error {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, e.Stats().Steps)
		return nil
	}})
	stop()
	wg.Wait()
	require.NoError(t, err)
	require.Len(t, at, 2)
	require.LessOrEqual(t, at[1]-at[0], int64(long/(batch/2)+2), "batches, half of each its own")
}

func TestLogitsAndHiddenStatesShareAPass(t *testing.T) {
	e := newEngine(t, engine.Options{})
	tokens := longText(40, 1)
	logits := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokens, Fresh: true})
	states := rows(t, e.Hidden, engine.RowsRequest{Tokens: tokens, Fresh: true})
	before := e.Stats()
	var mu sync.Mutex
	seen := 0
	both := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokens, Fresh: true, State: func(pos int, state []float32) error {
		mu.Lock()
		defer mu.Unlock()
		seen++
		require.LessOrEqual(t, maxDiff(states[pos], state), 1e-4, "position %d", pos)
		return nil
	}})
	require.Equal(t, int64(len(tokens)), e.Stats().Tokens-before.Tokens)
	require.Equal(t, len(tokens), seen)
	for pos := range tokens {
		require.LessOrEqual(t, maxDiff(logits[pos], both[pos]), 1e-2, "position %d", pos)
	}
}

func TestASequenceCanBeShorterThanTheContext(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 512, Sequence: 100})
	require.Equal(t, 100, e.Limits().Sequence)
	last(t, e, longText(100, 1), nothing)
	err := e.Distributions(context.Background(), engine.RowsRequest{Tokens: longText(101, 1), Each: nothing})
	require.ErrorIs(t, err, engine.ErrTooLong)
	require.ErrorContains(t, err, "101 tokens exceed the context of 100")
}
