package synth

import (
	"slices"
	"strings"

	"axon/internal/gguf"
)

// unsupported are file types that cannot be made from weights alone: ggml needs
// an importance matrix for them, or they are not mixtures of one base type.
var unsupported = []string{"iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m",
	"iq3_xxs", "iq3_xs", "iq3_s", "iq3_m", "q2_k_s", "mxfp4_moe", "nvfp4"}

// FileTypeNames returns the quantisations that Write can make with a full Quantizer.
func FileTypeNames() []string {
	return slices.DeleteFunc(gguf.FileTypeNames(), func(n string) bool { return slices.Contains(unsupported, n) })
}

// mixture chooses the type of each tensor as llama-quantize does without an
// importance matrix: one base type, a better one for the tensors that feel
// quantisation most, F32 for everything that is no matrix.
type mixture struct {
	spec Spec
	// can reports whether the quantizer makes a type.
	can func(gguf.Type) bool
}

func (m mixture) typeOf(t tensor) gguf.Type {
	base := m.spec.Type.Base()
	if !t.matrix() || base == gguf.F32 {
		return gguf.F32
	}
	if base == gguf.F16 || base == gguf.BF16 {
		return base
	}
	return m.fit(m.wanted(t, base), t.dims[0])
}

// wanted is the type before the shape has its say.
func (m mixture) wanted(t tensor, base gguf.Type) gguf.Type {
	name := strings.TrimSuffix(t.name, ".weight")
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "output":
		return m.output(base)
	case "token_embd":
		if m.spec.Tied {
			return m.output(base)
		}
		if base == gguf.TQ1_0 || base == gguf.TQ2_0 || base == gguf.Q2_0 {
			return gguf.Q4_K
		}
	case "attn_v", "attn_qkv":
		return m.values(t.layer, base)
	case "attn_output":
		return m.attentionOutput(base)
	case "ffn_down":
		return m.down(t.layer, base)
	}
	return base
}

// output is the type of the matrix that makes the logits: six bits, or eight
// where the quantizer has no six.
func (m mixture) output(base gguf.Type) gguf.Type {
	if base == gguf.Q8_0 || !m.can(gguf.Q6_K) {
		return gguf.Q8_0
	}
	return gguf.Q6_K
}

func (m mixture) values(layer int, base gguf.Type) gguf.Type {
	grouped := m.spec.Heads/m.spec.KVHeads >= 4
	switch m.spec.Type.String() {
	case "q2_k":
		return either(grouped, gguf.Q4_K, gguf.Q3_K)
	case "q3_k_m":
		return either(layer < 2, gguf.Q5_K, gguf.Q4_K)
	case "q3_k_l":
		return gguf.Q5_K
	case "q4_k_s":
		return either(layer < 4, gguf.Q5_K, base)
	case "q4_k_m", "q5_k_m":
		return either(m.sensitive(layer), gguf.Q6_K, base)
	case "iq4_nl", "iq4_xs":
		return either(grouped, gguf.Q5_K, base)
	}
	return base
}

func (m mixture) attentionOutput(base gguf.Type) gguf.Type {
	switch m.spec.Type.String() {
	case "q2_k":
		return gguf.Q3_K
	case "q3_k_m":
		return gguf.Q4_K
	case "q3_k_l":
		return gguf.Q5_K
	}
	return base
}

func (m mixture) down(layer int, base gguf.Type) gguf.Type {
	first := layer < m.spec.Layers/8
	switch m.spec.Type.String() {
	case "q2_k":
		return gguf.Q3_K
	case "q3_k_m":
		return either(layer < m.spec.Layers/16, gguf.Q5_K, gguf.Q4_K)
	case "q3_k_l":
		return gguf.Q5_K
	case "q4_k_s", "iq4_nl", "iq4_xs":
		return either(first, gguf.Q5_K, base)
	case "q4_k_m", "q5_k_m":
		return either(m.sensitive(layer), gguf.Q6_K, base)
	}
	return base
}

// sensitive are the first and the last eighth of the blocks and every third between.
func (m mixture) sensitive(layer int) bool {
	n := m.spec.Layers
	return layer < n/8 || layer >= 7*n/8 || (layer-n/8)%3 == 2
}

// fit falls back to a type of smaller blocks where a row is not a whole number of them.
func (m mixture) fit(t gguf.Type, columns int64) gguf.Type {
	if columns%t.Block() == 0 {
		return t
	}
	smaller := map[gguf.Type]gguf.Type{
		gguf.Q2_0: gguf.Q4_0, gguf.Q2_K: gguf.Q4_0, gguf.Q3_K: gguf.Q4_0, gguf.TQ1_0: gguf.Q4_0, gguf.TQ2_0: gguf.Q4_0,
		gguf.Q4_K: gguf.Q5_0, gguf.Q5_K: gguf.Q5_1, gguf.Q6_K: gguf.Q8_0, gguf.IQ4XS: gguf.IQ4NL, gguf.Q1_0: gguf.Q4_0,
	}
	if next, ok := smaller[t]; ok && columns%next.Block() == 0 {
		return next
	}
	return gguf.F16
}

func either(yes bool, a, b gguf.Type) gguf.Type {
	if yes {
		return a
	}
	return b
}
