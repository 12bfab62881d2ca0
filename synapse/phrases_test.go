package synapse

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
	"axon/kernels"
)

type phraseCase struct {
	Name   string `json:"name"`
	Op     string `json:"op"`
	TopK   int    `json:"topk"`
	Vocab  int    `json:"vocab_size"`
	Batch  int    `json:"batch"`
	Logits struct {
		conformance.Array
		conformance.Generated
	} `json:"logits"`
	Spelling  json.RawMessage `json:"std_token_phrases"`
	Tensor    json.RawMessage `json:"topk_tensor"`
	Compact   json.RawMessage `json:"compact"`
	Shape     []int           `json:"shape"`
	Ties      [][3]int        `json:"ties"`
	Error     *recordedError  `json:"error"`
	TopKError *recordedError  `json:"topk_token_phrases_error"`

	Vocab0     *recordedVocab `json:"to_vocab_min_0"`
	Vocab50257 *recordedVocab `json:"to_vocab_min_50257"`
	Error0     *recordedError `json:"to_vocab_min_0_error"`
	Error50257 *recordedError `json:"to_vocab_min_50257_error"`
}

// recordedVocab are the probabilities of first tokens, dense or but for zeros.
type recordedVocab struct {
	conformance.Array
	Index *conformance.Array `json:"nonzero_index"`
	Value *conformance.Array `json:"nonzero_value"`
}

func (v recordedVocab) values(folder conformance.Folder) []float32 {
	if v.Index == nil {
		return stored(folder, v.Array).Float32s()
	}
	n, _ := Elements(v.Shape)
	out := make([]float32, n)
	values := stored(folder, *v.Value).Float32s()
	for i, at := range stored(folder, *v.Index).Int64s() {
		out[at] = values[i]
	}
	return out
}

// requireFirstTokens compares them, made of the recorded phrases.
func requireFirstTokens(t *testing.T, folder conformance.Folder, c phraseCase) {
	t.Helper()
	n := recordedPhrases(tensorOf(t, folder, c), c.TopK, c.Batch)
	for least, want := range map[int]struct {
		values *recordedVocab
		err    *recordedError
	}{0: {c.Vocab0, c.Error0}, StandardVocabulary: {c.Vocab50257, c.Error50257}} {
		if want.err != nil {
			_, err := n.FirstTokens(NetworkVocabulary, least)
			require.ErrorIs(t, err, ErrDecode)
			continue
		}
		require.NotNil(t, want.values)
		got, err := n.FirstTokens(want.values.Shape[1], least)
		require.NoError(t, err)
		requireNear(t, want.values.values(folder), got, 1e-5, 1e-9)
	}
}

// recordedPhrases reads the reference's tensor.
func recordedPhrases(tensor []float32, topk, texts int) *NextPhrases {
	rows := topk + 1
	width := len(tensor) / texts / rows
	n := &NextPhrases{make([]Phrases, texts)}
	for b := range n.Texts {
		p := &n.Texts[b]
		for i := range topk {
			row := tensor[(b*rows+i)*width:][:width]
			p.List = append(p.List, Phrase{row[0], unpadded(row[1:])})
		}
		p.Floor = tensor[(b*rows+topk)*width]
	}
	return n
}

// refusal says why we refuse, or cannot have, what the reference accepts.
func (c phraseCase) refusal(t *testing.T, folder conformance.Folder) string {
	t.Helper()
	switch {
	case c.TopK == 0 && c.Op != "compact":
		return "no phrases are no answer"
	case c.Op == "compact":
		return "tensors of phrases with padding or negative numbers among them are none that a server has"
	case c.Op == "pipeline" && c.TopK > c.Vocab:
		return "there are no more phrases than tokens here"
	case c.Op == "pipeline" && slices.ContainsFunc(c.logits(folder), func(v float32) bool { return v != v }):
		return "a row with NaN is an error here"
	case c.Op == "unravel" && !bytes.ContainsAny(c.Compact, ".N") && len(c.Compact) > 2:
		return "the compact form is float32 here, and no list of integers"
	case c.Op == "unravel" && c.Error == nil && slices.ContainsFunc(floatsOf(t, folder, c.Compact), noPhrase):
		return "neither a probability nor a token"
	}
	return ""
}

