package translate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// merging is byte-pair encoding over a few letters: earlier entries are merged
// first, as in GPT-2's vocabulary. Entry 0 ends a text.
type merging struct {
	pieces []string
	ids    map[string]int32
	lead   string
}

func newMerging(lead string, pieces ...string) *merging {
	v := &merging{pieces: append([]string{"<end>"}, pieces...), ids: make(map[string]int32), lead: lead}
	for i, p := range v.pieces[1:] {
		v.ids[p] = int32(i + 1)
	}
	return v
}

func (v *merging) Size() int              { return len(v.pieces) }
func (v *merging) Piece(t int32) []byte   { return []byte(v.pieces[t]) }
func (v *merging) IsControl(t int32) bool { return t == 0 }
func (v *merging) EndOfText() int32       { return 0 }

func (v *merging) Text(tokens []int32) (string, error) {
	var s strings.Builder
	for _, t := range tokens {
		s.WriteString(v.pieces[t])
	}
	return strings.TrimPrefix(s.String(), v.lead), nil
}

func (v *merging) Tokenize(text string) ([]int32, error) {
	var parts []string
	for i := range v.lead + text {
		parts = append(parts, (v.lead + text)[i:i+1])
	}
	for {
		best, at := int32(math.MaxInt32), -1
		for i := 0; i+1 < len(parts); i++ {
			if id, ok := v.ids[parts[i]+parts[i+1]]; ok && id < best {
				best, at = id, i
			}
		}
		if at < 0 {
			break
		}
		parts = slices.Replace(parts, at, at+2, parts[at]+parts[at+1])
	}
	tokens := make([]int32, len(parts))
	for i, p := range parts {
		tokens[i] = v.ids[p]
	}
	return tokens, nil
}

// chain is a language model of single letters, of order one, that never ends a
// text. What it says about tokens follows from it: see rows.
type chain struct {
	v        *merging
	alphabet string
	next     map[byte][]float64 // after each letter, and after none
	ahead    int                // letters that are enumerated
}

func newChain(v *merging, alphabet string, ahead int, seed uint64) *chain {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &chain{v: v, alphabet: alphabet, next: make(map[byte][]float64), ahead: ahead}
	for _, b := range append([]byte(alphabet), 0) {
		row, sum := make([]float64, len(alphabet)), 0.0
		for i := range row {
			row[i] = math.Pow(r.Float64(), 2) + 0.02
			sum += row[i]
		}
		for i := range row {
			row[i] /= sum
		}
		m.next[b] = row
	}
	return m
}

// each goes through all texts of some letters that go on from a given one.
func (m *chain) each(text string, n int, p float64, f func(text string, p float64)) {
	if n == 0 {
		f(text, p)
		return
	}
	last := byte(0)
	if text != "" {
		last = text[len(text)-1]
	}
	for i, q := range m.next[last] {
		m.each(text+m.alphabet[i:i+1], n-1, p*q, f)
	}
}

// after is the probability of each token of a vocabulary after some tokens: that
// of all texts whose tokens begin so, by brute force.
func (m *chain) after(v *merging, tokens []int32) []float64 {
	probs, total := make([]float64, v.Size()), 0.0
	text, _ := v.Text(tokens)
	m.each(text, m.ahead, 1, func(text string, p float64) {
		all, _ := v.Tokenize(text)
		if len(all) > len(tokens) && slices.Equal(all[:len(tokens)], tokens) {
			probs[all[len(tokens)]] += p
			total += p
		}
	})
	for i := range probs {
		probs[i] /= total
	}
	return probs
}

// rows are those of a perfect model: the letters seen through the server's tokens.
func (m *chain) rows(_ context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
	if positions == nil {
		for p := range tokens {
			positions = append(positions, p)
		}
	}
	for _, p := range positions {
		before := tokens[:p+1]
		if before[0] == 0 { // the end of another text
			before = before[1:]
		}
		row := make([]float32, m.v.Size())
		for t, q := range m.after(m.v, before) {
			row[t] = float32(math.Log(max(q, 1e-30)))
		}
		if err := each(p, row); err != nil {
			return err
		}
	}
	return nil
}

var toyServers = map[string]*merging{
	"letters":  newMerging("", "a", "b", "c"),
	"shorter":  newMerging("", "a", "b", "c", "ab", "ca"),
	"other":    newMerging("", "c", "b", "a", "bc", "cc", "bca", "aa"),
	"longer":   newMerging("", "a", "b", "c", "ab", "abc", "ca", "abcab", "cc"),
	"standard": newMerging("", "a", "b", "c", "ab", "bc", "abc", "cab", "unused"),
}

var toyStandard = newMerging("", "a", "b", "c", "ab", "bc", "abc", "cab")

func translateAll(t testing.TB, p *Pair, tokens []int32, model Rows) [][]float32 {
	t.Helper()
	text, err := p.Prepare(tokens, Exact)
	require.NoError(t, err)
	out := make([][]float32, len(tokens))
	var lock sync.Mutex
	_, err = text.Distributions(t.Context(), model, nil, func(pos int, probs []float32) error {
		lock.Lock()
		defer lock.Unlock()
		require.Nil(t, out[pos], "position %d came twice", pos)
		out[pos] = slices.Clone(probs)
		return nil
	})
	require.NoError(t, err)
	for pos, probs := range out {
		require.Len(t, probs, p.standard.Size(), "position %d", pos)
		requireDistribution(t, probs)
	}
	return out
}

func requireDistribution(t testing.TB, probs []float32) {
	t.Helper()
	sum := 0.0
	for _, p := range probs {
		if !(p >= 0) {
			require.FailNow(t, "not a probability", "%v", p)
		}
		sum += float64(p)
	}
	require.InDelta(t, 1, sum, 1e-4)
}

// TestTheTextsOwnTokensHaveTheirProbability compares with brute force: a model
// whose rows follow from one of letters has one right answer in any vocabulary.
func TestTheTextsOwnTokensHaveTheirProbability(t *testing.T) {
	for name, server := range toyServers {
		t.Run(name, func(t *testing.T) {
			pair, err := NewPair(server, toyStandard)
			require.NoError(t, err)
			compared, off, nats, exact := 0, 0.0, 0.0, 0.0
			for seed := range uint64(6) {
				m := newChain(server, "abc", 6, seed)
				tokens, err := toyStandard.Tokenize([]string{"abcabcacb", "ccbacabab", "abaccabca"}[seed%3])
				require.NoError(t, err)
				got := translateAll(t, pair, tokens, m.rows)
				for s := range tokens[:len(tokens)-1] {
					want := m.after(toyStandard, tokens[:s+1])[tokens[s+1]]
					p := float64(got[s][tokens[s+1]])
					off += math.Abs(p - want)
					nats -= math.Log(p)
					exact -= math.Log(want)
					compared++
				}
			}
			n := float64(compared)
			require.Less(t, off/n, 0.04, "mean error of a probability")
			require.InDelta(t, exact/n, nats/n, 0.03, "nats a token")
			t.Logf("%d tokens: mean error %.4f, %.4f nats a token, %.4f by brute force", compared, off/n, nats/n, exact/n)
		})
	}
}
