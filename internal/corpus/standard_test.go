package corpus

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/enginevocab"
	"axon/internal/standard"
)

// heldout is English prose and code about Go.
const heldout = "../../models/heldout.txt"

func standardTokens(t testing.TB) *enginevocab.Vocabulary {
	t.Helper()
	v, err := standard.Vocab()
	require.NoError(t, err)
	return enginevocab.New(v)
}

// ugly are pieces of texts in which tokenizers begin tokens at different places.
var ugly = []string{
	" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u0085", "\u3000", "\u2003", "\u200b", "\ufeff", "'", "'s", "'ll", "it's", "THEY'RE", "’s",
	"a", "Word", "naïve", "e\u0301", "Ärger", "Ωmega", "3.14", "1,000", "٣", "Ⅷ", "!", "...", "--", "=====", "(", "\"", "<|endoftext|>",
	"你好", "，", "世界", "。", "「日本語」", "の", "한국어", "ไทย", "हिन्दी", "🚀", "👩‍👩‍👧", "\x1c", "\x7f", "ͼ", "𝒳",
}

// Where the cutter cuts, the whole text's tokens begin and end as well.
func TestWindowsAreTheTextsOwnTokens(t *testing.T) {
	v := standardTokens(t)
	r := random(t, 5)
	for range 800 {
		var b strings.Builder
		for range r.IntN(60) {
			b.WriteString(ugly[r.IntN(len(ugly))])
		}
		requireOwnTokens(t, v, b.String(), 1+r.IntN(8))
	}
	text, err := os.ReadFile(heldout)
	require.NoError(t, err)
	requireOwnTokens(t, v, string(text[:3_000]), 32)
}

func requireOwnTokens(t *testing.T, v *enginevocab.Vocabulary, text string, length int) {
	t.Helper()
	whole, err := v.Tokenize(text)
	require.NoError(t, err)
	first := map[int]int{} // the token that begins at a byte
	at := 0
	for i, token := range whole {
		first[at] = i
		at += len(v.Piece(token))
	}
	c := cutter{v, length}
	for from := range len(text) {
		begin := lastBreak([]byte(text), max(0, from-reach), from)
		if begin < 0 {
			continue
		}
		window, err := c.window([]byte(text), from, min(from+8*length+64, len(text)))
		require.NoError(t, err)
		if window == nil {
			continue
		}
		i, ok := first[begin]
		require.True(t, ok, "no token begins at byte %d of %q", begin, text)
		require.Equal(t, whole[i:min(i+length, len(whole))], window, "from byte %d of %q", begin, text)
	}
}

// Most of what a window does not take was passed over on purpose; that slots hold
// none is rare, which would keep texts with long words out.
func TestFewSlotsHoldNoWindow(t *testing.T) {
	for _, length := range []int{32, 256} {
		c := open(t, Options{Paths: []string{heldout}, Length: length, Tokenizer: standardTokens(t)})
		windows := epoch(t, c, 0)
		t.Logf("%d tokens: %d windows in %d slots, %.1f of a text's bytes to a token of the window",
			length, len(windows), c.Size().Windows, float64(c.Size().Bytes)/float64(len(windows)*length))
		require.Greater(t, float64(len(windows)), 0.97*float64(c.Size().Windows-1))
	}
}

func TestScriptsWithoutBlanks(t *testing.T) {
	text := strings.Repeat("他们在城市的另一端买了一座旧房子，花了一年时间修理。", 400)
	c := open(t, Options{Paths: []string{write(t, t.TempDir(), "zh.txt", text)}, Length: 64, Tokenizer: standardTokens(t)})
	require.Len(t, epoch(t, c, 0), int(c.Size().Windows-1))
}

func BenchmarkDraw(b *testing.B) {
	text, err := os.ReadFile(heldout)
	require.NoError(b, err)
	folder := b.TempDir()
	plain := write(b, folder, "a.txt", string(text))
	var lines strings.Builder
	for part := range slices.Chunk(strings.SplitAfter(string(text), " "), 4000) {
		fmt.Fprintf(&lines, "{\"id\": 1, \"text\": %q}\n", strings.ToValidUTF8(strings.Join(part, ""), ""))
	}
	for _, path := range []string{plain, write(b, folder, "b.jsonl", lines.String())} {
		for _, length := range []int{64, 256, 1024} {
			b.Run(fmt.Sprintf("%s/%d", path[len(path)-5:], length), func(b *testing.B) {
				c := open(b, Options{Paths: []string{path}, Length: length, Tokenizer: standardTokens(b)})
				p := Position{}
				for b.Loop() {
					_, next, err := c.Draw(context.Background(), p, 1)
					require.NoError(b, err)
					p = next
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "windows/s")
			})
		}
	}
}
