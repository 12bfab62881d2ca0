package synapse

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
	"axon/kernels"
	"axon/synapse/wire"
)

type causalLMCase struct {
	Name        string          `json:"name"`
	Op          string          `json:"op"`
	TopK        int             `json:"topk"`
	Logits      *recordedTensor `json:"logits"`
	Encoded     *recordedTensor `json:"encoded"`
	EncodeError *recordedError  `json:"encode_error"`
	Ties        [][3]int        `json:"ties"`

	RowMin      *conformance.Array `json:"decoded_row_min"`
	LogSumExp   *conformance.Array `json:"decoded_row_logsumexp_f64"`
	Sample      *conformance.Array `json:"decoded_sample"`
	SampleAt    []int              `json:"decoded_sample_positions"`
	AfterMin    *conformance.Array `json:"after_nan_to_num_row_min"`
	AfterAt     *conformance.Array `json:"after_nan_to_num_at_indices"`
	Decoded     *conformance.Array `json:"decoded"`
	StableFloor []bool             `json:"row_floor_is_stable"`

	Gradient     *recordedTensor    `json:"gradient"`
	NonzeroIndex *conformance.Array `json:"decoded_nonzero_index"`
	NonzeroValue *conformance.Array `json:"decoded_nonzero_value"`

	Synapse      string    `json:"synapse"`
	Which        string    `json:"which"`
	RequestShape []int     `json:"request_shape"`
	Generate     int       `json:"num_to_generate"`
	Shape        []int     `json:"shape"`
	AllZero      bool      `json:"all_zero"`
	Data         []float32 `json:"data"`

	Mask         []int32        `json:"mask"`
	Batch        int            `json:"batch"`
	Length       int            `json:"length"`
	EncodedShape []int          `json:"encoded_shape"`
	EncodedRows  []int          `json:"encoded_rows_are"`
	DecodedRows  []int          `json:"decoded_nonzero_rows"`
	Error        *recordedError `json:"error"`
}

func TestCausalLMIsTheReferences(t *testing.T) {
	folder := conformance.Open(t, "c_causallm")
	checks := map[string]func(*testing.T, conformance.Folder, causalLMCase){
		"forward": requireForward, "decode": requireDecoded, "backward": requireGradient,
		"next_backward": requireNextGradient, "nill": requireMissing, "nill_encoded": requireMissingCompact,
		"hidden_mask": requireMask,
	}
	for _, c := range conformance.Cases[causalLMCase](folder) {
		t.Run(c.Name, func(t *testing.T) {
			check, ok := checks[c.Op]
			require.True(t, ok, "unknown operation %q", c.Op)
			check(t, folder, c)
		})
	}
}

func requireForward(t *testing.T, folder conformance.Folder, c causalLMCase) {
	q := &TextCausalLM{TopK: c.TopK}
	logits := c.Logits.tensor(t, folder)
	b := batchOfShape(logits.Shape[0], logits.Shape[1])
	if c.EncodeError != nil { // more entries than tokens
		needs, _ := q.Answer(b)
		require.Error(t, feedRows(needs, logits))
		return
	}
	encoded := c.Encoded.tensor(t, folder)
	needs, finish := q.Answer(b)
	nan := rowsWithNaN(encoded.Float32s(), 2*c.TopK) // which we refuse to answer
	err := feedRows(needs, logits)
	if len(nan) > 0 {
		require.ErrorIs(t, err, kernels.ErrNaN)
		_, err = finish()
		require.ErrorAs(t, err, new(*Fault))
	} else {
		require.NoError(t, err)
		w, err := finish()
		require.NoError(t, err)
		got, err := Decode(w, math.MaxInt32)
		require.NoError(t, err)
		requireRows(t, encoded, got, c.TopK, c.Ties)
	}
	requireDecoded(t, folder, c)
}

