package llama

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// MaxSequences is the largest number of sequences in one context.
const MaxSequences = 256

// FlashAttention says when to use flash attention.
type FlashAttention int

// The choices for flash attention.
const (
	FlashAuto FlashAttention = iota - 1
	FlashOff
	FlashOn
)

// RopeScaling is a method of stretching the context beyond what was trained.
type RopeScaling int

// The methods that llama.cpp knows.
const (
	RopeFromModel RopeScaling = iota - 1
	RopeNone
	RopeLinear
	RopeYaRN
	RopeLongRoPE
)

// ContextParams shapes a context. Start from DefaultContextParams.
type ContextParams struct {
	Context  int // KV cells over all sequences; 0: the model's training context
	Batch    int // tokens in one Decode
	UBatch   int // tokens in one physical batch
	Seqs     int // sequences, at most MaxSequences
	Rows     int // rows of output in one Decode: each costs vocabulary × 4 bytes
	Threads  int // for single tokens
	ThreadsB int // for batches

	Flash        FlashAttention
	TypeK, TypeV TensorType

	RopeScaling                           RopeScaling
	RopeFreqBase, RopeFreqScale           float32 // 0: from the model
	YarnExt, YarnAttn, YarnFast, YarnSlow float32
	YarnOrigContext                       int

	OffloadKQV, OpOffload, SWAFull bool
	// Unified lets all sequences share one pool of KV cells, so that any of
	// them may use the whole context and a common prefix is stored once.
	Unified bool
}

// DefaultContextParams are llama.cpp's own, with a unified KV cache.
func DefaultContextParams() ContextParams {
	var p C.ax_context_params
	C.ax_context_defaults(&p)
	return ContextParams{
		Flash: FlashAttention(p.flash_attn), TypeK: TensorType(p.type_k), TypeV: TensorType(p.type_v),
		RopeScaling:  RopeScaling(p.rope_scaling),
		RopeFreqBase: float32(p.rope_freq_base), RopeFreqScale: float32(p.rope_freq_scale),
		YarnExt: float32(p.yarn_ext_factor), YarnAttn: float32(p.yarn_attn_factor),
		YarnFast: float32(p.yarn_beta_fast), YarnSlow: float32(p.yarn_beta_slow),
		YarnOrigContext: int(p.yarn_orig_ctx),
		OffloadKQV:      bool(p.offload_kqv), OpOffload: bool(p.op_offload), SWAFull: bool(p.swa_full),
		Unified: bool(p.kv_unified),
	}
}

// ContextInfo is the shape that a context got, after llama.cpp's rounding.
type ContextInfo struct {
	Context    int // KV cells
	ContextSeq int // KV cells that one sequence may use
	Batch      int
	UBatch     int
	Seqs       int
	HasMemory  bool // false: an encoder, which keeps nothing between batches
}

// Context is the state of a model at work: a KV cache and compute buffers.
type Context struct {
	*object
	c     *C.ax_context
	model *Model
	pool  *Pool
	info  ContextInfo
	rows  int

	adapters *held // what must not be freed before the context
}

// held is a set of objects kept alive, each acquired once.
type held struct{ list []*object }

func (h *held) release() {
	for _, o := range h.list {
		o.release()
	}
	h.list = nil
}

// NewContext makes a context that computes on pool.
func NewContext(m *Model, pool *Pool, p ContextParams) (*Context, error) {
	if err := p.validate(pool); err != nil {
		return nil, err
	}
	if err := m.acquire(); err != nil {
		return nil, err
	}
	defer m.release()
	if err := pool.acquire(); err != nil {
		return nil, err
	}
	cp := C.ax_context_params{
		n_ctx: C.uint32_t(p.Context), n_batch: C.uint32_t(p.Batch), n_ubatch: C.uint32_t(p.UBatch),
		n_seq_max: C.uint32_t(p.Seqs), n_rows_max: C.uint32_t(p.Rows),
		n_threads: C.int(p.Threads), n_threads_batch: C.int(p.ThreadsB),
		flash_attn: C.int(p.Flash), type_k: C.int(p.TypeK), type_v: C.int(p.TypeV),
		rope_scaling:   C.int(p.RopeScaling),
		rope_freq_base: C.float(p.RopeFreqBase), rope_freq_scale: C.float(p.RopeFreqScale),
		yarn_ext_factor: C.float(p.YarnExt), yarn_attn_factor: C.float(p.YarnAttn),
		yarn_beta_fast: C.float(p.YarnFast), yarn_beta_slow: C.float(p.YarnSlow),
		yarn_orig_ctx: C.uint32_t(p.YarnOrigContext),
		offload_kqv:   C.bool(p.OffloadKQV), op_offload: C.bool(p.OpOffload),
		swa_full: C.bool(p.SWAFull), kv_unified: C.bool(p.Unified),
	}
	var cc *C.ax_context
	var e C.ax_error
	if C.ax_context_new(m.c, pool.c, &cp, &cc, &e) != 0 {
		pool.release()
		return nil, failure(&e)
	}
	adapters := &held{}
	c := &Context{c: cc, model: m, pool: pool, rows: p.Rows, adapters: adapters}
	c.object = newObject(m.object, func() {
		C.ax_context_free(cc)
		adapters.release()
		pool.release()
	})
	closeWhenLost(c, c.object)
	var i C.ax_context_info
	C.ax_context_describe(cc, &i)
	c.info = ContextInfo{
		Context: int(i.n_ctx), ContextSeq: int(i.n_ctx_seq), Batch: int(i.n_batch),
		UBatch: int(i.n_ubatch), Seqs: int(i.n_seq_max), HasMemory: bool(i.has_memory),
	}
	return c, nil
}

