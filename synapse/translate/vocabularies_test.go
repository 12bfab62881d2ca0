//go:build cgo

package translate

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/enginevocab"
	"axon/internal/gguf"
)

// vocabDir holds llama.cpp's vocabulary files.
const vocabDir = "../../third_party/llama.cpp/dist/models"

// openVocabulary opens one of llama.cpp's vocabularies by its short name.
func openVocabulary(t testing.TB, name string) Vocabulary {
	t.Helper()
	path := filepath.Join(vocabDir, "ggml-vocab-"+name+".gguf")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no vocabulary (%v); make build puts them there", err)
	}
	m, err := engine.OpenModel(t.Context(), engine.ModelOptions{Data: withPattern(t, path), Name: name, VocabOnly: true, NoMmap: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return enginevocab.New(m.Vocab())
}

// withPattern is a vocabulary file that names its word pattern. GPT-NeoX's is old
// and does not: it would be cut into other tokens than the model was trained on.
func withPattern(t testing.TB, path string) []byte {
	t.Helper()
	f, err := gguf.Open(path)
	require.NoError(t, err)
	const key = "tokenizer.ggml.pre"
	m := &gguf.Model{KVs: f.KVs}
	if !slices.ContainsFunc(m.KVs, func(kv gguf.KV) bool { return kv.Key == key }) {
		m.KVs = append(slices.Clip(m.KVs), gguf.KV{Key: key, Value: "gpt-2"})
	}
	var b bytes.Buffer
	require.NoError(t, m.Encode(t.Context(), &b, nil))
	return b.Bytes()
}

// trimmed is a vocabulary whose offsets leave out leading blanks, but for tokens
// that are nothing but several of them: those are added to the vocabulary, and not
// found by its word pattern.
type trimmed struct{ Vocabulary }

func (v trimmed) Spans(text string, tokens []int32) ([]Span, error) {
	spans, err := places(v.Vocabulary, text, tokens)
	for i, s := range spans {
		part := text[s.Start:s.End]
		if len(part) > 1 && strings.Trim(part, " ") == "" {
			continue
		}
		rest := strings.TrimLeft(part, " \t\r\n")
		spans[i].Start = s.End - len(rest)
	}
	return spans, err
}
