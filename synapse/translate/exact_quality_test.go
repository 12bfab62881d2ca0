//go:build cgo

package translate

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/enginevocab"
	"axon/kernels"
)

// speaker is a model that is to be understood in standard tokens.
type speaker struct {
	name       string
	vocabulary Vocabulary
	rows       Rows
}

// member is a trained model of the family.
func member(t testing.TB, file string) speaker {
	t.Helper()
	m, err := engine.OpenModel(t.Context(), engine.ModelOptions{Path: filepath.Join("../../models", file)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	e, err := engine.New(m, engine.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	rows := func(ctx context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
		return e.Distributions(ctx, engine.RowsRequest{Tokens: tokens, Positions: positions, Each: each})
	}
	return speaker{strings.TrimSuffix(file, ".gguf"), enginevocab.New(m.Vocab()), rows}
}

// counter has a vocabulary and has counted the corpus.
func counter(t testing.TB, name string, v Vocabulary, documents []string) speaker {
	t.Helper()
	var tokens [][]int32
	for _, d := range documents {
		one, err := v.Tokenize(d)
		require.NoError(t, err)
		tokens = append(tokens, one)
	}
	return speaker{name, v, learn(v.Size(), tokens).rows}
}

// loss is what became of texts, in nats.
type loss struct {
	bytes, tokens, aligned, ends        int
	own, exact, reference               float64 // of all bytes
	alignedLoss                         float64 // of exact, where the server has the very token
	exactEnds, referenceEnds, givenEnds float64 // of the token that follows a text, and with the text going on
	passes                              int     // for the ends
}

func (l loss) perByte(nats float64) float64 { return (nats - l.own) / float64(l.bytes) }

// measure adds one text.
func (l *loss) measure(t testing.TB, s speaker, p *Pair, text string) {
	t.Helper()
	tokens, err := p.standard.Tokenize(text)
	require.NoError(t, err)
	x, err := p.exact()
	require.NoError(t, err)
	prepared, err := x.prepare(tokens)
	require.NoError(t, err)
	at := prepared.(*exactText)
	first, row := at.common()
	own := s.own(t, at.tokens)
	for _, nats := range own[row:] {
		l.own += nats
	}
	l.bytes += len(at.bytes) - at.ends[first]
	l.tokens += len(tokens) - 1 - first

	exact := nats(t, s, p, tokens, Exact)
	reference := nats(t, s, p, tokens, Reference)
	for i := first + 1; i < len(tokens); i++ {
		l.exact += exact[i]
		l.reference += reference[i]
		if n, ok := at.sole(i); ok {
			l.aligned++
			l.alignedLoss += exact[i] - own[n]
		}
	}
	for i := 20; i < len(tokens); i += 10 {
		l.ends++
		l.givenEnds += exact[i]
		e, passes := s.blind(t, p, tokens[:i+1], Exact)
		l.exactEnds += e
		l.passes += passes
		r, _ := s.blind(t, p, tokens[:i+1], Reference)
		l.referenceEnds += r
	}
}

// common is the first position that ends with a server token, and the row of
// what follows.
func (t *exactText) common() (position, row int) {
	for s, end := range t.ends {
		if n, ok := slices.BinarySearch(t.starts, end); ok && n > 0 {
			return s, n
		}
	}
	return len(t.ends) - 1, len(t.tokens)
}

// sole is the server token that has the same bytes as a standard token.
func (t *exactText) sole(position int) (int, bool) {
	n, ok := slices.BinarySearch(t.starts, t.ends[position-1])
	return n, ok && n+1 < len(t.starts) && t.starts[n+1] == t.ends[position]
}

// own is what the model's own tokens cost, by the row before each.
func (s speaker) own(t testing.TB, tokens []int32) []float64 {
	t.Helper()
	out := make([]float64, len(tokens))
	require.NoError(t, s.rows(t.Context(), tokens, nil, func(pos int, logits []float32) error {
		if pos+1 == len(tokens) {
			return nil
		}
		var err error
		out[pos+1], err = kernels.CrossEntropy(logits, int(tokens[pos+1]))
		return err
	}))
	return out
}

// floor is the least probability that is counted.
const floor = 1e-12

// nats is what each standard token but the first costs.
func nats(t testing.TB, s speaker, p *Pair, tokens []int32, m Method) []float64 {
	t.Helper()
	text, err := p.Prepare(tokens, m)
	require.NoError(t, err)
	out := make([]float64, len(tokens))
	var lock sync.Mutex
	_, err = text.Distributions(t.Context(), s.rows, nil, func(pos int, probs []float32) error {
		lock.Lock()
		defer lock.Unlock()
		requireDistribution(t, probs)
		if pos+1 < len(tokens) {
			out[pos+1] = -math.Log(max(float64(probs[tokens[pos+1]]), floor))
		}
		return nil
	})
	require.NoError(t, err)
	return out
}

// blind is what the last token costs when the text stops before it, and how many
// passes that took.
func (s speaker) blind(t testing.TB, p *Pair, tokens []int32, m Method) (cost float64, passes int) {
	t.Helper()
	last := len(tokens) - 1
	text, err := p.Prepare(tokens[:last], m)
	require.NoError(t, err)
	stats, err := text.Distributions(t.Context(), s.rows, []int{last - 1}, func(_ int, probs []float32) error {
		cost = -math.Log(max(float64(probs[tokens[last]]), floor))
		return nil
	})
	require.NoError(t, err)
	return cost, stats.Passes
}

// TestExactLosesLessThanTheReference is the table of docs/translation.md.
func TestExactLosesLessThanTheReference(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through the vocabularies of five models for a minute")
	}
	held, err := os.ReadFile("../../models/heldout.txt")
	require.NoError(t, err)
	documents, mixedHeld := mixed(t)
	documents = append(corpus(t, string(held), 700_000), slices.Repeat(documents, 3)...)
	var english []string
	for _, d := range strings.Split(string(held), "\n\n\n")[:8] {
		english = append(english, d[:min(len(d), 600)])
	}
	builtIn := member(t, "axon-3m.gguf")
	speakers := []speaker{builtIn, member(t, "axon-gpt2vocab.gguf"), counter(t, "axon", builtIn.vocabulary, documents)}
	for _, name := range servers {
		speakers = append(speakers, counter(t, name, openVocabulary(t, name), documents))
	}
	standard := openVocabulary(t, "gpt-2")
	t.Log("| server | text | bytes | own nats/byte | exact loses/byte | reference loses/byte | exact loses where aligned/token | exact at the end | reference at the end | passes for it | with the text given |")
	for _, s := range speakers {
		p, err := NewPair(s.vocabulary, standard)
		require.NoError(t, err)
		for _, part := range []struct {
			name  string
			texts []string
		}{{"English", english}, {"mixed", mixedHeld}} {
			t.Run(s.name+"/"+part.name, func(t *testing.T) {
				var l loss
				for _, text := range part.texts {
					l.measure(t, s, p, text)
				}
				l.check(t, s.name, part.name)
			})
		}
	}
}

func (l loss) check(t *testing.T, server, text string) {
	n := float64(l.ends)
	exact, reference := l.perByte(l.exact), l.perByte(l.reference)
	aligned := l.alignedLoss / float64(l.aligned)
	t.Logf("| %s | %s | %d | %.3f | %.4f | %.4f | %.4f | %.2f | %.2f | %.2f | %.2f |", server, text, l.bytes,
		l.own/float64(l.bytes), exact, reference, aligned, l.exactEnds/n, l.referenceEnds/n, float64(l.passes)/n, l.givenEnds/n)
	require.Greater(t, l.tokens, 300)
	// The reference can come out ahead of the model, as what it says depends on how
	// the text goes on; then a fifth of its loss is no measure.
	require.LessOrEqual(t, exact, max(reference/5, 0.002), "nats a byte")
	require.Less(t, l.exactEnds, l.referenceEnds+0.05*n, "after the end of a text")
	if l.own/float64(l.bytes) > 4 {
		return // the model has never seen such text: it says no more than that there are 256 bytes
	}
	require.Greater(t, exact, -0.05, "nobody knows more than the model")
	require.LessOrEqual(t, aligned, 0.05, "nats a token, where the text aligns")
}
