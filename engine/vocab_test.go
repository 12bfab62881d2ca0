package engine_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	llama "axon/cgo"
	"axon/engine"
)

// vocabDir holds llama.cpp's vocabulary files and their test vectors.
const vocabDir = "../third_party/llama.cpp/dist/models"

func openVocab(t *testing.T, path string) *engine.Vocab {
	t.Helper()
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Path: path, VocabOnly: true})
	require.NoError(t, err, path)
	t.Cleanup(func() { _ = m.Close() })
	return m.Vocab()
}

// TestTokenisesAsLlamaCppSays reads llama.cpp's own vectors: texts in .inp,
// their tokens in .out, one line each.
func TestTokenisesAsLlamaCppSays(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join(vocabDir, "*.inp"))
	require.NoError(t, err)
	if len(inputs) == 0 {
		t.Skip("no vocabularies; make build puts them there")
	}
	for _, inp := range inputs {
		file := strings.TrimSuffix(inp, ".inp")
		t.Run(filepath.Base(file), func(t *testing.T) {
			v := openVocab(t, file)
			texts := readVectors(t, inp)
			want := readIDs(t, file+".out")
			require.Len(t, want, len(texts))
			for i, text := range texts {
				got, err := v.Tokenize(text, false, false)
				require.NoError(t, err)
				require.Equal(t, want[i], got, "%q", text)
			}
		})
	}
}

func readVectors(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	const separator = "\n__ggml_vocab_test__\n"
	return strings.Split(strings.TrimSuffix(string(b), separator), separator)
}

func readIDs(t *testing.T, path string) [][]engine.Token {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var lines [][]engine.Token
	for s := bufio.NewScanner(f); s.Scan(); {
		ids := []engine.Token{}
		for _, w := range strings.Fields(s.Text()) {
			n, err := strconv.Atoi(w)
			require.NoError(t, err)
			ids = append(ids, engine.Token(n))
		}
		lines = append(lines, ids)
	}
	return lines
}

var roundTrips = []string{
	"", " ", "Hello, world!", " leading blank", "trailing blank ", "two  blanks ?  no . tidying", "\ttab\nnewline\r\n",
	"naïve café — “quotes”", "日本語のテキスト", "🦙🐪 emoji", "x = a[i] ? b : c; // comment", strings.Repeat(" ", 40),
}

func TestTextIsTheInverseOfTokenize(t *testing.T) {
	builtIn := openModel(t).Vocab()
	vocabs := map[string]*engine.Vocab{"built-in": builtIn}
	for _, name := range []string{"gpt-2", "llama-bpe", "llama-spm"} {
		path := filepath.Join(vocabDir, "ggml-vocab-"+name+".gguf")
		if _, err := os.Stat(path); err == nil {
			vocabs[name] = openVocab(t, path)
		}
	}
	for name, v := range vocabs {
		for _, text := range roundTrips {
			tokens, err := v.Tokenize(text, false, false)
			require.NoError(t, err)
			got, err := v.Text(tokens)
			require.NoError(t, err)
			require.Equal(t, text, got, name)
			spans, err := v.Spans(text, tokens)
			require.NoError(t, err, "%s %q", name, text)
			checkSpans(t, text, spans)
		}
	}
}

// checkSpans wants spans that cover the text without gap or overlap.
func checkSpans(t *testing.T, text string, spans []engine.Span) {
	t.Helper()
	end := 0
	for _, s := range spans {
		require.Equal(t, end, s.Start)
		require.GreaterOrEqual(t, s.End, s.Start)
		end = s.End
	}
	require.Equal(t, len(text), end)
}

func TestEveryTokenHasAPiece(t *testing.T) {
	v := openModel(t).Vocab()
	var all []byte
	for id := range v.Size {
		p := v.Piece(engine.Token(id))
		require.NotEmpty(t, p, "token %d", id)
		if len(p) == 1 {
			all = append(all, p[0])
		}
	}
	slices.Sort(all)
	require.Len(t, slices.Compact(all), 256, "every byte can be spelled")
	require.Nil(t, v.Piece(-1))
	require.Nil(t, v.Piece(engine.Token(v.Size)))
}

func TestIdsOutsideTheVocabularyAreRefused(t *testing.T) {
	v := openModel(t).Vocab()
	for _, id := range []engine.Token{-1, engine.Token(v.Size), 1 << 30} {
		_, err := v.Text([]engine.Token{id})
		require.ErrorIs(t, err, engine.ErrToken)
		_, err = v.Detokenize([]engine.Token{id}, false, false)
		require.ErrorIs(t, err, engine.ErrToken)
		require.False(t, v.IsEOG(id))
		require.Zero(t, v.Attr(id))
	}
}

func TestInvalidUTF8DoesNotCrash(t *testing.T) {
	v := openModel(t).Vocab()
	for _, text := range []string{"\xff\xfe", "a\xc3", "\xed\xa0\x80", "ok\x00nul"} {
		tokens, err := v.Tokenize(text, true, true)
		require.NoError(t, err)
		_, err = v.Text(tokens)
		require.NoError(t, err)
	}
}

func TestChatTemplate(t *testing.T) {
	chat := []llama.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hi"}}
	text, err := llama.ApplyChatTemplate("chatml", chat, true)
	require.NoError(t, err)
	require.Equal(t, "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", text)
	_, err = llama.ApplyChatTemplate("no such template", chat, true)
	require.Error(t, err)
}
