package gguf

import (
	"math/bits"
	"strings"
)

// maxTensorName is GGML_MAX_NAME: longer names and the zero behind do not fit.
const maxTensorName = 64

// mapAlignment is what ggml demands of the addresses of tensors in a mapped file.
const mapAlignment = 32

// tensors checks the table: each row alone, then the places of all.
func (c *checker) tensors() {
	seen := make(map[string]bool, len(c.f.Tensors))
	sized := true
	for i := range c.f.Tensors {
		t := &c.f.Tensors[i]
		c.tensorName(i, t.Name, seen)
		sized = c.tensorShape(t) && sized
		c.tensorUse(t)
	}
	// Places follow from sizes: after one bad size all others would be reported too.
	if sized {
		c.places()
	}
}

func (c *checker) tensorName(i int, name string, seen map[string]bool) {
	switch {
	case name == "":
		c.fault(ErrTensor, hintDownload, "tensor %d has no name", i)
	case len(name) >= maxTensorName:
		c.fault(ErrTensor, hintConvert, "the name of tensor %s has %d bytes, more than %d", clip(name), len(name), maxTensorName-1)
	case strings.ContainsRune(name, 0):
		c.fault(ErrTensor, hintDownload, "the name of tensor %s contains a zero byte", clip(name))
	case seen[name]:
		c.fault(ErrDuplicate, hintConvert, "tensor %s stands twice in the file", clip(name))
	}
	seen[name] = true
}

// tensorShape checks type and dimensions; false when the size is unknown.
func (c *checker) tensorShape(t *Tensor) bool {
	name := clip(t.Name)
	if old, ok := removed[t.Type]; ok {
		c.fault(ErrTensor, "quantise the original again", "tensor %s has type %s, which llama.cpp no longer reads", name, old)
		return false
	}
	if !t.Type.Known() {
		c.fault(ErrTensor, hintDownload, "tensor %s has the unknown type %d", name, uint32(t.Type))
		return false
	}
	for _, d := range t.Dims {
		if d <= 0 {
			c.fault(ErrAbsurd, hintDownload, "tensor %s has a dimension of %d", name, d)
			return false
		}
	}
	if _, ok := tensorBytes(t.Type, t.Dims); !ok {
		c.fault(ErrAbsurd, hintDownload, "tensor %s of %v has more bytes than can be counted", name, t.Dims)
		return false
	}
	if row := rowLength(t); row%t.Type.Block() != 0 {
		c.fault(ErrTensor, hintConvert, "tensor %s has rows of %d, no multiple of the %d in a block of %v", name, row, t.Type.Block(), t.Type)
		return false
	}
	return true
}

func rowLength(t *Tensor) int64 {
	if len(t.Dims) == 0 {
		return 1
	}
	return t.Dims[0]
}

// tensorUse finds types that llama.cpp aborts on only when it computes.
func (c *checker) tensorUse(t *Tensor) {
	if !t.Type.Known() {
		return
	}
	name := t.Name
	added := strings.HasSuffix(name, "norm.weight") || strings.HasSuffix(name, ".bias")
	factors := strings.Contains(name, "rope_freqs") || strings.Contains(name, "rope_factors")
	switch {
	case t.Type == Q8_1 || t.Type == Q8_K:
		// They exist only while ggml computes.
		c.fault(ErrTensor, hintConvert, "tensor %s is %v, which no file may hold", clip(name), t.Type)
	case (added && isVector(t) || factors) && t.Type != F32:
		c.fault(ErrTensor, hintConvert, "tensor %s is %v; it must be f32", clip(name), t.Type)
	case isMatrix(name) && !layouts[t.Type].weight:
		c.fault(ErrTensor, hintConvert, "tensor %s is %v, which cannot be multiplied with", clip(name), t.Type)
	}
}

func isVector(t *Tensor) bool { return t.Elements() == rowLength(t) }

// isMatrix names the tensors that every architecture multiplies with or looks
// rows up in. Others may hold integers.
func isMatrix(name string) bool {
	if layer, ok := strings.CutPrefix(name, "blk."); ok {
		_, name, _ = strings.Cut(layer, ".")
	}
	switch name {
	case "token_embd.weight", "position_embd.weight", "token_types.weight", "output.weight",
		"attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_qkv.weight", "attn_output.weight",
		"ffn_up.weight", "ffn_down.weight", "ffn_gate.weight", "ffn_gate_inp.weight",
		"ffn_up_exps.weight", "ffn_down_exps.weight", "ffn_gate_exps.weight":
		return true
	}
	return false
}

// places checks that each tensor begins where the padded one before it ends, as
// gguf_init_from_file demands, and that the file reaches to its end.
func (c *checker) places() {
	expected := uint64(0)
	for i := range c.f.Tensors {
		t := &c.f.Tensors[i]
		if t.Offset != expected {
			c.fault(ErrAbsurd, hintDownload, "tensor %s begins at %d of the data instead of %d", clip(t.Name), t.Offset, expected)
			return
		}
		next, carry := bits.Add64(expected, uint64(pad(t.Size, c.f.Alignment)), 0)
		if carry != 0 || next > 1<<62 {
			c.fault(ErrAbsurd, hintDownload, "the tensors up to %s have more bytes than can be counted", clip(t.Name))
			return
		}
		expected = next
	}
	c.reach()
	c.mappable()
}

func (c *checker) reach() {
	for i := range c.f.Tensors {
		t := &c.f.Tensors[i]
		if end := c.f.DataOffset + int64(t.Offset) + t.Size; end > c.f.Size {
			c.fault(ErrTruncated, hintDownload, "tensor %s ends at byte %d but the file has %d bytes", clip(t.Name), end, c.f.Size)
			return
		}
	}
}

func (c *checker) mappable() {
	if len(c.f.Tensors) == 0 || c.f.Alignment >= mapAlignment {
		return
	}
	for i := range c.f.Tensors {
		t := &c.f.Tensors[i]
		if (c.f.DataOffset+int64(t.Offset))%mapAlignment != 0 {
			c.fault(ErrTensor, hintConvert, "general.alignment is %d; tensor %s cannot be mapped, which needs %d", c.f.Alignment, clip(t.Name), mapAlignment)
			return
		}
	}
}
