package translate

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
)

// toys are the recordings of small tokenizers.
type toys struct {
	conformance.Folder
	toys  map[string]*toy
	pairs map[string]*Pair
}

func openToys(t *testing.T) (*toys, []recorded) {
	t.Helper()
	f := conformance.Open(t, "g_toy_tokenizers")
	var all struct {
		Tokenizers map[string]*toy
	}
	require.NoError(t, json.Unmarshal(f.Blob(conformance.Blob{File: "cases.json"}), &all))
	return &toys{f, all.Tokenizers, map[string]*Pair{}}, conformance.Cases[recorded](f)
}

func (f *toys) reader(name string) *reader { return newReader(f.toys[name], true) }

// pair is one of the tokenizers with another, that the reference decodes tidily.
func (f *toys) pair(t *testing.T, server, standard string) *Pair {
	t.Helper()
	key := server + " " + standard
	if f.pairs[key] == nil {
		p, err := NewPair(f.toys[server], f.toys[standard])
		require.NoError(t, err)
		p.CleanUp = true
		f.pairs[key] = p
	}
	return f.pairs[key]
}

var toyOps = map[string]func(*testing.T, *toys, recorded){
	"tokenize":           checkTokenize,
	"equivalence":        checkEquivalence,
	"translation_map":    checkTranslationMap,
	"split_map":          checkSplitMap,
	"one_to_many":        checkOneToMany,
	"many_to_one":        checkManyToOne,
	"special_tokens":     checkSpecialTokens,
	"find_offsets":       checkFindOffsets,
	"replace_at_offsets": checkReplaceAtOffsets,
	"pad_offsets":        checkPadOffsets,
	"translate":          checkToyTranslation,
}

func TestRecordedToyTokenizers(t *testing.T) {
	f, cases := openToys(t)
	passed := 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			check := toyOps[c.Op]
			require.NotNil(t, check, "operation %q", c.Op)
			check(t, f, c)
			passed++
		})
	}
	t.Logf("%d of %d cases of g_toy_tokenizers", passed, len(cases))
}

func TestRecordedToyPhrases(t *testing.T) {
	f, _ := openToys(t)
	compared := 0
	for name, toy := range f.toys {
		r := f.reader(name)
		require.Len(t, toy.Singles, toy.Size())
		for i, want := range toy.Singles {
			require.Equal(t, want, r.decode(int32(i)))
		}
		require.Equal(t, toy.KeepsBlanks, keepsBlanks(t, r))
		if toy.Spelt == nil {
			continue
		}
		phrases := referencePhrases(t, f.pair(t, name, "std"))
		for i, want := range toy.Spelt {
			require.Equal(t, want, phrases.of(int32(i)), "%q", toy.Phrases[i])
			compared++
		}
	}
	require.NotZero(t, compared)
}

// referencePhrases are the phrases that the reference answers TextCausalLMNext
// with. [Pair.Phrase] differs from them on purpose, see docs/translation.md.
func referencePhrases(t *testing.T, p *Pair) sequences {
	t.Helper()
	server, standard := newReader(p.server, p.CleanUp), newReader(p.standard, p.CleanUp)
	front := " "
	if keepsBlanks(t, server) {
		front = ""
	}
	s, err := spell(server.Size(), func(token int32) ([]int32, error) {
		return standard.encodePhrase(front + server.decode(token))
	})
	require.NoError(t, err)
	return s
}

// keepsBlanks reports whether a blank is still one after it was encoded. Where it
// is not, the reference puts one in front of every phrase; no tokenizer of a model
// that can be served is of that kind.
func keepsBlanks(t *testing.T, r *reader) bool {
	t.Helper()
	tokens, err := r.Tokenize(" ")
	require.NoError(t, err)
	text, err := r.Text(tokens)
	require.NoError(t, err)
	return text == " "
}

func checkTokenize(t *testing.T, f *toys, c recorded) {
	var want struct {
		Tokenizer, Text, Decoded string
		IDs                      []int32
		Offsets                  [][2]int
	}
	c.into(t, &want)
	r := f.reader(want.Tokenizer)
	tokens, where, err := r.encodeWithSpans(want.Text)
	require.NoError(t, err)
	require.ElementsMatch(t, want.IDs, tokens)
	require.Equal(t, toSpans(want.Offsets), characters(want.Text, where))
	text, err := r.Text(tokens)
	require.NoError(t, err)
	require.Equal(t, want.Decoded, cleanUp(text))
}

func checkEquivalence(t *testing.T, f *toys, c recorded) {
	var want struct {
		First, Second string
		Equivalent    bool
	}
	c.into(t, &want)
	require.Equal(t, want.Equivalent, f.pair(t, want.First, want.Second).Identical())
}

