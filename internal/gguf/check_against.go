package gguf

import (
	"fmt"
	"strings"
)

// against compares the tensors with the keys and the vocabulary. llama.cpp
// refuses what differs too, but after it has opened everything.
func (c *checker) against() {
	if c.has(apart) {
		return
	}
	c.embedding()
	if c.has(uniform) {
		c.layersPresent()
		c.attentionShapes()
	}
}

// tensor finds a tensor in any part.
func (c *checker) tensor(name string) *Tensor {
	for _, f := range append([]*File{c.f}, c.others...) {
		if t := f.Tensor(name); t != nil {
			return t
		}
	}
	return nil
}

func (c *checker) embedding() {
	t := c.tensor("token_embd.weight")
	if t == nil {
		if c.has(uniform) {
			c.fault(ErrTensor, hintDownload, "tensor token_embd.weight is missing")
		}
		return
	}
	columns := rowLength(t)
	if rows, tokens := t.Elements()/max(1, columns), c.vocabSize(); tokens >= 0 && rows != tokens {
		c.fault(ErrTensor, hintConvert, "tensor token_embd.weight has %d rows for %d tokens", rows, tokens)
	}
	width, ok := c.f.Uint(c.f.ArchKey("embedding_length"))
	if ok && c.has(uniform) && columns != int64(width) {
		c.fault(ErrTensor, hintConvert, "tensor token_embd.weight has %d columns; %s is %d", columns, c.f.ArchKey("embedding_length"), width)
	}
}

// vocabSize is the number of tokens that llama.cpp will have, -1 if it is unclear.
func (c *checker) vocabSize() int64 {
	if isNoVocab(c.f.Text("tokenizer.ggml.model")) {
		n, _ := c.f.Uint(c.f.ArchKey("vocab_size"))
		return int64(n)
	}
	if tokens := c.f.Strings("tokenizer.ggml.tokens"); tokens != nil {
		return int64(len(tokens))
	}
	return -1
}

// attentionShapes compares the matrices of attention with the heads: where they
// differ, some architectures would cut the result beyond its end, and abort.
func (c *checker) attentionShapes() {
	h, ok := c.headShape()
	if !ok {
		return
	}
	for _, f := range append([]*File{c.f}, c.others...) {
		for i := range f.Tensors {
			t := &f.Tensors[i]
			if want, axis := h.wants(t.Name); want != 0 && axis < len(t.Dims) && t.Dims[axis] != want {
				c.fault(ErrTensor, hintConvert, "tensor %s is %v; the heads need %d there", clip(t.Name), t.Dims, want)
				return
			}
		}
	}
}

// headShape is the number of heads and the widths of one.
type headShape struct{ heads, kv, key, value int64 }

// headShape reads the heads of the first layer, as all layers have them.
func (c *checker) headShape() (h headShape, ok bool) {
	heads, kv := c.f.layerMax("attention.head_count"), c.f.layerMax("attention.head_count_kv")
	width := c.f.layerMax("embedding_length")
	if heads == 0 || heads > maxHeads || kv > maxHeads || width > maxWidth {
		return h, false
	}
	if !c.f.Has(c.f.ArchKey("attention.head_count_kv")) {
		kv = heads
	}
	h = headShape{int64(heads), int64(kv), int64(width / heads), int64(width / heads)}
	if k, given := c.f.Uint(c.f.ArchKey("attention.key_length")); given {
		h.key = int64(min(k, maxWidth))
	}
	if v, given := c.f.Uint(c.f.ArchKey("attention.value_length")); given {
		h.value = int64(min(v, maxWidth))
	}
	return h, true
}

// wants returns the size that a tensor must have on an axis; 0 for any.
func (h headShape) wants(name string) (size int64, axis int) {
	layer, ok := strings.CutPrefix(name, "blk.")
	if !ok {
		return 0, 0
	}
	_, name, _ = strings.Cut(layer, ".")
	switch name {
	case "attn_q.weight":
		return h.key * h.heads, 1
	case "attn_k.weight":
		return h.key * h.kv, 1
	case "attn_v.weight":
		return h.value * h.kv, 1
	case "attn_qkv.weight":
		return h.key*(h.heads+h.kv) + h.value*h.kv, 1
	case "attn_output.weight":
		return h.value * h.heads, 0
	}
	return 0, 0
}

// layersPresent looks for at least one tensor of each layer.
func (c *checker) layersPresent() {
	layers, ok := c.f.Uint(c.f.ArchKey("block_count"))
	if !ok || layers > maxLayers || len(c.f.Tensors) == 0 {
		return
	}
	found := make(map[string]bool)
	for _, f := range append([]*File{c.f}, c.others...) {
		for _, t := range f.Tensors {
			if rest, isBlock := strings.CutPrefix(t.Name, "blk."); isBlock {
				number, _, _ := strings.Cut(rest, ".")
				found[number] = true
			}
		}
	}
	for i := range layers {
		if !found[fmt.Sprint(i)] {
			c.fault(ErrTensor, hintDownload, "%s is %d, but there are no tensors of layer %d", c.f.ArchKey("block_count"), layers, i)
			return
		}
	}
}
