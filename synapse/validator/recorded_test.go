package validator

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
	"axon/kernels"
	"axon/synapse"
)

// number is a recorded number: NaN and infinities are spelt out.
type number float64

func (n *number) UnmarshalJSON(raw []byte) error {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		v, err := strconv.ParseFloat(word, 64)
		*n = number(v)
		return err
	}
	return json.Unmarshal(raw, (*float64)(n))
}

// recorded is a tensor: nested lists of numbers, a stored array, or generated.
type recorded struct {
	conformance.Array
	conformance.Generated
	Shape   []int           `json:"shape"`
	Data    json.RawMessage `json:"data"`
	Changes struct {
		Set  [][]float64 `json:"set"`
		Then string      `json:"then"`
	} `json:"changes"`
}

func (r recorded) floats(t *testing.T, f conformance.Folder) []float32 {
	t.Helper()
	n, ok := synapse.Elements(r.Shape)
	require.True(t, ok)
	switch {
	case r.Generator == "cubic":
		values := r.Cubic(n)
		for _, set := range r.Changes.Set {
			at := 0
			for i, index := range set[:len(set)-1] {
				at = at*r.Shape[i] + int(index)
			}
			values[at] = float32(set[len(set)-1])
		}
		return values
	case r.File != "":
		require.Equal(t, "float32", r.DType)
		return synapse.Tensor{DType: synapse.Float32, Data: f.Array(r.Array)}.Float32s()
	}
	values := flatten(t, r.Data)
	require.Len(t, values, n)
	return values
}

func flatten(t *testing.T, raw json.RawMessage) (values []float32) {
	t.Helper()
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, item := range list {
			values = append(values, flatten(t, item)...)
		}
		return values
	}
	var n number
	require.NoError(t, json.Unmarshal(raw, &n))
	return []float32{float32(n)}
}

// phrases reads the reference's tensor [text, phrase and floor, probability and
// tokens]: tokens are rounded, and the padding behind a phrase is none of it. An
// answer of another rank is none.
func (r recorded) phrases(t *testing.T, f conformance.Folder) []synapse.Phrases {
	t.Helper()
	if len(r.Shape) != 3 {
		return nil
	}
	values, width := r.floats(t, f), r.Shape[2]
	list := make([]synapse.Phrases, r.Shape[0])
	for text := range list {
		for range r.Shape[1] - 1 {
			list[text].List = append(list[text].List, synapse.Phrase{Prob: values[0], Tokens: tokensOf(values[1:width])})
			values = values[width:]
		}
		list[text].Floor = values[0]
		values = values[width:]
	}
	return list
}

func rounded(values []float32) (tokens []int32) {
	for _, v := range values {
		tokens = append(tokens, int32(math.RoundToEven(float64(v))))
	}
	return tokens
}

func tokensOf(values []float32) []int32 {
	tokens := rounded(values)
	for len(tokens) > 0 && tokens[len(tokens)-1] == padding {
		tokens = tokens[:len(tokens)-1]
	}
	return tokens
}

func requireClose(t *testing.T, want number, got, relative, absolute float64, what ...any) {
	t.Helper()
	if math.IsNaN(float64(want)) {
		require.True(t, math.IsNaN(got), what...)
		return
	}
	require.InDelta(t, float64(want), got, relative*math.Abs(float64(want))+absolute, what...)
}

func int32s(values []int64) []int32 {
	out := make([]int32, len(values))
	for i, v := range values {
		out[i] = int32(v)
	}
	return out
}

// rows reads logits [text, position, vocabulary]: all of them, or the most likely ones as
// they come out of the synapse's encoding.
func (r recorded) rows(t *testing.T, f conformance.Folder) (rows []kernels.Sparse, vocabulary int) {
	t.Helper()
	if len(r.Shape) != 3 {
		return nil, 0
	}
	logits, width := r.floats(t, f), r.Shape[2]
	topk := 0
	if r.Changes.Then != "" {
		_, err := fmt.Sscanf(r.Changes.Then, "encode with topk %d, decode", &topk)
		require.NoError(t, err)
	}
	for ; len(logits) > 0; logits = logits[width:] {
		if topk > 0 {
			row, err := synapse.ParseCausalLM(encode(t, logits[:width], topk), synapse.NetworkVocabulary)
			require.NoError(t, err)
			rows, vocabulary = append(rows, row), synapse.NetworkVocabulary
			continue
		}
		row := kernels.Sparse{Rest: float32(math.Inf(-1))}
		for i, v := range logits[:width] {
			row.Entries = append(row.Entries, kernels.Entry{Index: int32(i), Value: v})
		}
		rows, vocabulary = append(rows, row), width
	}
	return rows, vocabulary
}

func encode(t *testing.T, logits []float32, topk int) []float32 {
	t.Helper()
	var s kernels.Scratch
	top, lse, err := kernels.Reduce(nil, logits, topk, kernels.Descending, &s)
	require.NoError(t, err)
	kernels.LogProbs(top, lse, len(logits), &s)
	encoded := make([]float32, 2*len(top))
	for i, e := range top {
		encoded[i], encoded[len(top)+i] = float32(math.Exp(float64(e.Value))), float32(e.Index)
	}
	return encoded
}

// withUID collects quantities as the reference has them: with the uid among them.
func withUID(uid int, named func(func(string, float64) bool)) map[string]float64 {
	m := map[string]float64{"uid": float64(uid)}
	for name, value := range named {
		m[name] = value
	}
	return m
}

// tolerances are relative and absolute, by the beginnings of names.
var tolerances = []struct {
	prefix             string
	relative, absolute float64
}{
	{"loss", 0, 1e-4},
	{"est_params", 2e-3, 0},
	{"base_params", 1e-3, 0},
	{"synergy_loss_diff", 1e-3, 1e-4},
	{"synergy", 1e-3, 0}, // and see slack
	{"shapley_values", 1e-3, 0},
	{"logits_divergence", 0, 1e-5},
	{"logits_excess", 1e-3, 1e-4},
	{"routing_", 1e-4, 2e-4}, // follows from the loss
	{"", 1e-4, 1e-6},         // times, counts
}

// slack is what a round may be wrong by beyond the tolerances.
type slack struct {
	base       float64 // the largest base score: synergy is a difference of such
	recomputed bool    // answers are made here, of 50257 logits
	identical  bool    // all divergences are rounding, and so is what they are divided by
}

// of are the tolerances of a quantity.
func (s slack) of(name string) (relative, absolute float64) {
	for _, tol := range tolerances {
		if !strings.HasPrefix(name, tol.prefix) {
			continue
		}
		switch {
		case tol.prefix == "synergy":
			return tol.relative, 1e-3 * s.base
		case tol.prefix == "logits_excess" && s.identical:
			return 0, maxExcess
		case s.recomputed && (tol.prefix == "loss" || tol.prefix == "routing_"):
			return tol.relative, 10 * tol.absolute
		}
		return tol.relative, tol.absolute
	}
	return 0, 0
}
