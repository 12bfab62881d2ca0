package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"axon/engine"
)

// ModelRows are rows of logits that a model gave over a text.
type ModelRows struct {
	Rows    [][]float32
	Targets []int // the token that came next in the text, row by row
}

// Windows of a text and rows of each: enough of the text for the rows to
// differ, and enough context in each for the model to know what it reads.
const (
	rowsWindow  = 256 // tokens, at most
	windowsRows = 16
)

// RowsOfModel runs a model over n positions spread over a text.
func RowsOfModel(ctx context.Context, m *engine.Model, text string, n int) (ModelRows, error) {
	tokens, err := m.Vocab().Tokenize(text, true, false)
	if err != nil {
		return ModelRows{}, err
	}
	window := min(rowsWindow, len(tokens), m.Info().ContextTrain)
	windows := (n + windowsRows - 1) / windowsRows
	if window < 2*windowsRows || len(tokens)/window < windows {
		return ModelRows{}, fmt.Errorf("the text has %d tokens, too few for %d rows; give a longer one, or fewer --rows", len(tokens), n)
	}
	e, err := engine.New(m, engine.Options{Context: window, Batch: window, Sequences: 1, Rows: windowsRows})
	if err != nil {
		return ModelRows{}, err
	}
	defer func() { _ = e.Close() }()
	all := ModelRows{Rows: make([][]float32, 0, n)}
	for i := range windows {
		start := 0
		if windows > 1 {
			start = i * (len(tokens) - window) / (windows - 1)
		}
		if err := all.window(ctx, e, tokens[start:start+window], min(windowsRows, n-len(all.Rows))); err != nil {
			return ModelRows{}, err
		}
	}
	return all, nil
}

// window adds n rows from the latter half of a window.
func (all *ModelRows) window(ctx context.Context, e *engine.Engine, tokens []engine.Token, n int) error {
	positions := make([]int, n)
	rows := make([][]float32, n)
	half := len(tokens) / 2
	for i := range positions {
		positions[i] = half + i*(half-1)/n
		all.Targets = append(all.Targets, int(tokens[positions[i]+1]))
	}
	var mu sync.Mutex
	err := e.Distributions(ctx, engine.RowsRequest{Tokens: tokens, Positions: positions, Fresh: true, Each: func(pos int, row []float32) error {
		copied := slices.Clone(row)
		mu.Lock()
		defer mu.Unlock()
		rows[slices.Index(positions, pos)] = copied
		return nil
	}})
	all.Rows = append(all.Rows, rows...)
	return err
}
