package translate

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func toyPair(t testing.TB, server *merging) *Pair {
	t.Helper()
	p, err := NewPair(server, toyStandard)
	require.NoError(t, err)
	return p
}

// noise is a model that has an opinion about everything, and the same whenever it
// is asked.
func noise(size int) Rows {
	return func(_ context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
		if positions == nil {
			for p := range tokens {
				positions = append(positions, p)
			}
		}
		for _, p := range positions {
			if err := each(p, noiseRow(size, tokens[:p+1])); err != nil {
				return err
			}
		}
		return nil
	}
}

func noiseRow(size int, before []int32) []float32 {
	seed := uint64(1)
	for _, t := range before {
		seed = seed*31 + uint64(t)
	}
	r := rand.New(rand.NewPCG(seed, 2))
	row := make([]float32, size)
	for i := range row {
		row[i] = float32(r.NormFloat64() * 2)
	}
	return row
}

// TestNothingIsLeaked asks for every token that may come next: what each of them
// would be given as the text's own must not be more than there is.
func TestNothingIsLeaked(t *testing.T) {
	for name, server := range toyServers {
		t.Run(name, func(t *testing.T) {
			pair := toyPair(t, server)
			worst, sum, n := 0.0, 0.0, 0
			for seed := range uint64(4) {
				m := newChain(server, "abc", 6, seed)
				before, err := toyStandard.Tokenize([]string{"abcab", "ccba", "abcc", "cabab"}[seed])
				require.NoError(t, err)
				total := 0.0
				for next := int32(1); int(next) < toyStandard.Size(); next++ {
					tokens := append(slices.Clone(before), next)
					text, _ := toyStandard.Text(tokens)
					if again, _ := toyStandard.Tokenize(text); slices.Equal(again, tokens) {
						total += float64(translateAll(t, pair, tokens, m.rows)[len(before)-1][next])
					}
				}
				sum += total
				n++
				worst = max(worst, math.Abs(total-1))
			}
			t.Logf("sum of what all tokens would get: %.3f, at worst %.3f from 1", sum/float64(n), worst)
			require.Less(t, worst, 0.2)
			require.InDelta(t, 1, sum/float64(n), 0.05)
		})
	}
}

func TestTheSameVocabularyNeedsNoTranslation(t *testing.T) {
	same := newMerging("", toyStandard.pieces[1:]...)
	require.True(t, toyPair(t, same).Identical())
	tokens, err := toyStandard.Tokenize("abcabcacb")
	require.NoError(t, err)
	got := translateAll(t, toyPair(t, same), tokens, noise(same.Size()))
	for s := range tokens {
		want := make([]float32, same.Size())
		require.NoError(t, softmax(want, noiseRow(same.Size(), tokens[:s+1])))
		require.Equal(t, want, got[s])
	}
}

// TestAsIfTheVocabularyWereAnother puts a vocabulary that is the standard one
// through the translation all the same.
func TestAsIfTheVocabularyWereAnother(t *testing.T) {
	same := newMerging("", append(slices.Clone(toyStandard.pieces[1:]), "unused")...)
	require.False(t, toyPair(t, same).Identical())
	tokens, err := toyStandard.Tokenize("abcabcacb")
	require.NoError(t, err)
	m := newChain(same, "abc", 6, 7)
	got := translateAll(t, toyPair(t, same), tokens, m.rows)
	for s := range tokens[:len(tokens)-1] {
		for token, p := range m.after(toyStandard, tokens[:s+1]) {
			require.InDelta(t, p, got[s][token], 1e-4, "position %d, token %d", s, token)
		}
	}
}

func TestOrderAndGoroutinesMakeNoDifference(t *testing.T) {
	for name, server := range toyServers {
		t.Run(name, func(t *testing.T) {
			pair := toyPair(t, server)
			tokens, err := toyStandard.Tokenize("abcabcacbccbaabcabbbacabcab")
			require.NoError(t, err)
			want := translateAll(t, pair, tokens, noise(server.Size()))
			shuffled := func(ctx context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
				var wait sync.WaitGroup
				for _, i := range rand.Perm(len(positions)) {
					wait.Go(func() { _ = noise(server.Size())(ctx, tokens, positions[i:i+1], each) })
				}
				wait.Wait()
				return nil
			}
			require.Equal(t, want, translateAll(t, pair, tokens, shuffled))
		})
	}
}

