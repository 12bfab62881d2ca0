package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	llama "axon/cgo"
)

// Engine runs requests on one model. Its methods may be called from any
// number of goroutines.
type Engine struct {
	model   *Model
	ctx     *llama.Context
	info    llama.ContextInfo
	rows    int
	threads int
	encoder bool // every token sees every other: no next tokens, whole prompts at once
	noReuse bool // the model's memory cannot drop the end of a sequence
	noFork  bool // two sequences cannot share cells

	mu       sync.Mutex
	queue    []*job
	inFlight []*job // jobs of the batch being decoded
	maxQueue int
	closing  bool
	wake     chan struct{} // buffered, 1: something changed
	stopped  chan struct{} // closed when the driver is gone
	closed   sync.Once

	stats counters
}

// New makes an engine on a model.
func New(m *Model, o Options) (*Engine, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	info := m.Info()
	switch {
	case info.HasEncoder && info.HasDecoder:
		return nil, fmt.Errorf("%w: %s is an encoder-decoder model; use one that only decodes", ErrUnsupported, m.name)
	case info.Diffusion:
		return nil, fmt.Errorf("%w: %s is a diffusion model; use an autoregressive one", ErrUnsupported, m.name)
	case info.Layers == 0:
		return nil, fmt.Errorf("%w: %s holds a vocabulary and no weights", ErrUnsupported, m.name)
	}
	p := o.contextParams(info)
	if err := m.checkFit(p); err != nil {
		return nil, err
	}
	ctx, err := m.newContext(p)
	if err != nil {
		return nil, err
	}
	window := info.SlidingWin > 0 && !o.SWAFull
	causal, _ := m.Meta(m.arch() + ".attention.causal")
	e := &Engine{
		model: m, ctx: ctx, info: ctx.Info(), rows: p.Rows, threads: max(p.Threads, p.ThreadsB),
		encoder:  !ctx.Info().HasMemory || causal == "false",
		noReuse:  info.Recurrent || info.Hybrid || window || !ctx.Info().HasMemory || causal == "false",
		noFork:   window || o.SplitCache,
		maxQueue: or(o.Queue, defaultQueue),
		wake:     make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	if m.learned { // llama.cpp stops the process at a position that the table lacks
		e.info.ContextSeq = min(e.info.ContextSeq, info.ContextTrain)
	}
	if o.Sequence > 0 {
		e.info.ContextSeq = min(e.info.ContextSeq, o.Sequence)
	}
	go newDriver(e).run()
	return e, nil
}

// newContext makes a context on the process's threads.
func (m *Model) newContext(p llama.ContextParams) (*llama.Context, error) {
	threads := max(p.Threads, p.ThreadsB)
	pool, err := takePool(threads)
	if err != nil {
		return nil, err
	}
	ctx, err := llama.NewContext(m.m, pool, p)
	if err != nil {
		leavePool(threads)
		return nil, fmt.Errorf("no context of %d tokens for %s: %w", p.Context, m.name, err)
	}
	if err := ctx.SetAdapters(m.adapters, m.scales); err != nil {
		_ = ctx.Close()
		leavePool(threads)
		return nil, fmt.Errorf("adapters of %s: %w", m.name, err)
	}
	return ctx, nil
}

// Close cancels what is running or waiting, waits until the driver has let go
// of llama.cpp, and frees the context. It is idempotent.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closing = true
	jobs := append(append([]*job{}, e.queue...), e.inFlight...)
	e.mu.Unlock()
	for _, j := range jobs {
		e.cancel(j, ErrClosed)
	}
	e.signal()
	<-e.stopped
	e.closed.Do(func() { leavePool(e.threads) })
	return e.ctx.Close()
}

// Model is the model that the engine runs.
func (e *Engine) Model() *Model { return e.model }

// Limits are the bounds that requests must keep, as llama.cpp rounded them.
type Limits struct {
	Context   int // KV cells over all sequences
	Sequence  int // tokens in one sequence
	Batch     int // tokens in one physical batch
	Sequences int // sequences at once
	Rows      int // rows of logits in one batch
	Threads   int
}

