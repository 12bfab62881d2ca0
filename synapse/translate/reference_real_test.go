//go:build cgo

package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
	"axon/kernels"
	"axon/synapse"
	"axon/synapse/validator"
)

// realVocabularies are the recordings of real vocabularies with GPT-2's.
type realVocabularies struct {
	conformance.Folder
	opened map[string]Vocabulary
	pairs  map[string]*Pair
	main   *testing.T // outlives the cases
}

func (f *realVocabularies) open(name string) Vocabulary {
	if f.opened[name] == nil {
		f.opened[name] = openVocabulary(f.main, name)
	}
	return f.opened[name]
}

func (f *realVocabularies) pair(server string, cleanUp, trim bool) *Pair {
	key := fmt.Sprint(server, cleanUp, trim)
	if f.pairs[key] == nil {
		v := f.open(server)
		if trim {
			v = trimmed{v}
		}
		p, err := NewPair(v, f.open("gpt-2"))
		require.NoError(f.main, err)
		p.CleanUp = cleanUp
		f.pairs[key] = p
	}
	return f.pairs[key]
}

var realOps = map[string]func(*testing.T, *realVocabularies, recorded){
	"maps":               checkMaps,
	"cleaned_tokens":     checkCleanedTokens,
	"replacement_tokens": checkReplacementTokens,
	"translate":          checkRealTranslation,
	"next":               checkNext,
}

func TestRecordedRealVocabularies(t *testing.T) {
	f := &realVocabularies{conformance.Open(t, "g_real_vocab"), map[string]Vocabulary{}, map[string]*Pair{}, t}
	cases := conformance.Cases[recorded](f.Folder)
	passed := 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			check := realOps[c.Op]
			require.NotNil(t, check, "operation %q", c.Op)
			check(t, f, c)
			passed++
		})
	}
	require.NotZero(t, passed)
	t.Logf("%d of %d cases of g_real_vocab", passed, len(cases))
}

// recordedMap are tokens of every token of another vocabulary.
type recordedMap struct {
	Histogram map[int]int `json:"length_histogram"`
	Hash      string      `json:"sha256_of_lines"`
	Shape     []int       `json:"counts_shape"`
	Sums      []int       `json:"counts_row_sums"`
	Table     struct{ Lengths, Tokens conformance.Array }
}

func (m recordedMap) check(t *testing.T, f *realVocabularies, s sequences, target int) {
	t.Helper()
	tokens := array[int32](t, f.Folder, m.Table.Tokens)
	histogram := map[int]int{}
	for i, n := range array[uint16](t, f.Folder, m.Table.Lengths) {
		require.Equal(t, tokens[:n], s.of(int32(i)), "token %d", i)
		tokens = tokens[n:]
		histogram[int(n)]++
	}
	require.Empty(t, tokens)
	require.Equal(t, m.Histogram, histogram)
	require.Equal(t, m.Hash, hashLines(len(s.first)-1, func(i int) []int32 { return s.of(int32(i)) }))
	u := newUnroll(s)
	require.Equal(t, m.Shape, []int{len(u), target})
	for i, sum := range m.Sums {
		require.Len(t, u[i].to, sum)
	}
}

