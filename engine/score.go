package engine

import (
	"context"
	"errors"
	"fmt"
	"math"

	llama "axon/cgo"
	"axon/kernels"
)

// ScoreRequest asks how well the model predicts a long text, window by window.
type ScoreRequest struct {
	Tokens []Token // as Tokenize gives them, special tokens added
	Window int     // tokens that the model sees at once
	// Skip is the number of tokens at the start of each window that only serve
	// as context: token i of a window is scored when i > Skip.
	Skip int
	// Whole lets windows overlap by Skip tokens and scores the beginning too, so
	// that every token but the first is scored once. Otherwise windows stand
	// side by side and an incomplete one at the end is left out, as
	// llama-perplexity does it.
	Whole bool
	// Progress is called with the number of windows that are done.
	Progress func(done, total int)
}

// Score is the result. All logarithms are natural.
type Score struct {
	Tokens  int     // scored
	Bytes   int     // of text that those tokens stand for
	Nats    float64 // total cross-entropy
	Squares float64 // sum of the squares of the tokens' cross-entropies
	Windows int
}

// PerToken is the cross-entropy in nats per token.
func (s Score) PerToken() float64 { return s.Nats / float64(s.Tokens) }

// Perplexity is e to the cross-entropy per token.
func (s Score) Perplexity() float64 { return math.Exp(s.PerToken()) }

// BitsPerByte is the cross-entropy in bits per byte of text, which compares
// models with different tokenizers.
func (s Score) BitsPerByte() float64 { return s.Nats / math.Ln2 / float64(s.Bytes) }

// StandardError is that of PerToken, tokens taken as independent.
func (s Score) StandardError() float64 {
	n, mean := float64(s.Tokens), s.PerToken()
	if n < 2 {
		return 0
	}
	return math.Sqrt(max(s.Squares/n-mean*mean, 0) / (n - 1))
}

// window is a run of tokens and the first of them to be scored.
type window struct{ start, end, first int }

// windows lays the windows of a request out.
func (r *ScoreRequest) windows() ([]window, error) {
	n := len(r.Tokens)
	switch {
	case r.Window < 2 || r.Skip < 0 || r.Skip > r.Window-2:
		return nil, fmt.Errorf("%w: windows of %d tokens of which %d are context; at least one must be scored", ErrRequest, r.Window, r.Skip)
	case n < 2:
		return nil, fmt.Errorf("%w: %d tokens; at least 2 are needed to predict one from another", ErrRequest, n)
	}
	var list []window
	if r.Whole {
		for start, first := 0, 1; first < n; {
			end := min(start+r.Window, n)
			list = append(list, window{start, end, first})
			first = end
			start = end - max(r.Skip, 1)
		}
		return list, nil
	}
	for start := 0; start+r.Window <= n; start += r.Window {
		list = append(list, window{start, start + r.Window, start + r.Skip + 1})
	}
	if len(list) == 0 { // too short for one window: the whole text is one
		list = append(list, window{0, n, min(r.Skip, n/2) + 1})
		list[0].first = min(list[0].first, n-1)
	}
	return list, nil
}

// ScoreOptions sets the context that Score uses best: room for two physical
// batches of windows, so that every batch is full.
func (o Options) ScoreOptions(window int) Options {
	batch := or(o.Batch, defaultBatch)
	o.Sequences = min(2*max(1, batch/window), llama.MaxSequences)
	o.Context = o.Sequences * window
	return o
}

// Score measures the cross-entropy of a text, as many windows at a time as
// the engine has room for.
func (e *Engine) Score(ctx context.Context, r ScoreRequest) (Score, error) {
	list, err := r.windows()
	if err != nil {
		return Score{}, err
	}
	nats := make([]float64, len(r.Tokens))
	if err := e.scoreAll(ctx, &r, list, nats); err != nil {
		return Score{}, err
	}
	s := Score{Windows: len(list)}
	for _, w := range list {
		for i := w.first; i < w.end; i++ {
			s.Tokens++
			s.Bytes += e.textLen(r.Tokens[i])
			s.Nats += nats[i]
			s.Squares += nats[i] * nats[i]
		}
	}
	return s, nil
}

// textLen is the number of bytes of text that a token stands for.
func (e *Engine) textLen(t Token) int {
	if e.model.vocab.IsControl(t) {
		return 0
	}
	return len(e.model.vocab.Piece(t))
}

func (e *Engine) scoreAll(ctx context.Context, r *ScoreRequest, list []window, nats []float64) error {
	atOnce := max(1, min(e.info.Seqs, e.info.Context/r.Window))
	errs := make(chan error, len(list))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started, done := 0, 0
	for done < len(list) {
		for ; started < len(list) && started < done+atOnce; started++ {
			w := list[started]
			go func() { errs <- e.scoreWindow(ctx, r.Tokens, w, nats) }()
		}
		err := <-errs
		done++
		if err != nil {
			cancel()
			for ; done < started; done++ { // their rows must not outlive us
				err = errors.Join(err, otherThan(<-errs, context.Canceled))
			}
			return err
		}
		if r.Progress != nil {
			r.Progress(done, len(list))
		}
	}
	return nil
}

// scoreWindow fills in nats[i] for the tokens of one window. A vocabulary that
// wants a beginning-of-text token gets it in place of the window's first
// token, as in llama-perplexity. The last token is evaluated too, though nothing
// is predicted from it: quantised matrices multiply blocks of tokens, a window
// cut short by one gives other last digits than llama-perplexity's.
func (e *Engine) scoreWindow(ctx context.Context, tokens []Token, w window, nats []float64) error {
	in := append([]Token{}, tokens[w.start:w.end]...)
	if v := e.model.vocab; v.AddBOS {
		in[0] = v.BOS
	}
	last := len(in) - 1
	var positions []int
	for pos := w.first - 1 - w.start; pos <= last; pos++ {
		positions = append(positions, pos)
	}
	return e.Distributions(ctx, RowsRequest{Tokens: in, Positions: positions, Fresh: true, Each: func(pos int, row []float32) error {
		if pos == last {
			return nil
		}
		i := w.start + pos + 1
		h, err := kernels.CrossEntropy(row, int(tokens[i]))
		if err != nil {
			return fmt.Errorf("position %d: %w", w.start+pos, err)
		}
		nats[i] = h
		return nil
	}})
}
