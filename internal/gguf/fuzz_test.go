package gguf_test

import (
	"encoding/binary"
	"strconv"
	"testing"

	"axon/internal/gguf"
)

// compact returns a model of about a kilobyte: long inputs make a fuzzer slow.
func compact(t testing.TB, tokenizer string) []byte {
	m := &gguf.Model{KVs: []gguf.KV{
		{Key: "general.architecture", Value: "llama"},
		{Key: "llama.context_length", Value: uint32(8)},
		{Key: "llama.embedding_length", Value: uint32(4)},
		{Key: "llama.block_count", Value: uint32(1)},
		{Key: "llama.attention.head_count", Value: []int32{2}},
		{Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)},
		{Key: "llama.expert_count", Value: uint32(2)},
		{Key: "llama.expert_used_count", Value: uint32(1)},
		{Key: "tokenizer.ggml.model", Value: tokenizer},
		{Key: "tokenizer.ggml.tokens", Value: []string{"a", "<0x41>", "\\n"}},
		{Key: "tokenizer.ggml.scores", Value: []float32{0, 1, 2}},
		{Key: "tokenizer.ggml.token_type", Value: []int32{1, 6, 3}},
		{Key: "tokenizer.ggml.merges", Value: []string{"a b"}},
		{Key: "tokenizer.ggml.precompiled_charsmap", Value: []uint8{4, 0, 0, 0, 0, 0, 0, 0, 0}},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(1)},
		{Key: "tokenizer.ggml.add_bos_token", Value: true},
	}, Tensors: []gguf.Source{
		{Name: "token_embd.weight", Dims: []int64{4, 3}, Type: gguf.F16, Write: bytesOf(24)},
		{Name: "blk.0.attn_norm.weight", Dims: []int64{4}, Type: gguf.F32, Write: bytesOf(16)},
	}}
	return encode(t, m)
}

// FuzzParse looks for bytes on which reading or checking panics, hangs or
// allocates far more than it was given.
func FuzzParse(f *testing.F) {
	for _, tokenizer := range []string{"llama", "gpt2", "bert", "t5", "rwkv", "plamo2", "none"} {
		f.Add(compact(f, tokenizer))
	}
	whole := compact(f, "llama")
	f.Add(whole[:len(whole)/2])
	for _, at := range []int{4, 8, 16, 24, 60, 300} {
		broken := append([]byte(nil), whole...)
		binary.LittleEndian.PutUint64(broken[at:], 1<<60)
		f.Add(broken)
	}
	f.Add(header(3, 1, 1).str("general.alignment").u32(4).u32(64).str("t").u32(2).u64(32).u64(2).u32(8).u64(0).fill(128).Bytes())
	f.Add(header(2, 0, 2).str("general.architecture").u32(8).str("llama").str("tokenizer.ggml.model").u32(8).str("rwkv").Bytes())
	f.Add(header(3, 0, 1).str("a").u32(9).u32(8).u64(1 << 60).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parse(b)
		if err != nil {
			printable(t, err.Error())
			return
		}
		for _, p := range append(gguf.Check(file), gguf.CheckVocab(file)...) {
			printable(t, p.String())
		}
		_ = gguf.Summarize(file)
	})
}

// printable checks that nothing of the file reaches a terminal as it is.
func printable(t *testing.T, line string) {
	t.Helper()
	for _, r := range line {
		if !strconv.IsPrint(r) {
			t.Fatalf("unprintable %U in %q", r, line)
		}
	}
}
