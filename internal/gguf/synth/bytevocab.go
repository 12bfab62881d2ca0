package synth

import (
	"fmt"

	"axon/internal/gguf"
)

// ByteVocab returns a vocabulary of the 256 bytes and a few special tokens, for
// models of a few kilobytes. kind is "llama" (SPM) or "gpt2" (BPE); both can
// tokenise any text.
func ByteVocab(kind string) (*gguf.File, error) {
	switch kind {
	case "llama":
		return gguf.NewFile(spmBytes()), nil
	case "gpt2":
		return gguf.NewFile(bpeBytes()), nil
	}
	return nil, fmt.Errorf("unknown kind of vocabulary %q; known are llama gpt2", kind)
}

// The token types that are needed here.
const (
	typeNormal  = 1
	typeUnknown = 2
	typeControl = 3
	typeByte    = 6
)

func spmBytes() []gguf.KV {
	tokens := []string{"<unk>", "<s>", "</s>"}
	types := []int32{typeUnknown, typeControl, typeControl}
	for b := range 256 {
		tokens = append(tokens, fmt.Sprintf("<0x%02X>", b))
		types = append(types, typeByte)
	}
	return []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: "llama"},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.scores", Value: make([]float32, len(tokens))},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(1)},
		{Key: "tokenizer.ggml.eos_token_id", Value: uint32(2)},
		{Key: "tokenizer.ggml.unknown_token_id", Value: uint32(0)},
		{Key: "tokenizer.ggml.add_bos_token", Value: true},
	}
}

func bpeBytes() []gguf.KV {
	var tokens []string
	var types []int32
	for b := range 256 {
		tokens = append(tokens, string(byteRune(byte(b))))
		types = append(types, typeNormal)
	}
	tokens = append(tokens, "th", "the", "<|endoftext|>")
	types = append(types, typeNormal, typeNormal, typeControl)
	end := uint32(len(tokens) - 1)
	return []gguf.KV{
		{Key: "tokenizer.ggml.model", Value: "gpt2"},
		{Key: "tokenizer.ggml.pre", Value: "gpt-2"},
		{Key: "tokenizer.ggml.tokens", Value: tokens},
		{Key: "tokenizer.ggml.token_type", Value: types},
		{Key: "tokenizer.ggml.merges", Value: []string{"t h", "th e"}},
		{Key: "tokenizer.ggml.bos_token_id", Value: end},
		{Key: "tokenizer.ggml.eos_token_id", Value: end},
	}
}

// byteRune is the letter by which GPT-2's vocabulary writes a byte: itself where
// it can be seen, otherwise the next one from 256 on.
func byteRune(b byte) rune {
	next := rune(256)
	for c := range 256 {
		visible := c >= '!' && c <= '~' || c >= 0xa1 && c <= 0xac || c >= 0xae
		if byte(c) == b {
			if visible {
				return rune(c)
			}
			return next
		}
		if !visible {
			next++
		}
	}
	return next
}