// noPhrase says whether a number is no part of a phrase.
func noPhrase(v float32) bool {
	return !isMark(v) && (!(v >= tokenOffset) || v != float32(math.Trunc(float64(v))) || math.IsInf(float64(v), 0))
}

func TestPhrasesAreTheReferences(t *testing.T) {
	folder := conformance.Open(t, "d_phrases")
	for _, c := range conformance.Cases[phraseCase](folder) {
		t.Run(c.Name, func(t *testing.T) {
			if why := c.refusal(t, folder); why != "" {
				if c.Op == "unravel" && c.Error == nil {
					_, err := ParsePhrases(floatsOf(t, folder, c.Compact), c.TopK)
					require.ErrorIs(t, err, ErrDecode)
				}
				t.Skip(why)
			}
			switch c.Op {
			case "unravel":
				got, err := ParsePhrases(floatsOf(t, folder, c.Compact), c.TopK)
				if c.Error != nil {
					require.ErrorIs(t, err, ErrDecode)
					return
				}
				require.NoError(t, err)
				requirePhrases(t, got, tensorOf(t, folder, c), c, 0)
			case "round_trip":
				compact := floatsOf(t, folder, c.Compact)
				got, err := ParsePhrases(compact, c.TopK)
				require.NoError(t, err)
				requirePhrases(t, got, tensorOf(t, folder, c), c, 0)
				var again []float32
				for _, p := range got {
					again = AppendPhrases(again, p)
				}
				require.Equal(t, compact, again)
			case "pipeline":
				requirePipeline(t, folder, c)
				requireFirstTokens(t, folder, c)
			default:
				t.Fatalf("unknown operation %q", c.Op)
			}
		})
	}
}

// requirePipeline goes from logits to phrases, to the wire, and back.
func requirePipeline(t *testing.T, folder conformance.Folder, c phraseCase) {
	t.Helper()
	logits := c.logits(folder)
	spelling := spellingOf(t, folder, c)
	var made []Phrases
	var compact []float32
	var s kernels.Scratch
	for b := range c.Batch {
		top, lse, err := kernels.Reduce(nil, logits[b*c.Vocab:(b+1)*c.Vocab], c.TopK, kernels.Descending, &s)
		require.NoError(t, err)
		rest := kernels.LogProbs(top, lse, c.Vocab, &s)
		p := NewPhrases(kernels.Sparse{Entries: top, Rest: rest}, c.Vocab, func(token int32) []int32 { return spelling[token] })
		made = append(made, p)
		compact = AppendPhrases(compact, p)
	}
	tolerance := 1e-5
	if c.Vocab > 1000 {
		tolerance = 1e-4
	}
	requirePhrases(t, made, tensorOf(t, folder, c), c, tolerance)
	back, err := ParsePhrases(compact, c.TopK)
	require.NoError(t, err)
	for b := range made { // the same, but for empty and missing lists
		require.Equal(t, made[b].Floor, back[b].Floor)
		for i, p := range made[b].List {
			require.Equal(t, p.Prob, back[b].List[i].Prob)
			require.True(t, slices.Equal(p.Tokens, back[b].List[i].Tokens))
		}
	}
	if len(c.Ties) == 0 && c.TopK < c.Vocab { // with the recorded floor an infinity, lengths still agree
		require.Len(t, compact, len(floatsOf(t, folder, c.Compact)))
	}
}

// requirePhrases compares with the reference's tensor [text, topk+1, width].
func requirePhrases(t *testing.T, got []Phrases, want []float32, c phraseCase, tolerance float64) {
	t.Helper()
	texts, rows, width := len(got), c.TopK+1, 1
	if len(c.Shape) == 3 {
		texts = c.Shape[0]
	}
	if texts > 0 {
		width = len(want) / texts / rows
	}
	require.Len(t, got, texts)
	for b, p := range got {
		require.Len(t, p.List, rows-1)
		for i, phrase := range p.List {
			row := want[(b*rows+i)*width:][:width]
			require.InDelta(t, row[0], phrase.Prob, tolerance*float64(row[0])+1e-9, "text %d, phrase %d", b, i)
			if !c.tied(b, i) {
				require.True(t, slices.Equal(phrase.Tokens, unpadded(row[1:])), "text %d, phrase %d: %v, want %v", b, i, phrase.Tokens, row)
			}
		}
		floor := float64(want[(b*rows+rows-1)*width])
		if !math.IsInf(floor, 0) {
			require.InDelta(t, floor, p.Floor, 2e-5/float64(max(1, c.Vocab-c.TopK)))
		}
	}
}

