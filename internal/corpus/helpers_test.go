package corpus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// letters is a tokenizer for which every byte is a token.
type letters struct{}

func (letters) Tokenize(text string) ([]int32, error) {
	tokens := make([]int32, len(text))
	for i := range tokens {
		tokens[i] = int32(text[i])
	}
	return tokens, nil
}

// numbers is a tokenizer of texts that are numbers, whose tokens they are, each with
// what is in front of it.
type numbers struct{}

func (numbers) Tokenize(text string) ([]int32, error) {
	words := strings.Fields(text)
	tokens := make([]int32, len(words))
	for i, w := range words {
		if _, err := fmt.Sscanf(w, "%d", &tokens[i]); err != nil {
			return nil, fmt.Errorf("%q: %w", w, err)
		}
	}
	return tokens, nil
}

// count writes the numbers from … to, of which windows show where they are from.
func count(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%d ", i)
	}
	return b.String()
}

func write(t testing.TB, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func open(t testing.TB, o Options) Corpus {
	t.Helper()
	if o.Tokenizer == nil {
		o.Tokenizer = numbers{}
	}
	c, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// draw gives n windows from the beginning.
func draw(t testing.TB, c Corpus, n int) [][]int32 {
	t.Helper()
	windows, _, err := c.Draw(context.Background(), Position{}, n)
	require.NoError(t, err)
	require.Len(t, windows, n)
	return windows
}

// epoch gives all windows of an epoch.
func epoch(t testing.TB, c Corpus, number uint64) (windows [][]int32) {
	t.Helper()
	for p := (Position{Epoch: number}); ; {
		w, next, err := c.Draw(context.Background(), p, 1)
		require.NoError(t, err)
		if next.Epoch != number {
			return windows
		}
		windows, p = append(windows, w...), next
	}
}

// requireDisjoint checks windows of numbers: each counts on, and none shares one with another.
func requireDisjoint(t testing.TB, windows [][]int32) {
	t.Helper()
	seen := map[int32]bool{}
	for _, w := range windows {
		for i, token := range w {
			require.Equal(t, w[0]+int32(i), token)
			require.False(t, seen[token], "%d comes twice", token)
			seen[token] = true
		}
	}
}

// random is a source of chance that names its seed where a test fails.
func random(t testing.TB, seed uint64) *rand.Rand {
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
