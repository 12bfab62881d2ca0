package engine

import (
	"fmt"
	"runtime"
	"strings"

	llama "axon/cgo"
)

// Options shapes an engine. The zero value is a good default.
type Options struct {
	Context int // KV cells over all sequences; 0: the model's training context, at most 4096
	// Batch is the number of tokens in one physical batch: what is computed
	// between two looks at the queue, and how promptly a request is cancelled.
	Batch     int // 0: 512
	Sequences int // sequences at work or remembered at once; 0: 16
	Sequence  int // tokens of one sequence at most; 0: what the context holds
	// Rows is the number of rows of logits that one batch may ask for. They
	// take Rows × vocabulary × 4 bytes, twice. 0: what fits 128 MiB, but at
	// least one for each sequence.
	Rows  int
	Queue int // waiting requests before ErrBusy; 0: 4096

	Threads      int // for next tokens; 0: one for each physical core
	ThreadsBatch int // for prompts; 0: as Threads

	FlashAttention string // "auto" (default), "on", "off"
	CacheTypeK     string // KV-cache types: "f16" (default), "q8_0", …
	CacheTypeV     string

	RopeScaling     string   // "none", "linear", "yarn"; empty: the model's
	RopeFreqBase    float32  // 0: the model's
	RopeFreqScale   float32  // 0: the model's
	YarnExtFactor   *float32 // nil: the model's; 0: interpolation only
	YarnAttnFactor  float32  // 0: llama.cpp's default, as for those below
	YarnBetaFast    float32
	YarnBetaSlow    float32
	YarnOrigContext int

	// SplitCache gives every sequence KV cells of its own, Context/Sequences of
	// them, instead of letting all share one pool. Attention then looks at one
	// sequence's cells only, which is faster when many are at work; but a
	// sequence cannot be longer than its share, a running one cannot lend its
	// prefix, and there are no forks: one sequence a request, and no beams.
	SplitCache  bool
	NoKVOffload bool // keep the KV cache in RAM even when layers are on a GPU
	SWAFull     bool // full-size cache for sliding-window attention
}

const (
	defaultContext = 4096
	defaultBatch   = 512
	defaultSeqs    = 16
	defaultQueue   = 4096
	rowMemory      = 128 << 20 // bytes
)

// Validate lists everything that is wrong with the options.
func (o *Options) Validate() error {
	var f faults
	f.check(o.Context >= 0 && o.Context <= 1<<30, "context of %d tokens: must be 0 (the model's) to %d", o.Context, 1<<30)
	f.check(o.Batch >= 0 && o.Batch <= 1<<16, "batch of %d tokens: must be 0 (default) to %d", o.Batch, 1<<16)
	f.check(o.Sequences >= 0 && o.Sequences <= llama.MaxSequences, "%d sequences: must be 0 (default) to %d", o.Sequences, llama.MaxSequences)
	f.check(o.Sequence >= 0, "sequences of %d tokens: must not be negative", o.Sequence)
	f.check(o.Rows >= 0, "%d rows: must not be negative", o.Rows)
	f.check(o.Queue >= 0, "queue of %d: must not be negative", o.Queue)
	f.check(o.Threads >= 0 && o.Threads <= llama.MaxThreads, "%d threads: must be 0 (all cores) to %d", o.Threads, llama.MaxThreads)
	f.check(o.ThreadsBatch >= 0 && o.ThreadsBatch <= llama.MaxThreads, "%d batch threads: must be 0 (as threads) to %d", o.ThreadsBatch, llama.MaxThreads)
	_, err := parseFlash(o.FlashAttention)
	f.note(err)
	for _, t := range []string{o.CacheTypeK, o.CacheTypeV} {
		_, err := parseCacheType(t)
		f.note(err)
	}
	o.checkRope(&f)
	return f.err()
}

