package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"axon/engine"
)

// Config is what both sides of a comparison run with.
type Config struct {
	Threads     int // 0: one for each physical core
	Batch       int // logical batch: the peer's; our engine decodes one physical batch at a time
	UBatch      int
	Flash       string // flash attention: auto, on or off
	TypeK       string // types of the KV cache
	TypeV       string
	GPULayers   int // negative: all
	NoKVOffload bool
	NoMmap      bool
	SplitCache  bool // KV cells of its own for each sequence, as llama-batched-bench has them by default
}

// ours runs a test on our engine.
type ours struct {
	test   Test
	engine *engine.Engine
	rand   *rand.Rand
	prefix [][]engine.Token // of each sequence, as long as the test's depth
}

// NewOurs makes an engine on a model, as large as the test needs and no
// larger, as llama-bench does.
func NewOurs(m *engine.Model, c Config, t Test) (Runner, error) {
	e, err := engine.New(m, engine.Options{
		Context: t.parallel() * t.cells(), Batch: c.UBatch, Sequences: t.parallel(), Rows: t.parallel(),
		Threads: c.Threads, FlashAttention: c.Flash, CacheTypeK: c.TypeK, CacheTypeV: c.TypeV, NoKVOffload: c.NoKVOffload, SplitCache: c.SplitCache,
	})
	if err != nil {
		return nil, err
	}
	o := &ours{test: t, engine: e, rand: rand.New(rand.NewPCG(1, 2))}
	for range t.parallel() {
		o.prefix = append(o.prefix, o.tokens(t.Depth))
	}
	return o, nil
}

func (o *ours) Name() string { return "axon" }

func (o *ours) Close() error { return o.engine.Close() }

// Warm evaluates a whole prompt, and generates one token, as llama-bench does.
func (o *ours) Warm(ctx context.Context) error {
	if err := o.fillCache(ctx); err != nil {
		return err
	}
	if o.test.Prompt > 0 {
		if err := o.evaluate(ctx, o.text(0, o.test.Prompt)); err != nil {
			return err
		}
	}
	if o.test.Gen > 0 {
		return o.generate(ctx, o.text(0, 1), 1)
	}
	return nil
}

// Run puts the prefixes into the cache and then times the test proper.
func (o *ours) Run(ctx context.Context) (time.Duration, error) {
	if err := o.fillCache(ctx); err != nil {
		return 0, err
	}
	texts := make([][]engine.Token, o.test.parallel())
	for i := range texts {
		texts[i] = o.text(i, max(1, o.test.Prompt))
	}
	begun := time.Now()
	err := atOnce(len(texts), func(i int) error { return o.one(ctx, texts[i]) })
	return time.Since(begun), err
}

// atOnce calls f(0) … f(n−1) side by side.
func atOnce(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// one is what a caller would ask the engine for. The first new token comes
// from the prompt's last row; so n evaluations after a prompt of more than
// one token are n+1 new tokens.
func (o *ours) one(ctx context.Context, text []engine.Token) error {
	switch {
	case o.test.Gen == 0:
		return o.evaluate(ctx, text)
	case o.test.Prompt == 0:
		return o.generate(ctx, text, o.test.Gen)
	default:
		return o.generate(ctx, text, o.test.Gen+1)
	}
}

func (o *ours) evaluate(ctx context.Context, text []engine.Token) error {
	return o.engine.Distributions(ctx, engine.RowsRequest{
		Tokens: text, Positions: []int{len(text) - 1}, Fresh: o.test.Depth == 0,
		Each: func(int, []float32) error { return nil },
	})
}

func (o *ours) generate(ctx context.Context, text []engine.Token, n int) error {
	r, err := o.engine.Generate(ctx, engine.GenerateRequest{Prompt: text, MaxTokens: n, IgnoreEOG: true, Fresh: o.test.Depth == 0})
	if err != nil {
		return err
	}
	if got := len(r.Sequences[0].Tokens); got != n {
		return fmt.Errorf("%d tokens generated instead of %d", got, n)
	}
	if o.test.Depth > 0 && r.ReusedTokens != o.test.Depth {
		return fmt.Errorf("%d tokens of the prefix found in the cache instead of %d", r.ReusedTokens, o.test.Depth)
	}
	return nil
}

// fillCache leaves the prefixes in the cache, where they may be already.
func (o *ours) fillCache(ctx context.Context) error {
	if o.test.Depth == 0 {
		return nil
	}
	for _, p := range o.prefix {
		if err := o.evaluate(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// text is the prefix of sequence i and n tokens that were never there before:
// only the prefix may be taken from the cache.
func (o *ours) text(i, n int) []engine.Token {
	return append(append([]engine.Token{}, o.prefix[i]...), o.tokens(n)...)
}

// tokens are random ones: what they are does not matter to the time.
func (o *ours) tokens(n int) []engine.Token {
	size := int32(o.engine.Model().Info().VocabSize)
	list := make([]engine.Token, n)
	for i := range list {
		list[i] = o.rand.Int32N(size)
	}
	return list
}
