package engine

import (
	"context"
	"fmt"
	"math"
	"sync"

	"axon/kernels"
)

// SparseRequest asks for the most likely next tokens at positions of a
// sequence. Its fields are those of [RowsRequest].
type SparseRequest struct {
	Tokens    []Token
	Positions []int // in any order, each once; nil: all
	K         int   // tokens of each position, at most the vocabulary
	// Each takes the distribution at one position: the K largest
	// log-probabilities by ascending token, and the mass of the rest. It is the
	// engine's memory: read it, do not keep it. Each is called as
	// RowsRequest.Each is.
	Each  func(pos int, d kernels.Sparse) error
	Fresh bool

	// Targets has a token for each of Tokens whose log-probability at that position
	// is wanted besides, whether it is among the K or not; Target takes it just
	// before Each takes the position, on the same goroutine. Nil: none.
	Targets []Token
	Target  func(pos int, logProb float32)
}

// Sparse runs the model over the tokens and reduces the row of logits at each
// wanted position to the K most likely tokens, in the same batch in which it
// was computed.
func (e *Engine) Sparse(ctx context.Context, req SparseRequest) error {
	if req.K < 0 || req.Each == nil {
		return fmt.Errorf("%w: the top %d, and a function for them: %t", ErrRequest, req.K, req.Each != nil)
	}
	if err := e.checkTargets(&req); err != nil {
		return err
	}
	return e.Distributions(ctx, RowsRequest{Tokens: req.Tokens, Positions: req.Positions, Fresh: req.Fresh, Each: func(pos int, row []float32) error {
		s := borrowScratch()
		defer s.giveBack()
		d, lse, err := s.sparse(row, req.K)
		if err != nil {
			return fmt.Errorf("position %d: %w", pos, err)
		}
		if req.Targets != nil {
			req.Target(pos, float32(float64(row[req.Targets[pos]])-lse))
		}
		return req.Each(pos, d)
	}})
}

func (e *Engine) checkTargets(req *SparseRequest) error {
	if req.Targets == nil {
		return nil
	}
	if len(req.Targets) != len(req.Tokens) || req.Target == nil {
		return fmt.Errorf("%w: %d targets for %d tokens, and a function for them: %t", ErrRequest, len(req.Targets), len(req.Tokens), req.Target != nil)
	}
	for _, t := range req.Targets {
		if t < 0 || int(t) >= e.model.vocab.Size {
			return fmt.Errorf("%w: target %d, must be below %d", ErrToken, t, e.model.vocab.Size)
		}
	}
	return nil
}

// scratch is the working memory of one reduction.
type scratch struct {
	kernels.Scratch
	top []kernels.Entry
}

// Rows are reduced on whatever goroutine takes them: the memory goes round.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// sparse reduces a row, and refuses one that is no distribution: a model whose
// weights overflow must not pass for one that is sure of something.
func (s *scratch) sparse(row []float32, k int) (d kernels.Sparse, lse float64, err error) {
	if s.top, lse, err = kernels.Reduce(s.top[:0], row, k, kernels.ByIndex, &s.Scratch); err != nil {
		return d, 0, err
	}
	if math.IsInf(lse, 0) {
		return d, 0, fmt.Errorf("%w: its log-sum-exp is %v", kernels.ErrNotFinite, lse)
	}
	rest := kernels.LogProbs(s.top, lse, len(row), &s.Scratch)
	return kernels.Sparse{Entries: s.top, Rest: rest}, lse, nil
}

func borrowScratch() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) giveBack() { scratches.Put(s) }