func (o *Options) checkRope(f *faults) {
	_, err := parseRope(o.RopeScaling)
	f.note(err)
	for _, v := range []struct {
		name  string
		value float32
	}{
		{"RoPE frequency base", o.RopeFreqBase}, {"RoPE frequency scale", o.RopeFreqScale},
		{"YaRN extrapolation factor", *or(o.YarnExtFactor, new(float32))}, {"YaRN attention factor", o.YarnAttnFactor},
		{"YaRN fast beta", o.YarnBetaFast}, {"YaRN slow beta", o.YarnBetaSlow},
	} {
		f.check(finite(v.value) && v.value >= 0, "%s %v: must be 0 or more", v.name, v.value)
	}
	f.check(o.YarnOrigContext >= 0 && o.YarnOrigContext <= 1<<30, "YaRN context of %d tokens: must be 0 (the model's) to %d", o.YarnOrigContext, 1<<30)
}

func parseFlash(s string) (llama.FlashAttention, error) {
	switch strings.ToLower(s) {
	case "", "auto":
		return llama.FlashAuto, nil
	case "on", "1", "true":
		return llama.FlashOn, nil
	case "off", "0", "false":
		return llama.FlashOff, nil
	}
	return 0, fmt.Errorf("flash attention %q: must be auto, on or off", s)
}

func parseRope(s string) (llama.RopeScaling, error) {
	switch s {
	case "":
		return llama.RopeFromModel, nil
	case "none":
		return llama.RopeNone, nil
	case "linear":
		return llama.RopeLinear, nil
	case "yarn":
		return llama.RopeYaRN, nil
	}
	return 0, fmt.Errorf("RoPE scaling %q: must be none, linear or yarn", s)
}

// cacheTypes are those that llama.cpp's own tools accept.
var cacheTypes = []string{"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"}

func parseCacheType(s string) (llama.TensorType, error) {
	if s == "" {
		s = "f16"
	}
	for _, t := range cacheTypes {
		if t == s {
			return llama.ParseTensorType(s)
		}
	}
	return 0, fmt.Errorf("KV-cache type %q: must be one of %s", s, strings.Join(cacheTypes, ", "))
}

// contextParams fills in the defaults for a model.
func (o Options) contextParams(m ModelInfo) llama.ContextParams {
	p := llama.DefaultContextParams()
	p.Context = o.Context
	if p.Context == 0 {
		p.Context = min(m.ContextTrain, defaultContext)
	}
	p.Seqs = or(o.Sequences, defaultSeqs)
	p.UBatch = min(or(o.Batch, defaultBatch), (p.Context+255)/256*256)
	p.Batch = p.UBatch
	p.Seqs = min(p.Seqs, p.Batch) // llama.cpp insists, for encoders
	p.Rows = or(o.Rows, min(p.UBatch, rowMemory/(4*max(m.VocabSize, 1))))
	p.Rows = min(max(p.Rows, p.Seqs), max(p.UBatch, p.Seqs))
	p.Threads = or(o.Threads, PhysicalCores())
	p.ThreadsB = or(o.ThreadsBatch, p.Threads)
	p.Flash, _ = parseFlash(o.FlashAttention)
	p.TypeK, _ = parseCacheType(o.CacheTypeK)
	p.TypeV, _ = parseCacheType(o.CacheTypeV)
	p.RopeScaling, _ = parseRope(o.RopeScaling)
	p.RopeFreqBase, p.RopeFreqScale = o.RopeFreqBase, o.RopeFreqScale
	if o.YarnExtFactor != nil {
		p.YarnExt = *o.YarnExtFactor
	}
	p.YarnAttn = or(o.YarnAttnFactor, p.YarnAttn)
	p.YarnFast = or(o.YarnBetaFast, p.YarnFast)
	p.YarnSlow = or(o.YarnBetaSlow, p.YarnSlow)
	p.YarnOrigContext = o.YarnOrigContext
	p.Unified = !o.SplitCache
	p.OffloadKQV = !o.NoKVOffload
	p.SWAFull = o.SWAFull
	return p
}

// or is v, or the default where v is zero.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// PhysicalCores is the number of cores that this process may use, siblings
// counted once: arithmetic on both siblings of a core gains nothing.
func PhysicalCores() int { return max(1, min(physicalCores(), processors)) }

// processors is what Go found at the start: the affinity and the container's
// quota are in it, later changes for other reasons are not.
var processors = runtime.GOMAXPROCS(0)
