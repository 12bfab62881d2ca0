package standard_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/standard"
)

// upstream are llama.cpp's own vocabulary and the texts it is tested with.
const upstream = "../../third_party/llama.cpp/dist/models"

// ugly are texts on which tokenizers differ.
var ugly = []string{
	"", " ", "  ", "\n", "\r\n\r\n", "\t \t", "a  b   c    d", strings.Repeat(" ", 300),
	"it's we'll THEY'RE I'd", "3.14159 1,000,000 2026-11-22", "Ärger, naïve, Ωmega, İstanbul",
	"你好，世界", "日本語のテキスト", "한국어", "🚀👩‍👩‍👧‍👦🏳️‍🌈", "\u200b\ufeff\u00a0", "<|endoftext|>", "a<|endoftext|>b",
	"\x00\x01\x7f", "\xff\xfe\x80 broken", "e\u0301 combining", strings.Repeat("Ω", 100), "func main() {\n\treturn\n}\n",
}

func TestVocab(t *testing.T) {
	v, err := standard.Vocab()
	require.NoError(t, err)
	require.Equal(t, 50257, v.Size)
	require.True(t, v.IsControl(standard.EndOfText))
	tokens, err := v.Tokenize("Hello world", false, false)
	require.NoError(t, err)
	require.Equal(t, []engine.Token{15496, 995}, tokens)
	again, err := standard.Vocab()
	require.NoError(t, err)
	require.Same(t, v, again)
}

func TestItIsLlamaCppsGPT2(t *testing.T) {
	ours, err := standard.Vocab()
	require.NoError(t, err)
	m, err := engine.OpenModel(t.Context(), engine.ModelOptions{Path: filepath.Join(upstream, "ggml-vocab-gpt-2.gguf"), VocabOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	theirs := m.Vocab()

	require.Equal(t, theirs.Size, ours.Size)
	for id := range theirs.Size {
		require.Equal(t, theirs.Piece(engine.Token(id)), ours.Piece(engine.Token(id)), "token %d", id)
		require.Equal(t, theirs.IsControl(engine.Token(id)), ours.IsControl(engine.Token(id)), "token %d", id)
	}
	for _, text := range append(files(t), ugly...) {
		for _, special := range []bool{false, true} {
			want, err := theirs.Tokenize(text, special, special)
			require.NoError(t, err)
			got, err := ours.Tokenize(text, special, special)
			require.NoError(t, err)
			require.Equal(t, want, got, "%.40q, special tokens %v", text, special)
		}
	}
}

// files are long texts: the family's, and those upstream tests its vocabularies with.
func files(t *testing.T) []string {
	t.Helper()
	var texts []string
	for _, name := range []string{"../../models/heldout.txt", filepath.Join(upstream, "ggml-vocab-gpt-2.gguf.inp")} {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		texts = append(texts, string(b))
	}
	return texts
}