func checkTranslationMap(t *testing.T, f *toys, c recorded) {
	var want struct {
		Source, Target string
		Phrases        [][]int32 `json:"target_tokens_of_source_phrases"`
		Map            struct {
			Counts  conformance.Array
			Lengths map[int]struct{ From, To conformance.Array }
		}
	}
	c.into(t, &want)
	target := f.reader(want.Target)
	s, err := spellPhrases(f.reader(want.Source), target)
	require.NoError(t, err)
	require.Len(t, want.Phrases, len(s.first)-1)
	for i, tokens := range want.Phrases {
		require.Equal(t, tokens, s.of(int32(i)))
	}
	for length, m := range want.Map.Lengths {
		from, to := array[int32](t, f.Folder, m.From), array[int32](t, f.Folder, m.To)
		require.Len(t, to, length*len(from))
		for i, token := range from {
			require.Equal(t, to[i*length:(i+1)*length], s.of(token))
		}
	}
	u := newUnroll(s)
	require.Equal(t, []int{len(u), target.Size()}, want.Map.Counts.Shape)
	counts := make([]int64, len(u)*target.Size())
	for i, st := range u {
		for _, to := range st.to {
			counts[i*target.Size()+int(to)]++
		}
	}
	require.Equal(t, array[int64](t, f.Folder, want.Map.Counts), counts)
}

func checkSplitMap(t *testing.T, f *toys, c recorded) {
	var want struct {
		Tokenizer string
		Depths    []int
		Parts     []struct{ From, To []int32 }
		Probs     conformance.Array
		Split     conformance.Array `json:"split_probs"`
	}
	c.into(t, &want)
	tables := newParts(f.reader(want.Tokenizer))
	probs := array[float32](t, f.Folder, want.Probs)
	rows := rowsOf(array[float32](t, f.Folder, want.Split), len(probs))
	parts := extents(want.Depths)
	require.Len(t, parts, len(want.Parts))
	for i, e := range parts {
		table, err := tables.table(e)
		require.NoError(t, err)
		require.Equal(t, want.Parts[i].From, table.from)
		require.Equal(t, want.Parts[i].To, table.to)
		got := make([]float32, len(probs))
		table.add(got, probs)
		checkProbs(t, rows[i], got, "part %d", i)
	}
}

type manyCase struct {
	Source, Target string
	Many           int
	Probs, Output  conformance.Array
}

func checkOneToMany(t *testing.T, f *toys, c recorded) {
	var want manyCase
	c.into(t, &want)
	s, err := spellPhrases(f.reader(want.Source), f.reader(want.Target))
	require.NoError(t, err)
	u, probs := newUnroll(s), array[float32](t, f.Folder, want.Probs)
	for i, row := range rowsOf(array[float32](t, f.Folder, want.Output), f.toys[want.Target].Size()) {
		got := make([]float32, len(row))
		u.add(got, probs, i)
		checkProbs(t, row, got, "step %d", i)
	}
}

func checkManyToOne(t *testing.T, f *toys, c recorded) {
	var want manyCase
	c.into(t, &want)
	s, err := spellPhrases(f.reader(want.Target), f.reader(want.Source))
	require.NoError(t, err)
	fold := newFold(s)
	row := array[float32](t, f.Folder, want.Output)
	got := make([]float32, len(row))
	for i, probs := range rowsOf(array[float32](t, f.Folder, want.Probs), f.toys[want.Source].Size()) {
		fold.add(got, probs, i)
	}
	checkProbs(t, row, got, "%d rows", want.Many)
}

func checkSpecialTokens(t *testing.T, f *toys, c recorded) {
	var want struct {
		Source, Target string
		Pairings       map[string]string
		Text           []string
		ToText         []string   `json:"to_text"`
		From           [][][2]int `json:"from_offsets"`
		To             [][][2]int `json:"to_offsets"`
		Padded         [][][2]int `json:"pad_offsets"`
	}
	c.into(t, &want)
	name, serverName := f.reader(want.Source).endName(), f.reader(want.Target).endName()
	require.Equal(t, map[string]string{name: serverName}, want.Pairings)
	for i, text := range want.Text {
		w := newTwin(text, name, serverName)
		require.Equal(t, want.ToText[i], w.server)
		require.ElementsMatch(t, toSpans(want.From[i]), w.from)
		require.ElementsMatch(t, toSpans(want.To[i]), w.to)
		require.ElementsMatch(t, toSpans(want.Padded[i]), w.padded)
	}
}

func checkFindOffsets(t *testing.T, _ *toys, c recorded) {
	var want struct {
		Text, Substring string
		Offsets         [][2]int
	}
	c.into(t, &want)
	require.ElementsMatch(t, toSpans(want.Offsets), spansOf(want.Text, want.Substring))
}