func (c phraseCase) tied(text, rank int) bool {
	for _, tie := range c.Ties {
		if tie[0] == text && rank >= tie[1] && rank <= tie[2] {
			return true
		}
	}
	return false
}

func unpadded(row []float32) []int32 {
	var tokens []int32
	for _, v := range row {
		if v != -100 {
			tokens = append(tokens, int32(v))
		}
	}
	return tokens
}

func (c phraseCase) logits(folder conformance.Folder) []float32 {
	n := c.Batch * c.Vocab
	switch {
	case c.Logits.Generator == "cubic":
		return c.Logits.Cubic(n)
	case c.Logits.DType == "float16":
		return Tensor{DType: Float16, Data: folder.Array(c.Logits.Array)}.Float32s()
	}
	return Tensor{DType: Float32, Data: folder.Array(c.Logits.Array)}.Float32s()
}

// floatsOf reads a list, in the case itself or in a file.
func floatsOf(t *testing.T, folder conformance.Folder, raw json.RawMessage) []float32 {
	t.Helper()
	var stored conformance.Array
	if json.Unmarshal(raw, &stored) == nil && stored.File != "" {
		return Tensor{DType: Float32, Data: folder.Array(stored)}.Float32s()
	}
	var list []any
	require.NoError(t, json.Unmarshal(raw, &list))
	return flatten(t, list)
}

// flatten reads nested lists of numbers, some of them spelt out.
func flatten(t *testing.T, list []any) []float32 {
	t.Helper()
	out := []float32{}
	for _, v := range list {
		switch v := v.(type) {
		case []any:
			out = append(out, flatten(t, v)...)
		case float64:
			out = append(out, float32(v))
		case string:
			f, ok := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}[v]
			require.True(t, ok, v)
			out = append(out, float32(f))
		}
	}
	return out
}

// tensorOf reads the reference's tensor.
func tensorOf(t *testing.T, folder conformance.Folder, c phraseCase) []float32 {
	t.Helper()
	return floatsOf(t, folder, c.Tensor)
}

// spellingOf reads the standard tokens of each token.
func spellingOf(t *testing.T, folder conformance.Folder, c phraseCase) [][]int32 {
	t.Helper()
	var list [][]int32
	if json.Unmarshal(c.Spelling, &list) == nil {
		return list
	}
	var stored struct{ Lengths, Tokens conformance.Array }
	require.NoError(t, json.Unmarshal(c.Spelling, &stored))
	tokens := folder.Array(stored.Tokens)
	size := len(tokens) / stored.Tokens.Shape[0]
	for _, n := range folder.Array(stored.Lengths) {
		phrase := make([]int32, n)
		for i := range phrase {
			if size == 2 {
				phrase[i] = int32(binary.LittleEndian.Uint16(tokens[2*i:]))
			} else {
				phrase[i] = int32(binary.LittleEndian.Uint32(tokens[4*i:]))
			}
		}
		tokens = tokens[size*int(n):]
		list = append(list, phrase)
	}
	return list
}

func FuzzParsePhrases(f *testing.F) {
	f.Add([]byte{0, 0, 0, 63, 0, 0, 0, 64, 0, 0, 0, 0}, 1)
	f.Fuzz(func(t *testing.T, data []byte, topk int) {
		floats := make([]float32, len(data)/4)
		for i := range floats {
			floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		list, err := ParsePhrases(floats, topk)
		if err != nil {
			require.ErrorIs(t, err, ErrDecode)
			return
		}
		var compact []float32
		for _, p := range list {
			compact = AppendPhrases(compact, p)
		}
		again, err := ParsePhrases(compact, topk)
		require.NoError(t, err)
		require.Equal(t, list, again)
	})
}
