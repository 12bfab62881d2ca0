package translate

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// newToy is a greedy tokenizer; its last token ends a text.
func newToy(tokens ...string) *toy {
	v := &toy{Kind: "greedy", Tokens: tokens, Special: map[string]string{"eos_token": tokens[len(tokens)-1]}, ids: map[string]int32{}}
	for i, t := range tokens {
		v.ids[t] = int32(i)
	}
	return v
}

var (
	// letters spells everything, half in single letters.
	letters = newToy("a", "b", "c", " ", "é", "ab", " c", "<end>")
	// words has other words.
	words = newToy("a", "b", "c", " ", "é", "bc", "abc", " ca", "</s>")
)

func newPair(t testing.TB, server, standard Vocabulary) *Pair {
	t.Helper()
	p, err := NewPair(server, standard)
	require.NoError(t, err)
	return p
}

func tokensOf(t testing.TB, v Vocabulary, text string) []int32 {
	t.Helper()
	tokens, err := v.Tokenize(text)
	require.NoError(t, err)
	return tokens
}

// certain is a model that knows what comes: the server's tokens themselves.
func certain(size int, after int32) Rows {
	return func(_ context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
		for _, p := range positions {
			row := make([]float32, size)
			for i := range row {
				row[i] = float32(math.Inf(-1))
			}
			next := after
			if p+1 < len(tokens) {
				next = tokens[p+1]
			}
			row[next] = 0
			if err := each(p, row); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestOneTokenBecomesMany(t *testing.T) {
	p := newPair(t, words, letters)
	standard := tokensOf(t, letters, "cabc") // c, ab, c
	text, err := p.Prepare(standard, Reference)
	require.NoError(t, err)
	require.Equal(t, tokensOf(t, words, "cabc"), text.Tokens()) // c, abc
	rows := collect(t, text.Distributions, certain(words.Size(), words.EndOfText()), len(standard))
	require.InDelta(t, 1, rows[0][letters.ids["ab"]], 1e-6, "the token abc begins with ab …")
	require.InDelta(t, 1, rows[1][letters.ids["c"]], 1e-6, "… and goes on with c")
}

func TestManyTokensBecomeOne(t *testing.T) {
	p := newPair(t, letters, words)
	standard := tokensOf(t, words, "cabc") // c, abc
	text, err := p.Prepare(standard, Reference)
	require.NoError(t, err)
	require.Equal(t, tokensOf(t, letters, "cabc"), text.Tokens()) // c, ab, c
	rows := collect(t, text.Distributions, certain(letters.Size(), letters.EndOfText()), len(standard))
	// "abc" alone is spelt with ab, so that it gets half of the first row; a c in the second
	// place is all its own.
	require.Greater(t, rows[0][words.ids["abc"]], float32(0.5))
}

func TestRowsSumToOne(t *testing.T) {
	p := newPair(t, words, letters)
	standard := tokensOf(t, letters, "ab cab<end>caé  abc")
	text, err := p.Prepare(standard, Reference)
	require.NoError(t, err)
	flat := make([][]float32, len(text.Tokens()))
	for i := range flat {
		flat[i] = make([]float32, words.Size())
	}
	for _, row := range collect(t, text.Distributions, recordedModel(flat), len(standard)) {
		require.InDelta(t, 1, total(row), 1e-6)
	}
}

func TestOnlyWhatIsWantedIsAsked(t *testing.T) {
	p := newPair(t, words, letters)
	text, err := p.Prepare(tokensOf(t, letters, "cabcabcab"), Reference)
	require.NoError(t, err)
	var asked []int
	model := func(ctx context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
		asked = positions
		return certain(words.Size(), 0)(ctx, tokens, positions, each)
	}
	var got []int
	stats, err := text.Distributions(t.Context(), model, []int{1, 2}, func(pos int, _ []float32) error {
		got = append(got, pos)
		return nil
	})
	require.NoError(t, err)
	require.ElementsMatch(t, []int{1, 2}, got)
	require.Less(t, len(asked), len(text.Tokens()))
	require.Equal(t, Stats{Passes: 1, Tokens: len(text.Tokens())}, stats)
	_, err = text.Distributions(t.Context(), model, []int{99}, nil)
	require.ErrorIs(t, err, ErrText)
}

func TestErrorsOfTheModelAndTheCallerArriveAtTheCaller(t *testing.T) {
	p := newPair(t, words, letters)
	text, err := p.Prepare(tokensOf(t, letters, "cabc"), Reference)
	require.NoError(t, err)
	enough := errors.New("enough")
	_, err = text.Distributions(t.Context(), certain(words.Size(), 0), nil, func(int, []float32) error { return enough })
	require.ErrorIs(t, err, enough)

	ignore := func(int, []float32) error { return nil }
	silent := func(context.Context, []int32, []int, func(int, []float32) error) error { return nil }
	_, err = text.Distributions(t.Context(), silent, nil, ignore)
	require.ErrorContains(t, err, "left 2 of 2 rows out")

	broken := func(_ context.Context, _ []int32, positions []int, each func(int, []float32) error) error {
		return each(positions[0], []float32{float32(math.NaN()), 1})
	}
	_, err = text.Distributions(t.Context(), broken, nil, ignore)
	require.ErrorContains(t, err, "row 0")
}

func TestRefusedTexts(t *testing.T) {
	p := newPair(t, words, letters)
	for _, c := range []struct {
		tokens []int32
		method Method
		want   error
	}{
		{nil, Reference, ErrText},
		{[]int32{0, -1}, Reference, ErrToken},
		{[]int32{int32(letters.Size())}, Reference, ErrToken},
		{[]int32{0}, "guess", ErrMethod},
	} {
		_, err := p.Prepare(c.tokens, c.method)
		require.ErrorIs(t, err, c.want)
	}
	_, err := NewPair(newToy("a"), &toy{})
	require.ErrorIs(t, err, ErrVocabulary)
}

func TestIdenticalVocabulariesAreNotTranslated(t *testing.T) {
	p := newPair(t, letters, newToy(letters.Tokens...))
	require.True(t, p.Identical())
	standard := []int32{0, 1, 0, 1} // not as the tokenizer would cut it
	text, err := p.Prepare(standard, Reference)
	require.NoError(t, err)
	require.Equal(t, standard, text.Tokens())
	rows := make([][]float32, len(standard))
	for i := range rows {
		// A model's row may be wider than the vocabulary.
		rows[i] = append(make([]float32, letters.Size()), 7)
	}
	for _, row := range collect(t, text.Distributions, recordedModel(rows), len(standard)) {
		require.Len(t, row, letters.Size())
		require.InDelta(t, 1/float64(letters.Size()), row[3], 1e-6)
	}
	require.Equal(t, []int32{5}, p.Phrase(5))
}

// Characters that are cut, and what is not UTF-8, have tokens, too.
func TestBrokenText(t *testing.T) {
	halves := newToy("a", "\xc3", "\xa9", "\xff", "\ufffd", "<end>")
	server := newToy("a", "é", "\ufffd", "</s>")
	text, err := newPair(t, server, halves).Prepare([]int32{0, 1, 2, 3, 0, 1}, Reference)
	require.NoError(t, err)
	require.Equal(t, []int32{0, 1, 2, 0, 2}, text.Tokens()) // a é � a �
}

func TestSecondPaddedEndOfTextIsMovedTwiceAsInTheReference(t *testing.T) {
	w := newTwin("a<end>b<end>c", "<end>", "</s>")
	require.Equal(t, "a</s>b</s>c", w.server)
	require.Equal(t, []span{{1, 6}, {7, 12}}, w.padded)
	server := pad([]span{{0, 1}, {1, 5}, {5, 6}, {6, 10}, {10, 11}}, w.to, w.padded)
	require.Equal(t, []span{{0, 1}, {1, 6}, {6, 7}, {8, 13}, {13, 14}}, server)
}

func TestNamesOfControlTokensAreReadLongestFirst(t *testing.T) {
	v := newToy("<", ">", "e", "<e>", "<e>>")
	v.Kind, v.Special = "word", map[string]string{"eos_token": "<e>", "x": "<e>>", "unk_token": "e"}
	tokens, spans, err := newReader(v, false).encodeWithSpans("<e>><e><")
	require.NoError(t, err)
	require.Equal(t, []int32{4, 3, 0}, tokens)
	require.Equal(t, []Span{{0, 4}, {4, 7}, {7, 8}}, spans)
}

func TestVocabularyThatChangesTheTextIsRefused(t *testing.T) {
	lower := &lowerCase{letters}
	_, err := newPair(t, lower, words).Prepare(tokensOf(t, words, "abc"), Reference)
	require.NoError(t, err)
	loud := newToy("A", "B", "</s>")
	_, err = newPair(t, lower, loud).Prepare([]int32{0, 1}, Reference)
	require.ErrorIs(t, err, ErrSpans)
}

// lowerCase is a tokenizer that does not keep a text as it is.
type lowerCase struct{ v *toy }

func (l *lowerCase) Size() int                          { return l.v.Size() }
func (l *lowerCase) Piece(t int32) []byte               { return l.v.Piece(t) }
func (l *lowerCase) IsControl(t int32) bool             { return l.v.IsControl(t) }
func (l *lowerCase) EndOfText() int32                   { return l.v.EndOfText() }
func (l *lowerCase) Text(t []int32) (string, error)     { return l.v.Text(t) }
func (l *lowerCase) Tokenize(s string) ([]int32, error) { return l.v.Tokenize(strings.ToLower(s)) }

func TestWhatDependsOnVocabulariesIsMadeOnce(t *testing.T) {
	counting := &countingToy{toy: words}
	p := newPair(t, counting, letters)
	require.NoError(t, p.Warm(Reference))
	warm := counting.calls.Load()
	require.NotZero(t, warm)
	for range 3 {
		_, err := p.Prepare(tokensOf(t, letters, "cabc"), Reference)
		require.NoError(t, err)
	}
	require.Equal(t, warm+3, counting.calls.Load(), "a text is tokenised once, phrases are not tokenised again")
}

type countingToy struct {
	*toy
	calls atomic.Int64
}

func (v *countingToy) Tokenize(text string) ([]int32, error) {
	v.calls.Add(1)
	return v.toy.Tokenize(text)
}

func TestTablesOfPartsAreBounded(t *testing.T) {
	p := newParts(newReader(words, false))
	for i := range 3 * maxParts {
		_, err := p.table(extent{i, untilEnd})
		require.NoError(t, err)
		require.LessOrEqual(t, len(p.tables), maxParts)
	}
	require.Len(t, p.order, len(p.tables))
}

// A tokenizer that fails says so where it is asked, and when the pair is warmed.
func TestErrorsOfTokenizersAreReported(t *testing.T) {
	for _, m := range []Method{Exact, Reference} {
		p := newPair(t, words, &closedToy{letters})
		require.ErrorIs(t, p.Warm(m), errClosed)
		require.Nil(t, p.Phrase(0))
	}
	p := newPair(t, &closedToy{words}, letters)
	require.ErrorIs(t, p.Warm(Reference), errClosed)
	_, err := p.Prepare([]int32{0}, Reference)
	require.ErrorIs(t, err, errClosed)
}

var errClosed = errors.New("closed")

type closedToy struct{ *toy }

func (closedToy) Tokenize(string) ([]int32, error) { return nil, errClosed }
