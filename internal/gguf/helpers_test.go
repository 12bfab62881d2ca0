package gguf_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
	"axon/internal/gguf/synth"
)

// small returns a model of a few kilobytes that llama.cpp loads.
func small(t testing.TB) *gguf.Model {
	t.Helper()
	vocab, err := synth.ByteVocab("llama")
	require.NoError(t, err)
	m, err := synth.Model(context.Background(), synth.Spec{
		Arch: "llama", Vocab: vocab, Embedding: 32, Layers: 2, Heads: 4, KVHeads: 2,
		FeedForward: 64, Context: 64, Seed: 1,
	}, nil)
	require.NoError(t, err)
	return m
}

// set changes or adds a key; a nil value removes it.
func set(m *gguf.Model, key string, value any) {
	m.KVs = slices.DeleteFunc(m.KVs, func(kv gguf.KV) bool { return kv.Key == key })
	if value != nil {
		m.KVs = append(m.KVs, gguf.KV{Key: key, Value: value})
	}
}

// text returns the tokens of the model, to be changed in place.
func tokens(m *gguf.Model) []string {
	for _, kv := range m.KVs {
		if kv.Key == "tokenizer.ggml.tokens" {
			return kv.Value.([]string)
		}
	}
	return nil
}

func encode(t testing.TB, m *gguf.Model) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, m.Encode(context.Background(), &b, nil))
	return b.Bytes()
}

func parse(b []byte) (*gguf.File, error) {
	return gguf.Parse(bytes.NewReader(b), int64(len(b)))
}

func check(t testing.TB, m *gguf.Model) gguf.Problems {
	t.Helper()
	f, err := parse(encode(t, m))
	require.NoError(t, err)
	return gguf.Check(f)
}

func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// bytesOf is a tensor's source that writes n zeros.
func bytesOf(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(make([]byte, n))
		return err
	}
}

// vocabFiles returns the vocabularies that ship with llama.cpp, if it is built.
func vocabFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../third_party/llama.cpp/dist/models/ggml-vocab-*.gguf")
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("llama.cpp's vocabulary files are not there; make llama puts them in third_party/llama.cpp/dist/models")
	}
	return files
}
