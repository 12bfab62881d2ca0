package engine

import (
	"context"
	"fmt"
	"slices"

	llama "axon/cgo"
)

// RowsRequest asks for rows of output at positions of a sequence of tokens.
// The row at position p is computed from tokens 0 … p; its logits are for
// token p+1.
type RowsRequest struct {
	Tokens    []Token
	Positions []int // in any order, each once; nil: all
	// Each takes one row: float32 logits as long as the vocabulary, or a hidden
	// state as long as ModelInfo.EmbeddingOut. The row is llama.cpp's own
	// memory: read it, do not keep or change it. Each is called from several
	// goroutines at once, positions in no particular order, and never after
	// the request has returned. An error ends the request.
	Each func(pos int, row []float32) error
	// State takes the hidden state at each position besides, from the same pass,
	// just before Each takes the row. Nil: not wanted. For Distributions only.
	State func(pos int, state []float32) error
	// Fresh computes everything anew instead of taking a prefix that another
	// request left in the cache.
	Fresh bool
}

// Distributions runs the model over the tokens and gives the row of logits at
// each wanted position to req.Each.
func (e *Engine) Distributions(ctx context.Context, req RowsRequest) error {
	if e.encoder {
		return fmt.Errorf("%w: %s is an encoder and has no next-token distributions; it has hidden states (axon embed)", ErrUnsupported, e.model.name)
	}
	return e.runRows(ctx, req, false)
}

// Hidden runs the model over the tokens and gives the last hidden state, after
// the final norm, at each wanted position to req.Each.
func (e *Engine) Hidden(ctx context.Context, req RowsRequest) error {
	return e.runRows(ctx, req, true)
}

func (e *Engine) runRows(ctx context.Context, req RowsRequest, hidden bool) error {
	w, err := newRowsWork(req, hidden)
	if err != nil {
		return err
	}
	j := newJob(w, req.Tokens[:w.last+1])
	j.hidden, j.fresh = hidden || req.State != nil, req.Fresh
	if e.encoder { // every token sees every other: all of them, at once
		j = newJob(w, req.Tokens)
		j.hidden, j.fresh, j.whole = true, true, true
	}
	if err := e.start(ctx, j); err != nil {
		return err
	}
	<-j.done
	return j.err
}

// rowsWork is the work of Distributions and Hidden.
type rowsWork struct {
	each, state func(int, []float32) error
	hidden      bool   // each takes hidden states
	wanted      []bool // by position
	first, last int
}

func newRowsWork(req RowsRequest, hidden bool) (*rowsWork, error) {
	if req.Each == nil {
		return nil, fmt.Errorf("%w: no function for the rows", ErrRequest)
	}
	if len(req.Tokens) == 0 {
		return nil, fmt.Errorf("%w: no tokens", ErrRequest)
	}
	w := &rowsWork{each: req.Each, state: req.State, hidden: hidden, wanted: make([]bool, len(req.Tokens)), last: len(req.Tokens) - 1}
	if req.Positions == nil {
		for i := range w.wanted {
			w.wanted[i] = true
		}
		return w, nil
	}
	if len(req.Positions) == 0 {
		return nil, fmt.Errorf("%w: no positions", ErrRequest)
	}
	for _, p := range req.Positions {
		if p < 0 || p >= len(req.Tokens) || w.wanted[p] {
			return nil, fmt.Errorf("%w: position %d is given twice or not below %d", ErrRequest, p, len(req.Tokens))
		}
		w.wanted[p] = true
	}
	w.first, w.last = slices.Min(req.Positions), slices.Max(req.Positions)
	return w, nil
}

func (w *rowsWork) firstRow() int                   { return w.first }
func (w *rowsWork) wants(_ *sequence, pos int) bool { return w.wanted[pos] }

func (w *rowsWork) row(_ *sequence, pos int, out *llama.Output, i int) error {
	if w.hidden {
		return w.each(pos, out.Hidden(i))
	}
	if w.state != nil {
		if err := w.state(pos, out.Hidden(i)); err != nil {
			return err
		}
	}
	return w.each(pos, out.Logits(i))
}

func (w *rowsWork) advance(_ *driver, j *job) (bool, error) {
	return len(j.seqs[0].pending()) == 0, nil
}
