package enginevocab_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/enginevocab"
	"axon/models"
	"axon/synapse/translate"
)

var _ translate.Vocabulary = (*enginevocab.Vocabulary)(nil)

const vocabDir = "../../third_party/llama.cpp/dist/models"

func open(t *testing.T, o engine.ModelOptions) translate.Vocabulary {
	t.Helper()
	o.VocabOnly = true
	m, err := engine.OpenModel(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return enginevocab.New(m.Vocab())
}

func openFile(t *testing.T, name string) translate.Vocabulary {
	t.Helper()
	path := filepath.Join(vocabDir, "ggml-vocab-"+name+".gguf")
	if _, err := os.Stat(path); err != nil {
		t.Skip("no vocabularies; make build puts them there")
	}
	return open(t, engine.ModelOptions{Path: path})
}

func TestBuiltIn(t *testing.T) {
	v := open(t, engine.ModelOptions{Data: models.BuiltIn})
	tokens, err := v.Tokenize("Hello, world!")
	require.NoError(t, err)
	require.NotEmpty(t, tokens)
	text, err := v.Text(tokens)
	require.NoError(t, err)
	require.Equal(t, "Hello, world!", text)
	require.True(t, v.IsControl(v.EndOfText()))
	require.False(t, v.IsControl(tokens[0]))
	require.False(t, v.IsControl(-1))
	require.False(t, v.IsControl(int32(v.Size())))
	require.Nil(t, v.Piece(-1))
}

// Names of control tokens in a text are text; nobody can end it by writing so.
func TestControlTokensCannotBeWritten(t *testing.T) {
	for _, name := range []string{"gpt-2", "llama-spm", "llama-bpe", "qwen2"} {
		v := openFile(t, name)
		end := v.Piece(v.EndOfText())
		require.NotEmpty(t, end, name)
		tokens, err := v.Tokenize(string(end))
		require.NoError(t, err)
		for _, token := range tokens {
			require.False(t, v.IsControl(token), "%s: %q has %d", name, end, token)
		}
	}
}

func TestSentencePiece(t *testing.T) {
	v := openFile(t, "llama-spm")
	tokens, err := v.Tokenize("The\n")
	require.NoError(t, err)
	require.Equal(t, " The", string(v.Piece(tokens[0])), "a blank is put in front of a text")
	require.Equal(t, "\n", string(v.Piece(tokens[1])), "a byte token stands for its byte")
	text, err := v.Text(tokens)
	require.NoError(t, err)
	require.Equal(t, "The\n", text)
	require.True(t, v.IsControl(0), "<unk> is not text")
}

// Tables of GPT-NeoX and Qwen are filled up to a round number of entries.
func TestFillersAreLeftOut(t *testing.T) {
	for name, size := range map[string]int{"gpt-neox": 50277, "qwen2": 151646, "gpt-2": 50257} {
		v := openFile(t, name)
		require.Equal(t, size, v.Size(), name)
		require.NotNil(t, v.Piece(int32(size-1)), name)
		require.Nil(t, v.Piece(int32(size)), name)
	}
}