// hashLines is the hash of lines of numbers.
func hashLines(n int, line func(i int) []int32) string {
	h := sha256.New()
	for i := range n {
		fields := strings.Fields(strings.Trim(fmt.Sprint(line(i)), "[]"))
		_, _ = fmt.Fprintln(h, strings.Join(fields, " "))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func checkMaps(t *testing.T, f *realVocabularies, c recorded) {
	var want struct {
		Server       string
		CleanUp      bool
		Size         int         `json:"server_vocab_len"`
		StandardSize int         `json:"std_vocab_len"`
		Keeps        bool        `json:"whitespace_preserving"`
		ToStandard   recordedMap `json:"server_to_std"`
		ToServer     recordedMap `json:"std_to_server"`
		Broken       int         `json:"server_tokens_with_replacement_character_or_empty"`
		Same         bool        `json:"std_token_phrases_equal_server_to_std"`
	}
	c.into(t, &want)
	p := f.pair(want.Server, want.CleanUp, false)
	r, err := p.reference()
	require.NoError(t, err)
	require.Equal(t, want.Size, p.server.Size())
	require.Equal(t, want.StandardSize, p.standard.Size())
	require.Equal(t, want.Keeps, keepsBlanks(t, r.server))
	want.ToStandard.check(t, f, r.toStandard, want.StandardSize)
	toServer, err := spellPhrases(r.standard, r.server)
	require.NoError(t, err)
	want.ToServer.check(t, f, toServer, want.Size)
	require.Equal(t, want.Same, slices.Equal(referencePhrases(t, p).tokens, r.toStandard.tokens))
	broken := 0
	for i := range int32(want.Size) {
		if text := r.server.decode(i); text == "" || strings.Contains(text, replacement) {
			broken++
		}
	}
	require.Equal(t, want.Broken, broken)
}

// recordedText is [token, text or bytes, decoded text].
type recordedText struct {
	token   int32
	raw     json.RawMessage
	decoded string
}

func (r *recordedText) UnmarshalJSON(b []byte) error {
	return unmarshalTuple(b, &r.token, &r.raw, &r.decoded)
}

func checkCleanedTokens(t *testing.T, f *realVocabularies, c recorded) {
	var want struct {
		Server string
		Count  int
		Tokens []recordedText
	}
	c.into(t, &want)
	plain, tidy := newReader(f.open(want.Server), false), newReader(f.open(want.Server), true)
	n := 0
	for i := range int32(plain.Size()) {
		if plain.decode(i) != tidy.decode(i) {
			n++
		}
	}
	require.Equal(t, want.Count, n)
	for _, token := range want.Tokens {
		var text string
		require.NoError(t, json.Unmarshal(token.raw, &text))
		require.Equal(t, text, plain.decode(token.token))
		require.Equal(t, token.decoded, tidy.decode(token.token))
	}
}

func checkReplacementTokens(t *testing.T, f *realVocabularies, c recorded) {
	var want struct {
		Server string
		Count  int
		Tokens []recordedText
	}
	c.into(t, &want)
	r := newReader(f.open(want.Server), true)
	n := 0
	for i := range int32(r.Size()) {
		if strings.Contains(r.decode(i), replacement) {
			n++
		}
	}
	require.Equal(t, want.Count, n)
	for _, token := range want.Tokens {
		var piece []int
		require.NoError(t, json.Unmarshal(token.raw, &piece))
		require.Len(t, r.Piece(token.token), len(piece))
		for i, b := range r.Piece(token.token) {
			require.Equal(t, piece[i], int(b))
		}
		require.Equal(t, token.decoded, r.decode(token.token))
	}
}

// generated is a tensor too large to store.
type generated struct {
	conformance.Generated
	Shape []int
	Set   [][]float64
}

// rows makes the rows of the last dimension.
func (g generated) rows() [][]float32 {
	n := 1
	for _, d := range g.Shape {
		n *= d
	}
	data := g.Cubic(n)
	for _, s := range g.Set {
		at := 0
		for i, d := range g.Shape {
			at = at*d + int(s[i])
		}
		data[at] = float32(s[len(g.Shape)])
	}
	return rowsOf(data, g.Shape[len(g.Shape)-1])
}

// ties are [row, first, last]: equal values whose order is arbitrary.
type ties [][3]int

func (l ties) has(row, rank int) bool {
	for _, tie := range l {
		if tie[0] == row && tie[1] <= rank && rank <= tie[2] {
			return true
		}
	}
	return false
}

type realTranslation struct {
	translation
	CleanUp   bool
	Trim      bool `json:"trim_offsets"`
	Logits    generated
	SplitMaps []struct {
		Depths []int
		Parts  []struct {
			Entries int
			Hash    string `json:"sha256_of_lines"`
			Sample  [][2]int32
		}
	} `json:"split_maps"`
	Undefined  int               `json:"undefined_mappings"`
	RawSums    []float64         `json:"raw_row_sum_f64"`
	Sums       []float64         `json:"row_sum_f64"`
	Min        conformance.Array `json:"row_min"`
	TopProbs   conformance.Array `json:"top64_prob"`
	TopTokens  conformance.Array `json:"top64_token"`
	Ties       ties
	Next       conformance.Array `json:"next_std_token_prob"`
	Loss       conformance.Array `json:"cross_entropy_per_position"`
	Sampled    []int             `json:"sample_tokens"`
	SampleProb conformance.Array `json:"sample_probs"`
	ServerLoss float64           `json:"server_loss"`
}

func checkRealTranslation(t *testing.T, f *realVocabularies, c recorded) {
	var want realTranslation
	c.into(t, &want)
	if want.Error != nil {
		checkLongServerText(t, f, want)
		return
	}
	p := f.pair(want.Server, want.CleanUp, want.Trim)
	r, err := p.reference()
	require.NoError(t, err)
	logits := want.Logits.rows()
	var texts [][][]float32
	var rows, raw [][]float32
	missing, undefined := 0, 0
	for b, standard := range want.Standard {
		server, spans := want.checkSteps(t, r, b)
		found, m := segments(aligned(server, cuts(server, spans)), spans)
		missing += m
		for _, s := range found[1:] {
			if s.count != 1 && s.standardCount != 1 {
				undefined++
			}
		}
		text, err := p.Prepare(standard, Reference)
		require.NoError(t, err)
		require.Equal(t, want.serverTokens(b), text.Tokens())
		n := want.Logits.Shape[1]
		model := recordedModel(logits[(b+1)*n-len(text.Tokens()) : (b+1)*n])
		texts = append(texts, collect(t, text.Distributions, model, len(standard)))
		rows = append(rows, texts[b]...)
		raw = append(raw, collect(t, text.(*referenceText).distributions, model, len(standard))...)
	}
	require.Equal(t, want.Missing, missing)
	require.Equal(t, want.Undefined, undefined)
	want.checkSplitMaps(t, r)
	want.checkRows(t, f, rows, raw)
	want.checkNextProbs(t, f, texts)
	want.checkLoss(t, texts)
}

// checkLongServerText is for the case that the reference fails on: it cuts the
// server's tokens to the length of the standard ones, and then lacks rows. Nothing
// is cut here, so that the text can be translated.
func checkLongServerText(t *testing.T, f *realVocabularies, want realTranslation) {
	require.Less(t, len(want.Steps.Tokens[0]), len(want.Steps.ServerRaw[0]), "the reference cut something")
	text, err := f.pair(want.Server, want.CleanUp, want.Trim).Prepare(want.Standard[0], Reference)
	require.NoError(t, err)
	require.Len(t, text.Tokens(), len(want.Steps.ServerRaw[0]))
	require.Equal(t, want.Steps.Tokens[0], text.Tokens()[:len(want.Steps.Tokens[0])])
}

func (c realTranslation) checkSplitMaps(t *testing.T, r *reference) {
	for _, m := range c.SplitMaps {
		for i, e := range extents(m.Depths) {
			table, err := r.parts.table(e)
			require.NoError(t, err)
			want := m.Parts[i]
			require.Len(t, table.from, want.Entries)
			require.Equal(t, want.Hash, hashLines(len(table.from), func(k int) []int32 { return []int32{table.from[k], table.to[k]} }))
			for _, s := range want.Sample {
				at, ok := slices.BinarySearch(table.from, s[0])
				require.True(t, ok)
				require.Equal(t, s[1], table.to[at])
			}
		}
	}
}

func (c realTranslation) checkRows(t *testing.T, f *realVocabularies, rows, raw [][]float32) {
	require.Len(t, rows, len(c.Sums))
	lowest := array[float32](t, f.Folder, c.Min)
	samples := rowsOf(array[float32](t, f.Folder, c.SampleProb), len(c.Sampled))
	width := c.TopProbs.Shape[1]
	probs := rowsOf(array[float32](t, f.Folder, c.TopProbs), width)
	tokens := array[int32](t, f.Folder, c.TopTokens)
	for i, row := range rows {
		require.InDelta(t, c.Sums[i], total(row), 1e-5, "sum of row %d", i)
		require.InDelta(t, c.RawSums[i], total(raw[i]), probTolerance*c.RawSums[i]+1e-6, "sum of row %d before it is corrected", i)
		checkProbs(t, lowest[i:i+1], []float32{slices.Min(row)}, "least of row %d", i)
		sampled := make([]float32, len(c.Sampled))
		for k, token := range c.Sampled {
			sampled[k] = row[token]
		}
		checkProbs(t, samples[i], sampled, "samples of row %d", i)
		top, _, err := kernels.Reduce(nil, row, width, kernels.Descending, &kernels.Scratch{})
		require.NoError(t, err)
		for rank, e := range top {
			checkProbs(t, probs[i][rank:rank+1], []float32{e.Value}, "row %d, rank %d", i, rank)
			token := tokens[i*width+rank]
			if !c.Ties.has(i, rank) && !c.close(probs[i], rank) {
				require.Equal(t, token, e.Index, "row %d, rank %d", i, rank)
			}
			// Wherever it stands, the token is as likely as it was.
			checkProbs(t, probs[i][rank:rank+1], []float32{row[token]}, "row %d, token %d", i, token)
		}
	}
}

// close reports whether a value is as near to its neighbour's as rounding may carry
// it, so that their order says nothing.
func (c realTranslation) close(probs []float32, rank int) bool {
	near := func(a, b float32) bool { return math.Abs(float64(a-b)) <= 2*probFloor+probTolerance*float64(a) }
	return rank > 0 && near(probs[rank-1], probs[rank]) || rank+1 >= len(probs) || near(probs[rank], probs[rank+1])
}

func (c realTranslation) checkNextProbs(t *testing.T, f *realVocabularies, texts [][][]float32) {
	probs := rowsOf(array[float32](t, f.Folder, c.Next), len(c.Standard[0]))
	losses := rowsOf(array[float32](t, f.Folder, c.Loss), len(c.Standard[0]))
	for b, rows := range texts {
		for s := range len(rows) - 1 {
			p := rows[s][c.Standard[b][s+1]]
			checkProbs(t, probs[b][s:s+1], []float32{p}, "text %d, next token of row %d", b, s)
			if p >= stableProb {
				require.InDelta(t, losses[b][s], -math.Log(float64(p)), lossTolerance)
			}
		}
	}
}

func checkNext(t *testing.T, f *realVocabularies, c recorded) {
	var want struct {
		Server  string
		CleanUp bool
		TopK    int
		Logits  generated
		Target  []int32 `json:"target_tokens"`
		Compact conformance.Array
		Ties    ties
		Losses  struct {
			First  []float64 `json:"loss_val"`
			Phrase []float64 `json:"loss"`
		} `json:"phrase_cross_entropy"`
	}
	c.into(t, &want)
	p := f.pair(want.Server, want.CleanUp, false)
	phrases := referencePhrases(t, p)
	var batch []synapse.Phrases
	for _, row := range want.Logits.rows() {
		var s kernels.Scratch
		row = row[:min(len(row), p.server.Size())]
		top, lse, err := kernels.Reduce(nil, row, want.TopK, kernels.Descending, &s)
		require.NoError(t, err)
		rest := kernels.LogProbs(top, lse, len(row), &s)
		batch = append(batch, synapse.NewPhrases(kernels.Sparse{Entries: top, Rest: rest}, len(row), phrases.of))
	}
	recordedBatch, err := synapse.ParsePhrases(array[float32](t, f.Folder, want.Compact), want.TopK)
	require.NoError(t, err)
	require.Len(t, batch, len(recordedBatch))
	rule := validator.NewPhraseRule(batch)
	for b, text := range recordedBatch {
		for i, phrase := range text.List {
			require.InEpsilon(t, phrase.Prob, batch[b].List[i].Prob, 1e-4)
			if !want.Ties.has(b, i) {
				require.Equal(t, phrase.Tokens, batch[b].List[i].Tokens, "text %d, phrase %d", b, i)
			}
		}
		require.InDelta(t, text.Floor, batch[b].Floor, 2e-5/float64(p.server.Size()-want.TopK))
		losses, err := rule.Losses(batch[b], want.Target)
		require.NoError(t, err)
		require.InDelta(t, want.Losses.First[b], losses.First, 1e-3)
		require.InDelta(t, want.Losses.Phrase[b], losses.Phrase, 1e-3)
	}
}

// A phrase has the bytes of its token, also where that is a part of a character.
func TestPhrasesKeepTheBytes(t *testing.T) {
	standard := openVocabulary(t, "gpt-2")
	for _, name := range []string{"llama-spm", "gpt-neox", "llama-bpe", "qwen2"} {
		server := openVocabulary(t, name)
		p, err := NewPair(server, standard)
		require.NoError(t, err)
		require.False(t, p.Identical())
		for token := range int32(server.Size()) {
			var spelt []byte
			for _, s := range p.Phrase(token) {
				spelt = append(spelt, standard.Piece(s)...)
			}
			want := server.Piece(token)
			if token == server.EndOfText() {
				want = standard.Piece(standard.EndOfText())
			}
			require.Equal(t, string(want), string(spelt), "%s, token %d", name, token)
		}
	}
}
