package gguf_test

import (
	"encoding/binary"
	"strconv"
	"testing"

	"axon/internal/gguf"
)

// FuzzParse looks for bytes on which reading or checking panics, hangs or
// allocates far more than it was given.
func FuzzParse(f *testing.F) {
	whole := encode(f, small(f))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(whole[:400])
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