// recordedReplacement is [left, right, string].
type recordedReplacement struct {
	span
	with string
}

func (r *recordedReplacement) UnmarshalJSON(b []byte) error {
	return unmarshalTuple(b, &r.left, &r.right, &r.with)
}

// The reference can write another string at each place; it and we only ever write
// the same.
func checkReplaceAtOffsets(t *testing.T, _ *toys, c recorded) {
	var want struct {
		Text    string
		Offsets []recordedReplacement
		New     string   `json:"new_text"`
		Where   [][2]int `json:"new_offsets"`
	}
	c.into(t, &want)
	text, at := want.Text, 0
	var where []span
	for _, r := range want.Offsets {
		replaced, w := replaceAt(text, []span{{r.left + at, r.right + at}}, r.with)
		text, where = replaced, append(where, w...)
		at += len([]rune(r.with)) - (r.right - r.left)
	}
	require.Equal(t, want.New, text)
	require.ElementsMatch(t, toSpans(want.Where), where)
}

func checkPadOffsets(t *testing.T, _ *toys, c recorded) {
	var want struct {
		Offsets, Source, Pad, Result [][][2]int
	}
	c.into(t, &want)
	for i, offsets := range want.Offsets {
		got := pad(toSpans(offsets), toSpans(want.Source[i]), toSpans(want.Pad[i]))
		require.Equal(t, toSpans(want.Result[i]), got)
	}
}

func checkToyTranslation(t *testing.T, f *toys, c recorded) {
	var want struct {
		translation
		Skip           bool `json:"skip_equivalent"`
		Logits         conformance.Array
		Probs          conformance.Array  `json:"probs_std"`
		Raw            *conformance.Array `json:"raw_probs_std"`
		AlignedRecords []struct {
			Offsets  [][2]int `json:"aligned_offsets"`
			Tokens   []int32  `json:"aligned_tokens"`
			Mappings [][6]int
		} `json:"alignment"`
	}
	c.into(t, &want)
	require.NotNil(t, want.Steps.Text)
	p := f.pair(t, want.Server, "std")
	r, err := p.reference()
	require.NoError(t, err)
	logits := rowsOf(array[float32](t, f.Folder, want.Logits), want.Logits.Shape[2])
	probs := rowsOf(array[float32](t, f.Folder, want.Probs), want.Probs.Shape[2])
	var all [][][]float32
	missing := 0
	for b, standard := range want.Standard {
		n := want.Logits.Shape[1]
		rows := logits[b*n : (b+1)*n]
		rows = rows[n-len(want.serverTokens(b)):]
		server, spans := want.checkSteps(t, r, b)
		if want.AlignedRecords != nil {
			a := want.AlignedRecords[b]
			list := cuts(server, spans)
			require.Equal(t, toSpans(a.Offsets), aligned(server, list))
			require.Equal(t, a.Tokens, alignedTokens(t, r, want.serverTokens(b), list))
			found, m := segments(aligned(server, list), spans)
			require.Equal(t, toSegments(a.Mappings), found)
			missing += m
		}
		text, err := r.prepare(standard)
		if want.Skip {
			text, err = p.Prepare(standard, Reference)
		}
		require.NoError(t, err)
		got := collect(t, text.Distributions, recordedModel(rows), len(standard))
		for s, row := range got {
			checkProbs(t, probs[b*len(standard)+s], row, "text %d, row %d", b, s)
		}
		if want.Raw != nil {
			raw := rowsOf(array[float32](t, f.Folder, *want.Raw), want.Raw.Shape[2])
			uncorrected := text.(*referenceText).distributions
			for s, row := range collect(t, uncorrected, recordedModel(rows), len(standard)) {
				checkProbs(t, raw[b*len(standard)+s], row, "text %d, row %d before it is corrected", b, s)
			}
		}
		all = append(all, got)
	}
	require.Equal(t, want.Missing, missing)
	want.checkLoss(t, all)
}

// alignedTokens are the server's tokens where one that is split is replaced by the
// first token of each of its parts.
func alignedTokens(t *testing.T, r *reference, tokens []int32, list []cut) (out []int32) {
	t.Helper()
	from := 0
	for _, c := range list {
		out = append(out, tokens[from:c.token]...)
		text := []rune(r.server.decode(tokens[c.token]))
		for _, e := range extents(c.depths) {
			part, err := r.server.encode(e.of(text))
			require.NoError(t, err)
			out = append(out, part[:min(1, len(part))]...)
		}
		from = c.token + 1
	}
	return append(out, tokens[from:]...)
}