// validate checks the limits on which llama.cpp would stop the process.
func (p *ContextParams) validate(pool *Pool) error {
	switch {
	case p.Context < 0 || p.Context > 1<<30:
		return fmt.Errorf("context of %d tokens: must be 0 to %d", p.Context, 1<<30)
	case p.Batch < 1 || p.UBatch < 1 || p.UBatch > p.Batch || p.Batch > 1<<20:
		return fmt.Errorf("batch %d, physical batch %d: must be 1 ≤ physical ≤ batch ≤ %d", p.Batch, p.UBatch, 1<<20)
	case p.Seqs < 1 || p.Seqs > MaxSequences:
		return fmt.Errorf("%d sequences: must be 1 to %d", p.Seqs, MaxSequences)
	case p.Rows < p.Seqs:
		return fmt.Errorf("%d rows of output for %d sequences: must be at least as many", p.Rows, p.Seqs)
	case p.Threads < 1 || p.ThreadsB < 1 || max(p.Threads, p.ThreadsB) > pool.threads:
		return fmt.Errorf("%d and %d threads: must be 1 to the pool's %d", p.Threads, p.ThreadsB, pool.threads)
	}
	return nil
}

// Info is the shape that the context got.
func (c *Context) Info() ContextInfo { return c.info }

// Batch is the input of one Decode: parallel slices, one entry a token.
type Batch struct {
	Tokens []Token
	Pos    []int32 // position in its sequence
	Seq    []int32 // sequence
	Rows   []int8  // nonzero: this token's row of output is wanted
}

// Len is the number of tokens.
func (b *Batch) Len() int { return len(b.Tokens) }

// Add appends one token.
func (b *Batch) Add(t Token, pos, seq int32, row bool) {
	b.Tokens = append(b.Tokens, t)
	b.Pos = append(b.Pos, pos)
	b.Seq = append(b.Seq, seq)
	var r int8
	if row {
		r = 1
	}
	b.Rows = append(b.Rows, r)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Tokens, b.Pos, b.Seq, b.Rows = b.Tokens[:0], b.Pos[:0], b.Seq[:0], b.Rows[:0]
}

// Output is what a Decode computed: one row for each token that asked for it,
// in the batch's order. The rows are C memory, valid until the context's next
// call. An encoder has no logits: its rows of them mean nothing.
type Output struct {
	N      int       // rows
	logits []float32 // [N][vocabulary]
	hidden []float32 // [N][EmbeddingOut]
	vocab  int
	embd   int
}

// Logits is row i, as long as the vocabulary.
func (o *Output) Logits(i int) []float32 { return row(o.logits, i, o.vocab) }

// Hidden is the hidden state behind row i; nil unless asked for.
func (o *Output) Hidden(i int) []float32 { return row(o.hidden, i, o.embd) }

func row(all []float32, i, n int) []float32 {
	if all == nil {
		return nil
	}
	return all[i*n : (i+1)*n : (i+1)*n]
}

// Decode runs one batch. With hidden the hidden states come out too, and every
// token counts as a row, whatever b.Rows says. On ErrAborted the tokens of the
// batch are not in the cache, but for whole physical batches before the abort.
func (c *Context) Decode(b *Batch, hidden bool) (Output, error) {
	if err := c.checkBatch(b, hidden); err != nil {
		return Output{}, err
	}
	if err := c.acquire(); err != nil {
		return Output{}, err
	}
	defer c.release()
	c.pool.busy.Lock()
	defer c.pool.busy.Unlock()
	var d C.ax_decoded
	var e C.ax_error
	rc := C.ax_decode(c.c, C.int32_t(b.Len()), (*C.int32_t)(&b.Tokens[0]), (*C.int32_t)(&b.Pos[0]),
		(*C.int32_t)(&b.Seq[0]), (*C.int8_t)(&b.Rows[0]), C.bool(hidden), &d, &e)
	if rc != 0 {
		return Output{}, decodeError(int(d.status), &e)
	}
	o := Output{N: int(d.n_rows), vocab: c.model.info.VocabSize, embd: c.model.info.EmbeddingOut}
	if d.logits != nil {
		o.logits = unsafe.Slice((*float32)(d.logits), o.N*o.vocab)
	}
	if d.embd != nil {
		o.hidden = unsafe.Slice((*float32)(d.embd), o.N*o.embd)
	}
	return o, nil
}

