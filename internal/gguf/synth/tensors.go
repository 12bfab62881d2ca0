package synth

import (
	"fmt"
	"math"

	"axon/internal/gguf"
)

var architectures = []string{"llama", "qwen2", "gpt2"}

// fill says how a tensor's numbers are drawn.
type fill int

const (
	gauss fill = iota
	ones
	zero
	plusMinus
)

// tensor is one tensor to be made.
type tensor struct {
	name string
	dims []int64
	fill fill
	// deviation is that of gauss.
	deviation float32
	// centred makes the mean of each row zero.
	centred bool
	// layer is the block it belongs to.
	layer int
}

func (t tensor) elements() int64 {
	n := int64(1)
	for _, d := range t.dims {
		n *= d
	}
	return n
}

// matrix reports whether the tensor may be quantised: positions are added, not
// multiplied, and converters keep them as they are.
func (t tensor) matrix() bool { return len(t.dims) == 2 && t.name != "position_embd.weight" }

// The standard deviation of the logits of one row. Trained models have about
// that; it leaves a clear first among fifty thousand.
const logitSpread = 3

// scale returns the deviation with which a matrix of that many columns keeps the
// size of what it is multiplied with.
func scale(gain float64, columns int) float32 { return float32(gain / math.Sqrt(float64(columns))) }

// tensors lists the model's tensors in the order in which they are used.
func (s Spec) tensors() []tensor {
	list := []tensor{s.matrix("token_embd.weight", s.Embedding, s.vocabSize(), s.embeddingDeviation())}
	if s.Arch == "gpt2" {
		list = append(list, s.matrix("position_embd.weight", s.Embedding, s.Context, s.embeddingDeviation()/2))
	}
	for i := range s.Layers {
		list = append(list, s.block(i)...)
	}
	list = append(list, s.outputNorm()...)
	if !s.Tied {
		list = append(list, s.matrix("output.weight", s.Embedding, s.vocabSize(), scale(logitSpread, s.Embedding)))
	}
	return list
}

// embeddingDeviation makes the embedding about as large as what the blocks add,
// so that the next token depends on all before it. Tied, it must make logits too.
func (s Spec) embeddingDeviation() float32 {
	if s.Tied {
		return scale(logitSpread, s.Embedding)
	}
	return 0.5
}

// outputNorm is the norm before the logits. A tied model with random weights
// would always repeat its last token, whose embedding it still carries; random
// signs in this norm undo the likeness and change nothing else.
func (s Spec) outputNorm() []tensor {
	norm := s.norm("output_norm", 0)
	if s.Tied {
		norm[0].fill = plusMinus
	}
	return norm
}

func (s Spec) block(i int) []tensor {
	// Each of the two branches of each block adds its share to the residual stream.
	share := 1 / math.Sqrt(2*float64(s.Layers))
	var list []tensor
	add := func(t ...tensor) { list = append(list, t...) }
	add(s.norm(blk(i, "attn_norm"), i)...)
	add(s.attention(i)...)
	add(s.linear(i, "attn_output", s.Embedding, s.Embedding, share, s.Arch == "gpt2")...)
	add(s.norm(blk(i, "ffn_norm"), i)...)
	if s.Arch != "gpt2" {
		add(s.linear(i, "ffn_gate", s.Embedding, s.FeedForward, 1, false)...)
	}
	add(s.linear(i, "ffn_up", s.Embedding, s.FeedForward, 1, s.Arch == "gpt2")...)
	down := s.linear(i, "ffn_down", s.FeedForward, s.Embedding, share, s.Arch == "gpt2")
	// GELU lets through more than it holds back: without this every token would
	// get the same large push in one direction, and a few words would win always.
	down[0].centred = s.Arch == "gpt2"
	add(down...)
	return list
}

func (s Spec) attention(i int) []tensor {
	kv := s.HeadSize() * s.KVHeads
	if s.Arch == "gpt2" {
		return s.linear(i, "attn_qkv", s.Embedding, s.Embedding+2*kv, 1, true)
	}
	bias := s.Arch == "qwen2"
	// Sharper than even attention: otherwise all positions are averaged away.
	list := s.linear(i, "attn_q", s.Embedding, s.Embedding, 2, bias)
	list = append(list, s.linear(i, "attn_k", s.Embedding, kv, 1, bias)...)
	return append(list, s.linear(i, "attn_v", s.Embedding, kv, 1, bias)...)
}

func blk(i int, name string) string { return fmt.Sprintf("blk.%d.%s", i, name) }

func (s Spec) matrix(name string, columns, rows int, deviation float32) tensor {
	return tensor{name: name, dims: []int64{int64(columns), int64(rows)}, deviation: deviation}
}

// linear is a matrix of a block and, if wanted, its bias.
func (s Spec) linear(i int, name string, columns, rows int, gain float64, bias bool) []tensor {
	m := s.matrix(blk(i, name)+".weight", columns, rows, scale(gain, columns))
	m.layer = i
	if !bias {
		return []tensor{m}
	}
	return []tensor{m, {name: blk(i, name) + ".bias", dims: []int64{int64(rows)}, deviation: 0.02, layer: i}}
}

// norm is the weight of a norm and, for gpt2, its bias.
func (s Spec) norm(name string, i int) []tensor {
	dims := []int64{int64(s.Embedding)}
	weight := tensor{name: name + ".weight", dims: dims, fill: ones, layer: i}
	if s.Arch != "gpt2" {
		return []tensor{weight}
	}
	return []tensor{weight, {name: name + ".bias", dims: dims, fill: zero, layer: i}}
}

// keys returns the key-values of the model.
func (s Spec) keys() []gguf.KV {
	u32 := func(name string, v int) gguf.KV { return gguf.KV{Key: s.Arch + "." + name, Value: uint32(v)} }
	f32 := func(name string, v float64) gguf.KV { return gguf.KV{Key: s.Arch + "." + name, Value: float32(v)} }
	kvs := []gguf.KV{
		{Key: "general.architecture", Value: s.Arch},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: s.Name},
		{Key: "general.description", Value: fmt.Sprintf("random weights, seed %d", s.Seed)},
		{Key: "general.file_type", Value: uint32(s.Type)},
		{Key: "general.quantization_version", Value: uint32(2)},
		u32("context_length", s.Context),
		u32("embedding_length", s.Embedding),
		u32("block_count", s.Layers),
		u32("feed_forward_length", s.FeedForward),
		u32("attention.head_count", s.Heads),
		u32("attention.head_count_kv", s.KVHeads),
	}
	if s.Arch == "gpt2" {
		kvs = append(kvs, f32("attention.layer_norm_epsilon", 1e-5))
	} else {
		kvs = append(kvs,
			u32("vocab_size", s.vocabSize()),
			u32("rope.dimension_count", s.HeadSize()),
			f32("rope.freq_base", s.RopeBase),
			f32("attention.layer_norm_rms_epsilon", 1e-5))
	}
	return append(kvs, tokenizerKeys(s.Vocab)...)
}