func TestWantedPositionsAreThoseOfTheWholeText(t *testing.T) {
	for name, server := range toyServers {
		t.Run(name, func(t *testing.T) {
			pair := toyPair(t, server)
			tokens, err := toyStandard.Tokenize("abcabcacbccbaab")
			require.NoError(t, err)
			want := translateAll(t, pair, tokens, noise(server.Size()))
			text, err := pair.Prepare(tokens, Exact)
			require.NoError(t, err)
			for s := range tokens {
				_, err := text.Distributions(t.Context(), noise(server.Size()), []int{s}, func(pos int, probs []float32) error {
					require.Equal(t, s, pos)
					require.Equal(t, want[s], probs)
					return nil
				})
				require.NoError(t, err)
			}
			_, err = text.Distributions(t.Context(), noise(server.Size()), []int{len(tokens)}, nil)
			require.ErrorIs(t, err, ErrText)
		})
	}
}

func TestErrorsEndATranslation(t *testing.T) {
	server := toyServers["shorter"]
	text, err := toyPair(t, server).Prepare([]int32{1, 2, 3}, Exact)
	require.NoError(t, err)
	stop := errors.New("enough")
	_, err = text.Distributions(t.Context(), noise(server.Size()), nil, func(int, []float32) error { return stop })
	require.ErrorIs(t, err, stop)
	_, err = text.Distributions(t.Context(), noise(server.Size()-1), nil, func(int, []float32) error { return nil })
	require.ErrorIs(t, err, ErrVocabulary)
}

func TestAnEndOfTextIsOne(t *testing.T) {
	server := newMerging(" ", "a", "b", "c", " ", " a", "ab")
	pair := toyPair(t, server)
	tokens := []int32{1, 2, 0, 1, 3, 0, 0} // "ab", the end, "ac", two ends
	text, err := pair.Prepare(tokens, Exact)
	require.NoError(t, err)
	spelt := ""
	for _, token := range text.Tokens() {
		spelt += string(server.Piece(token))
	}
	require.Equal(t, " ab<end> ac<end><end>", spelt)
	// A model that is sure that each text ends now.
	ends := func(_ context.Context, _ []int32, positions []int, each func(int, []float32) error) error {
		for _, p := range positions {
			row := noiseRow(server.Size(), nil)
			row[0] = 20
			if err := each(p, row); err != nil {
				return err
			}
		}
		return nil
	}
	got := translateAll(t, pair, tokens, ends)
	for _, s := range []int{1, 4, 5} {
		require.Greater(t, got[s][0], float32(0.99), "position %d", s)
	}
}

func TestTheModelIsAskedAgainWhereTheTextEnds(t *testing.T) {
	server := toyServers["letters"]
	pair := toyPair(t, server)
	m := newChain(server, "abc", 6, 3)
	tokens, err := toyStandard.Tokenize("cccac")
	require.NoError(t, err)
	text, err := pair.Prepare(tokens, Exact)
	require.NoError(t, err)
	last := len(tokens) - 1
	stats, err := text.Distributions(t.Context(), m.rows, []int{last}, func(_ int, probs []float32) error {
		requireDistribution(t, probs)
		want, off := m.after(toyStandard, tokens), 0.0
		for token, p := range want {
			off += math.Abs(p-float64(probs[token])) / 2
		}
		require.Less(t, off, 0.15, "of the probability is elsewhere")
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, stats.Passes, 1)
	require.LessOrEqual(t, stats.Passes, 1+maxAsks)
	stats, err = text.Distributions(t.Context(), m.rows, []int{0}, func(int, []float32) error { return nil })
	require.NoError(t, err)
	require.Equal(t, Stats{Passes: 1, Tokens: len(tokens)}, stats, "no question about the end")
}

func FuzzExact(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 0, 1}, uint8(0))
	f.Add([]byte{0, 0}, uint8(3))
	servers := []*merging{
		newMerging("", "a", "b", "c"), newMerging(" ", "a", "b", "c", " ", " a", "ab", "\xff"),
		newMerging("", "b", "c", "bc"), newMerging("", "a", "b", "c", "abca", "bcabc", "cc"),
	}
	standard := newMerging("", "a", "b", "c", "ab", "bc", "abc", "cab", "\xff", "\xc3", "a\xc3")
	f.Fuzz(func(t *testing.T, raw []byte, which uint8) {
		if len(raw) > 64 {
			return
		}
		tokens := make([]int32, len(raw))
		for i, b := range raw {
			tokens[i] = int32(int(b) % standard.Size())
		}
		server := servers[int(which)%len(servers)]
		pair, err := NewPair(server, standard)
		require.NoError(t, err)
		_, err = pair.Prepare(tokens, Exact)
		if err != nil {
			require.ErrorIs(t, err, ErrText)
			return
		}
		translateAll(t, pair, tokens, noise(server.Size()))
	})
}
