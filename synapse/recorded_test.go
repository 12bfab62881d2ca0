package synapse

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
)

// recordedTensor is a tensor as cases have it: stored, generated, or zero but for
// some numbers.
type recordedTensor struct {
	conformance.Array
	conformance.Generated
	Set     [][]json.RawMessage `json:"set"`
	Changes string              `json:"changes"`

	ZeroExcept *struct {
		Index [][]int   `json:"index"`
		Value []float64 `json:"value"`
	} `json:"zero_except"`
	SparseIndex *conformance.Array `json:"sparse_index"`
	SparseValue *conformance.Array `json:"sparse_value"`
}

// tensor makes it.
func (r recordedTensor) tensor(t *testing.T, folder conformance.Folder) Tensor {
	t.Helper()
	if r.File != "" {
		return stored(folder, r.Array)
	}
	n, ok := Elements(r.Shape)
	require.True(t, ok)
	values := make([]float32, n)
	if r.Generator == "cubic" {
		values = r.Cubic(n)
	}
	if z := r.ZeroExcept; z != nil {
		for i, index := range z.Index {
			values[flat(r.Shape, index)] = float32(z.Value[i])
		}
	}
	if r.SparseIndex != nil {
		numbers := stored(folder, *r.SparseValue).Float32s()
		for i, at := range stored(folder, *r.SparseIndex).Int64s() {
			values[at] = numbers[i]
		}
	}
	r.change(t, values)
	return NewFloat32(values, r.Shape...)
}

// stored reads numbers from their file.
func stored(folder conformance.Folder, a conformance.Array) Tensor {
	return Tensor{DType: torchTypes[a.DType], Shape: a.Shape, Data: folder.Array(a)}
}

func flat(shape, index []int) int {
	at := 0
	for i, d := range shape {
		at = at*d + index[i]
	}
	return at
}

// changeWords are such as logits[0,0,3] = NaN and logits[0,0,0:50000] = -Infinity.
var changeWords = regexp.MustCompile(`^\w+\[([0-9:, ]+)\] = (-?[\w.]+)`)

// change overwrites what set and changes say.
func (r recordedTensor) change(t *testing.T, values []float32) {
	t.Helper()
	for _, set := range r.Set {
		index := make([]int, len(set)-1)
		for i := range index {
			require.NoError(t, json.Unmarshal(set[i], &index[i]))
		}
		values[flat(r.Shape, index)] = number(t, strings.Trim(string(set[len(index)]), `"`))
	}
	if r.Changes == "" {
		return
	}
	words := changeWords.FindStringSubmatch(r.Changes)
	require.NotNil(t, words, r.Changes)
	r.fill(t, values, strings.Split(words[1], ","), 0, number(t, words[2]))
}

// fill sets a slice, whose dimensions are a number, a range, or all.
func (r recordedTensor) fill(t *testing.T, values []float32, dims []string, at int, v float32) {
	t.Helper()
	if len(dims) == 0 {
		values[at] = v
		return
	}
	size := r.Shape[len(r.Shape)-len(dims)]
	first, last, isRange := strings.Cut(strings.TrimSpace(dims[0]), ":")
	from, to := 0, size
	if first != "" {
		from = int(number(t, first))
		to = from + 1
	}
	if isRange {
		to = size
		if last != "" {
			to = int(number(t, last))
		}
	}
	for i := from; i < to; i++ {
		r.fill(t, values, dims[1:], at*size+i, v)
	}
}

func number(t *testing.T, word string) float32 {
	t.Helper()
	v, err := strconv.ParseFloat(word, 64) // knows NaN and Infinity
	require.NoError(t, err)
	return float32(v)
}

// requireNear compares numbers within a relative and an absolute bound; any NaN
// is as good as another.
func requireNear(t *testing.T, want, got []float32, relative, absolute float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		if w != w && got[i] != got[i] || w == got[i] {
			continue
		}
		require.InDelta(t, w, got[i], relative*math.Abs(float64(w))+absolute, "number %d", i)
	}
}

// batchOfShape is a batch of no particular tokens.
func batchOfShape(texts, length int) Batch {
	return Batch{Texts: texts, Length: length, Tokens: make([]int32, texts*length)}
}

// usualLimits are those of a server of moderate size.
func usualLimits() Limits {
	return Limits{
		Texts: 64, Length: 2048, TopK: 4096, Answer: 16 << 20,
		Generate: 2048, Beams: 16, MaxTime: generateTime,
	}
}

// allowed are limits that the recordings keep, rounding of ids included.
func allowed() Limits {
	l := usualLimits()
	l.LossyIDs = true
	return l
}