// feedRows meets the needs for rows with what logits give, all of them, and
// returns the first error.
func feedRows(needs []Need, logits Tensor) error {
	values, vocabulary := logits.Float32s(), logits.Shape[2]
	length := logits.Shape[1]
	var scratch kernels.Scratch
	var first error
	for row := range logits.Shape[0] * length {
		need := needs[row/length]
		top, lse, err := kernels.Reduce(nil, values[row*vocabulary:(row+1)*vocabulary], need.K, need.Order, &scratch)
		if err == nil {
			rest := kernels.LogProbs(top, lse, vocabulary, &scratch)
			err = need.Row(row%length, kernels.Sparse{Entries: top, Rest: rest})
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

func rowsWithNaN(values []float32, width int) (rows []int) {
	for at := 0; at < len(values); at += max(width, 1) {
		if values[at] != values[at] {
			rows = append(rows, at/width)
		}
	}
	return rows
}

// requireRows compares answers within the tolerances, and ids as sets where
// probabilities are equal, unless they are tied with others that were left out.
func requireRows(t *testing.T, want, got Tensor, topk int, ties [][3]int) {
	t.Helper()
	require.Equal(t, want.Shape, got.Shape)
	w, g := want.Float32s(), got.Float32s()
	for at := 0; at < len(w); at += 2 * topk {
		requireNear(t, w[at:at+topk], g[at:at+topk], 1e-4, 1e-9)
		for first := 0; first < topk; {
			last := first
			for last+1 < topk && w[at+last+1] == w[at+first] {
				last++
			}
			ids := at + topk
			free := last == topk-1 && (last > first || ties == nil) || (phraseCase{Ties: ties}).tied(at/(2*topk), first)
			if !free {
				require.ElementsMatch(t, w[ids+first:ids+last+1], g[ids+first:ids+last+1], "row %d, ranks %d to %d", at/(2*topk), first, last)
			}
			first = last + 1
		}
	}
}

func requireDecoded(t *testing.T, folder conformance.Folder, c causalLMCase) {
	encoded := c.Encoded.tensor(t, folder)
	w, err := Encode(encoded, wire.Serializer_SERIALIZER_MSGPACK)
	require.NoError(t, err)
	b := batchOfShape(encoded.Shape[0], encoded.Shape[1])
	answer, err := (&TextCausalLM{TopK: c.TopK}).Decode(b, w)
	require.NoError(t, err)
	dense := answer.Tensor()
	require.Equal(t, []int{b.Texts, b.Length, NetworkVocabulary}, dense.Shape)
	logs := dense.Float32s()
	sample := finite(stored(folder, *c.Sample).Float32s())
	for row := range b.Texts * b.Length {
		d := requireSane(t, answer.(*Distributions), encoded, row)
		got, tolerance := logs[row*NetworkVocabulary:][:NetworkVocabulary], 1e-4
		if d != nil { // what rounding the sum makes of the rest
			tolerance = min(2e-6+1e-6/math.Exp(float64(d.Rest)), tolerance)
		}
		for i, at := range c.SampleAt {
			if c.StableFloor[row] || d == nil || named(*d, at) {
				require.InDelta(t, sample[row*len(c.SampleAt)+i], got[at], tolerance, "row %d, token %d", row, at)
			}
		}
		c.requireSums(t, folder, got, row, d != nil)
	}
	if c.Decoded != nil {
		requireNear(t, finite(stored(folder, *c.Decoded).Float32s()), logs, 0, 2e-4)
	}
	if c.AfterAt != nil {
		want, ids := stored(folder, *c.AfterAt).Float32s(), encoded.Float32s()
		for i, v := range want {
			row := i / c.TopK
			at := int(ids[row*2*c.TopK+c.TopK+i%c.TopK])
			require.InDelta(t, v, logs[row*NetworkVocabulary+at], 2e-4)
		}
	}
}

// requireSane is a row's distribution, nil where its numbers are no
// probabilities, in which case it is an error.
func requireSane(t *testing.T, d *Distributions, encoded Tensor, row int) *kernels.Sparse {
	t.Helper()
	s, err := d.At(row/d.Length, row%d.Length)
	for _, p := range encoded.Float32s()[row*2*d.TopK:][:d.TopK] {
		if !(p >= 0 && p <= math.MaxFloat32) {
			require.ErrorIs(t, err, ErrDecode)
			return nil
		}
	}
	require.NoError(t, err)
	return &s
}

// requireSums compares a row's least and its log-sum-exp.
func (c causalLMCase) requireSums(t *testing.T, folder conformance.Folder, got []float32, row int, sane bool) {
	t.Helper()
	if !c.StableFloor[row] {
		return
	}
	least := c.RowMin
	if c.AfterMin != nil {
		least = c.AfterMin
	}
	lowest := got[0]
	for _, v := range got {
		lowest = min(lowest, v)
	}
	require.InDelta(t, finite(stored(folder, *least).Float32s())[row], lowest, 1e-4)
	if sane {
		lse, err := kernels.LogSumExp(got)
		require.NoError(t, err)
		require.InDelta(t, stored(folder, *c.LogSumExp).float()(row), lse, 1e-4)
	}
}

func named(d kernels.Sparse, token int) bool {
	for _, e := range d.Entries {
		if int(e.Index) == token {
			return true
		}
	}
	return false
}

func requireGradient(t *testing.T, folder conformance.Folder, c causalLMCase) {
	q := &TextCausalLM{TopK: c.TopK}
	gradient := c.Gradient.tensor(t, folder)
	b := batchOfShape(gradient.Shape[0], gradient.Shape[1])
	got, err := q.EncodeGradient(b, gradient)
	require.NoError(t, err)
	requireSparse(t, c.Encoded.tensor(t, folder), got, c.TopK)

	decoded, err := q.DecodeGradient(b, c.Encoded.tensor(t, folder))
	require.NoError(t, err)
	want := make([]float32, gradient.Len())
	values := stored(folder, *c.NonzeroValue).Float32s()
	for i, at := range stored(folder, *c.NonzeroIndex).Int64s() {
		want[at] = values[i]
	}
	require.Equal(t, want, decoded.Tensor().Float32s())
}

// requireSparse compares the largest gradients exactly: ids only where the
// gradient is not the same as that of a neighbour, or the last.
func requireSparse(t *testing.T, want, got Tensor, topk int) {
	t.Helper()
	require.Equal(t, want.Shape, got.Shape)
	w, g := want.Float32s(), got.Float32s()
	for row := 0; row < len(w); row += 2 * topk {
		require.Equal(t, w[row:row+topk], g[row:row+topk])
		for rank := range topk {
			v := w[row+rank]
			free := rank > 0 && w[row+rank-1] == v || rank+1 < topk && w[row+rank+1] == v || v == 0
			if !free {
				require.Equal(t, w[row+topk+rank], g[row+topk+rank], "rank %d", rank)
			}
		}
	}
}

func requireNextGradient(t *testing.T, folder conformance.Folder, c causalLMCase) {
	q := &TextCausalLMNext{TopK: c.TopK}
	gradient := c.Gradient.tensor(t, folder)
	b := batchOfShape(gradient.Shape[0], 1)
	got, err := q.EncodeGradient(b, gradient)
	require.NoError(t, err)
	want := c.Encoded.tensor(t, folder)
	require.Equal(t, want, got)
	back, err := q.DecodeGradient(b, got)
	require.NoError(t, err)
	require.Equal(t, stored(folder, *c.Decoded), back.Tensor())
}

// synapseNamed is one with the case's settings.
func (c causalLMCase) synapseNamed(t *testing.T) Synapse {
	t.Helper()
	task, ok := TaskNamed(c.Synapse)
	require.True(t, ok)
	switch q := task.Default().(type) {
	case *TextCausalLM:
		q.TopK = c.TopK
		return q
	case *TextCausalLMNext:
		q.TopK = c.TopK
		return q
	case *TextSeq2Seq:
		q.NumToGenerate = c.Generate
		return q
	default:
		return q
	}
}

func requireMissing(t *testing.T, _ conformance.Folder, c causalLMCase) {
	q := c.synapseNamed(t).(Missing)
	got := q.MissingAnswer(c.RequestShape)
	if c.Which == "nill_backward_response_tensor" {
		got = q.MissingGradient(c.RequestShape)
	} else {
		require.Equal(t, "nill_forward_response_tensor", c.Which)
	}
	want := c.Data
	if c.AllZero {
		n, _ := Elements(c.Shape)
		want = make([]float32, n)
	}
	require.Equal(t, c.Shape, got.Shape)
	require.Equal(t, want, got.Float32s())
}

func requireMissingCompact(t *testing.T, _ conformance.Folder, c causalLMCase) {
	var compact []float32
	for _, p := range (&TextCausalLMNext{TopK: c.TopK}).missing(c.RequestShape) {
		compact = AppendPhrases(compact, p)
	}
	require.Equal(t, c.Data, compact)
}

func requireMask(t *testing.T, _ conformance.Folder, c causalLMCase) {
	q := &TextLastHiddenState{Mask: c.Mask}
	b := batchOfShape(c.Batch, c.Length)
	fault := q.Check(b, usualLimits())
	if c.Error != nil {
		require.NotNil(t, fault)
		return
	}
	require.Nil(t, fault)
	needs, finish := q.Answer(b)
	for row := range c.Batch * c.Length { // each state says whose it is
		state := make([]float32, NetworkDimension)
		state[0] = float32(row + 1)
		require.NoError(t, needs[row/c.Length].Hidden(row%c.Length, state))
	}
	w, err := finish()
	require.NoError(t, err)
	sent, err := Decode(w, math.MaxInt32)
	require.NoError(t, err)
	require.Equal(t, c.EncodedShape, sent.Shape)
	values := sent.Float32s()
	for i, row := range c.EncodedRows {
		require.Equal(t, float32(row+1), values[i*NetworkDimension])
	}
	answer, err := q.Decode(b, w)
	require.NoError(t, err)
	var rows []int
	for row := range c.Batch * c.Length {
		if answer.(*HiddenStates).At(row/c.Length, row%c.Length)[0] != 0 {
			rows = append(rows, row)
		}
	}
	require.Equal(t, c.DecodedRows, rows)
}

func TestCausalLMRefusesWhatIsNoAnswer(t *testing.T) {
	nan := float32(math.NaN())
	for _, row := range [][]float32{{0.5}, {0.5, 7, 1}, {nan, 1}, {0.5, nan}, {0.5, -1}, {0.5, NetworkVocabulary}, {-0.1, 3}, {float32(math.Inf(1)), 3}} {
		_, err := ParseCausalLM(row, NetworkVocabulary)
		require.ErrorIs(t, err, ErrDecode, "%v", row)
	}
	d, err := ParseCausalLM([]float32{0.5, 0.25, 7.9, 7}, NetworkVocabulary) // twice the same
	require.NoError(t, err)
	require.Len(t, d.Entries, 1)
	require.InDelta(t, math.Log(0.25), d.Entries[0].Value, 1e-6)
	require.InDelta(t, math.Log(0.25), d.Rest, 1e-6)
}

func FuzzParseCausalLM(f *testing.F) {
	f.Add([]byte(`[0.5,0.25,7,9]`), 100)
	f.Fuzz(func(t *testing.T, data []byte, vocabulary int) {
		var row []float32
		if json.Unmarshal(data, &row) != nil {
			return
		}
		d, err := ParseCausalLM(row, vocabulary)
		if err != nil {
			require.ErrorIs(t, err, ErrDecode)
			return
		}
		for i, e := range d.Entries {
			require.True(t, int(e.Index) < vocabulary && (i == 0 || d.Entries[i-1].Index < e.Index))
		}
	})
}