func decodeError(status int, e *C.ax_error) error {
	switch status {
	case 1:
		return ErrNoKVSpace
	case 2:
		return ErrAborted
	case -1:
		return fmt.Errorf("%w: %w", ErrBatch, failure(e))
	default:
		return fmt.Errorf("decode failed (%d): %w", status, failure(e))
	}
}

// checkBatch refuses what llama.cpp would stop the process on.
func (c *Context) checkBatch(b *Batch, hidden bool) error {
	n := b.Len()
	if n == 0 || n > c.info.Batch || len(b.Pos) != n || len(b.Seq) != n || len(b.Rows) != n {
		return fmt.Errorf("%w: %d tokens, must be 1 to %d with as many positions, sequences and rows", ErrBatch, n, c.info.Batch)
	}
	rows := 0
	for i := range n {
		if hidden {
			b.Rows[i] = 1
		}
		if b.Rows[i] != 0 {
			rows++
		}
		if t := b.Tokens[i]; t < 0 || int(t) >= c.model.info.VocabSize {
			return fmt.Errorf("%w: %d, must be below %d", ErrToken, t, c.model.info.VocabSize)
		}
		if s := b.Seq[i]; s < 0 || int(s) >= c.info.Seqs || b.Pos[i] < 0 {
			return fmt.Errorf("%w: sequence %d, position %d: must be below %d and not negative", ErrBatch, s, b.Pos[i], c.info.Seqs)
		}
	}
	if rows > c.rows {
		return fmt.Errorf("%w: %d rows of output exceed the limit %d", ErrBatch, rows, c.rows)
	}
	return nil
}

// Abort makes the running Decode stop at its next node, and every later one
// until it is called with false. It may be called from any goroutine.
func (c *Context) Abort(on bool) {
	if c.acquire() != nil {
		return
	}
	defer c.release()
	C.ax_abort(c.c, C.bool(on))
}

// Clear forgets every sequence.
func (c *Context) Clear() {
	c.withMemory(func() { C.ax_seq_clear(c.c) })
}

// SeqRemove forgets positions [p0, p1) of a sequence; negative bounds are
// open. It reports false when the memory cannot forget a part (recurrent
// models), in which case nothing changed.
func (c *Context) SeqRemove(seq, p0, p1 int32) (ok bool) {
	c.withMemory(func() { ok = bool(C.ax_seq_rm(c.c, C.int32_t(seq), C.int32_t(p0), C.int32_t(p1))) })
	return ok
}

// SeqCopy makes dst share the cells of src at positions [p0, p1); no data is
// copied in a unified cache.
func (c *Context) SeqCopy(src, dst, p0, p1 int32) {
	c.withMemory(func() {
		C.ax_seq_cp(c.c, C.int32_t(src), C.int32_t(dst), C.int32_t(p0), C.int32_t(p1))
	})
}

// SeqRange is the first and last position in the cache, -1 where there is none.
func (c *Context) SeqRange(seq int32) (first, last int32) {
	first, last = -1, -1
	c.withMemory(func() {
		first, last = int32(C.ax_seq_pos_min(c.c, C.int32_t(seq))), int32(C.ax_seq_pos_max(c.c, C.int32_t(seq)))
	})
	return first, last
}

func (c *Context) withMemory(f func()) {
	if c.acquire() != nil {
		return
	}
	defer c.release()
	f()
}

// SetAdapters applies LoRA adapters, each with its scale, in place of those
// before; the context keeps them alive.
func (c *Context) SetAdapters(adapters []*Adapter, scales []float32) error {
	if len(adapters) != len(scales) {
		return fmt.Errorf("%d adapters with %d scales", len(adapters), len(scales))
	}
	if err := c.acquire(); err != nil {
		return err
	}
	defer c.release()
	next := &held{}
	ptrs, values := make([]*C.ax_lora, len(adapters)+1), make([]C.float, len(adapters)+1)
	for i, a := range adapters {
		if err := a.acquire(); err != nil {
			next.release()
			return err
		}
		next.list = append(next.list, a.object)
		ptrs[i], values[i] = a.c, C.float(scales[i])
	}
	var e C.ax_error
	if C.ax_context_set_loras(c.c, &ptrs[0], &values[0], C.size_t(len(adapters)), &e) != 0 {
		next.release()
		return failure(&e)
	}
	c.adapters.release()
	c.adapters.list = next.list
	return nil
}

// Memory is native memory in one kind of buffer, in bytes by purpose.
type Memory struct {
	Buffer                  string // "CPU", "CUDA0", …
	Model, Context, Compute uint64
}

// Memory tells where the native memory of model and context lies.
func (c *Context) Memory() []Memory {
	var list [16]C.ax_memory
	var out []Memory
	c.withMemory(func() {
		for _, m := range list[:C.ax_context_memory(c.c, &list[0], C.int(len(list)))] {
			out = append(out, Memory{C.GoString(&m.buffer[0]), uint64(m.model), uint64(m.context), uint64(m.compute)})
		}
	})
	return out
}
