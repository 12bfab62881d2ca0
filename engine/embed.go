package engine

import (
	"context"
	"fmt"
	"math"
	"sync"
)

// Pooling says how the hidden states of a text become one vector.
type Pooling string

// The ways of pooling.
const (
	PoolMean Pooling = "mean" // the mean over all tokens
	PoolLast Pooling = "last" // that of the last token
	PoolCLS  Pooling = "cls"  // that of the first token
)

// Embed gives one vector for a sequence of tokens, EmbeddingOut wide; with
// normalise its Euclidean length is 1.
func (e *Engine) Embed(ctx context.Context, tokens []Token, pooling Pooling, normalise bool) ([]float32, error) {
	req := RowsRequest{Tokens: tokens}
	switch pooling {
	case PoolMean:
	case PoolLast:
		req.Positions = []int{len(tokens) - 1}
	case PoolCLS:
		req.Positions = []int{0}
	default:
		return nil, fmt.Errorf("%w: pooling %q: must be mean, last or cls", ErrRequest, pooling)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%w: no tokens to embed", ErrRequest)
	}
	var mu sync.Mutex
	sum := make([]float64, e.model.Info().EmbeddingOut)
	req.Each = func(_ int, row []float32) error {
		mu.Lock()
		defer mu.Unlock()
		for i, v := range row {
			sum[i] += float64(v)
		}
		return nil
	}
	if err := e.Hidden(ctx, req); err != nil {
		return nil, err
	}
	scale := 1.0
	if pooling == PoolMean {
		scale = 1 / float64(len(tokens))
	}
	if normalise {
		scale = inverseLength(sum)
	}
	out := make([]float32, len(sum))
	for i, v := range sum {
		out[i] = float32(v * scale)
	}
	return out, nil
}

func inverseLength(v []float64) float64 {
	squares := 0.0
	for _, x := range v {
		squares += x * x
	}
	if squares == 0 {
		return 0
	}
	return 1 / math.Sqrt(squares)
}