// Limits tells the engine's bounds.
func (e *Engine) Limits() Limits {
	return Limits{
		Context: e.info.Context, Sequence: e.info.ContextSeq, Batch: e.info.UBatch,
		Sequences: e.info.Seqs, Rows: e.rows, Threads: e.threads,
	}
}

// Memory tells where native memory lies, by buffer and purpose.
func (e *Engine) Memory() []llama.Memory { return e.ctx.Memory() }

// counters are the driver's, read by Stats.
type counters struct {
	steps, tokens, rows, reused, finished, cancelled atomic.Int64
	active, cells                                    atomic.Int64
}

// Stats is what an engine has done and is doing.
type Stats struct {
	Steps     int64 // batches decoded
	Tokens    int64 // tokens decoded
	Rows      int64 // rows of output handed out
	Reused    int64 // tokens taken from the KV cache instead
	Finished  int64 // requests that ended, well or not
	Cancelled int64 // those of them that were cancelled
	Active    int64 // requests at work
	Waiting   int64 // requests in the queue
	Cells     int64 // KV cells promised to requests or holding remembered prefixes
}

// Stats reads the engine's counters.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	waiting := int64(len(e.queue))
	e.mu.Unlock()
	c := &e.stats
	return Stats{
		Steps: c.steps.Load(), Tokens: c.tokens.Load(), Rows: c.rows.Load(), Reused: c.reused.Load(),
		Finished: c.finished.Load(), Cancelled: c.cancelled.Load(), Active: c.active.Load(), Waiting: waiting,
		Cells: c.cells.Load(),
	}
}

// start puts a job into the queue. The caller must wait for j.done.
func (e *Engine) start(ctx context.Context, j *job) error {
	if err := e.check(j); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closing:
		return ErrClosed
	case len(e.queue) >= e.maxQueue:
		return fmt.Errorf("%w: %d of %d; try again later", ErrBusy, len(e.queue), e.maxQueue)
	}
	e.queue = append(e.queue, j)
	j.unwatch = context.AfterFunc(ctx, func() { e.cancel(j, ctx.Err()) })
	e.signal()
	return nil
}

// check refuses a job that could never run.
func (e *Engine) check(j *job) error {
	prompt := j.seqs[0].tokens
	if len(prompt) == 0 {
		return fmt.Errorf("%w: no tokens; an empty prompt needs at least a beginning-of-text token", ErrRequest)
	}
	size := e.model.Info().VocabSize
	for i, t := range prompt {
		if t < 0 || int(t) >= size {
			return fmt.Errorf("%w: %d at position %d, must be below %d", ErrToken, t, i, size)
		}
	}
	switch {
	case len(prompt) > e.info.ContextSeq:
		return fmt.Errorf("%w: %d tokens exceed the context of %d; shorten the text or raise --ctx-size", ErrTooLong, len(prompt), e.info.ContextSeq)
	case j.cells > e.info.Context:
		return fmt.Errorf("%w: %d KV cells exceed the %d there are; ask for fewer or shorter sequences or raise --ctx-size", ErrTooLong, j.cells, e.info.Context)
	case j.slots > e.info.Seqs:
		return fmt.Errorf("%w: %d sequences exceed the limit %d; raise --parallel", ErrTooLong, j.slots, e.info.Seqs)
	case j.whole && len(prompt) > min(e.info.UBatch, e.rows):
		return fmt.Errorf("%w: %d tokens exceed the physical batch of %d that an encoder takes at once; raise --ubatch-size", ErrTooLong, len(prompt), min(e.info.UBatch, e.rows))
	}
	return nil
}

// cancel ends a job early. When nobody else shares the batch being decoded,
// the decode itself is stopped.
func (e *Engine) cancel(j *job, cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.cancelled.Load() {
		return
	}
	j.cause = cause
	j.cancelled.Store(true)
	if len(e.inFlight) > 0 && allCancelled(e.inFlight) {
		e.ctx.Abort(true)
	}
	e.signal()
}

func allCancelled(jobs []*job) bool {
	for _, j := range jobs {
		if !j.cancelled.Load() {
			return false
		}
	}
	return true
}

// signal wakes the driver; it never blocks.
func (e *Engine) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
