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
