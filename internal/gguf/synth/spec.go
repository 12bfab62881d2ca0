package synth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"axon/internal/gguf"
)

// Spec is the shape of a model.
type Spec struct {
	// Arch is llama, qwen2 or gpt2.
	Arch string
	// Name goes to general.name; "" lets the shape speak.
	Name string
	// Vocab is a parsed GGUF whose tokenizer keys are copied; its number of
	// tokens becomes the vocabulary size.
	Vocab *gguf.File
	// Embedding is the width of the residual stream.
	Embedding int
	// Layers is the number of blocks.
	Layers int
	// Heads is the number of query heads; it divides Embedding.
	Heads int
	// KVHeads is the number of key-value heads; it divides Heads. 0 means Heads.
	KVHeads int
	// FeedForward is the inner width of the feed-forward part. 0 means four times Embedding.
	FeedForward int
	// Context is the number of positions that the model is made for.
	Context int
	// RopeBase is the base of the rotary frequencies. 0 means 10000.
	RopeBase float64
	// Type is the quantisation of the file.
	Type gguf.FileType
	// Seed chooses the weights.
	Seed uint64
	// Tied leaves output.weight out: the token embedding serves at both ends.
	Tied bool
}

// Preset is a shape that people know, and the vocabulary file that belongs to it.
type Preset struct {
	Spec Spec
	// Vocab is the name in llama.cpp's models folder: ggml-vocab-<Vocab>.gguf.
	Vocab string
}

var presets = map[string]Preset{
	"gpt2-124m": {
		Spec: Spec{Arch: "gpt2", Embedding: 768, Layers: 12, Heads: 12, KVHeads: 12,
			FeedForward: 3072, Context: 1024, Tied: true},
		Vocab: "gpt-2",
	},
	"tinyllama-1.1b": {
		Spec: Spec{Arch: "llama", Embedding: 2048, Layers: 22, Heads: 32, KVHeads: 4,
			FeedForward: 5632, Context: 2048, RopeBase: 10000},
		Vocab: "llama-spm",
	},
	"llama3-8b": {
		Spec: Spec{Arch: "llama", Embedding: 4096, Layers: 32, Heads: 32, KVHeads: 8,
			FeedForward: 14336, Context: 8192, RopeBase: 500000},
		Vocab: "llama-bpe",
	},
}

// PresetNames returns the names of the presets in order.
func PresetNames() []string { return slices.Sorted(maps.Keys(presets)) }

// FindPreset returns the preset of that name.
func FindPreset(name string) (Preset, error) {
	p, ok := presets[name]
	if !ok {
		return Preset{}, fmt.Errorf("unknown preset %q; known are %s", name, strings.Join(PresetNames(), " "))
	}
	p.Spec.Name = name
	return p, nil
}

// withDefaults returns the spec with its zeros filled in.
func (s Spec) withDefaults() Spec {
	if s.KVHeads == 0 {
		s.KVHeads = s.Heads
	}
	if s.FeedForward == 0 {
		s.FeedForward = 4 * s.Embedding
	}
	if s.RopeBase == 0 {
		s.RopeBase = 10000
	}
	if s.Name == "" {
		s.Name = fmt.Sprintf("%s-%dd-%dl-%dh", s.Arch, s.Embedding, s.Layers, s.Heads)
	}
	return s
}

// HeadSize returns the width of one head.
func (s Spec) HeadSize() int { return s.Embedding / s.Heads }

func (s Spec) vocabSize() int { return len(s.Vocab.Strings("tokenizer.ggml.tokens")) }

// Parameters returns the number of weights; the spec must be valid.
func (s Spec) Parameters() int64 {
	n := int64(0)
	for _, t := range s.withDefaults().tensors() {
		n += t.elements()
	}
	return n
}

// Validate lists all faults of the spec at once, nil if there are none.
func (s Spec) Validate() error {
	s = s.withDefaults()
	var faults []error
	bad := func(when bool, format string, args ...any) {
		if when {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	bad(!slices.Contains(architectures, s.Arch), "architecture %q is none of %s", s.Arch, strings.Join(architectures, " "))
	bad(s.Vocab == nil, "a vocabulary is needed")
	bad(s.Vocab != nil && s.vocabSize() == 0, "the vocabulary has no tokens")
	for _, r := range []struct {
		name          string
		value, lo, hi int
	}{
		{"embedding length", s.Embedding, 1, 1 << 16},
		{"layers", s.Layers, 1, 512},
		{"heads", s.Heads, 1, 1 << 12},
		{"key-value heads", s.KVHeads, 1, 1 << 12},
		{"feed-forward length", s.FeedForward, 1, 1 << 20},
		{"context length", s.Context, 1, 1 << 24},
	} {
		bad(r.value < r.lo || r.value > r.hi, "%s %d is not within %d and %d", r.name, r.value, r.lo, r.hi)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	bad(s.Embedding%s.Heads != 0, "embedding length %d is not a multiple of %d heads", s.Embedding, s.Heads)
	bad(s.Heads%s.KVHeads != 0, "%d heads are not a multiple of %d key-value heads", s.Heads, s.KVHeads)
	bad(s.Arch == "gpt2" && s.KVHeads != s.Heads, "gpt2 has as many key-value heads (%d) as heads (%d)", s.KVHeads, s.Heads)
	bad(s.HeadSize()%2 != 0, "a head of %d is odd, which rotary positions cannot be", s.HeadSize())
	return errors.Join(faults...)
}
