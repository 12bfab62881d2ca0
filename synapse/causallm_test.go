package synapse

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
	"axon/kernels"
)

type causalLMCase struct {
	Name   string `json:"name"`
	Op     string `json:"op"`
	TopK   int    `json:"topk"`
	Logits struct {
		conformance.Generated
		Shape []int `json:"shape"`
	} `json:"logits"`
	Encoded     *conformance.Array `json:"encoded"`
	EncodeError *recordedError     `json:"encode_error"`
	Ties        [][3]int           `json:"ties"`
	RowMin      conformance.Array  `json:"decoded_row_min"`
	LogSumExp   conformance.Array  `json:"decoded_row_logsumexp_f64"`
	Sample      conformance.Array  `json:"decoded_sample"`
	SampleAt    []int              `json:"decoded_sample_positions"`
	Stable      []bool             `json:"row_floor_is_stable"`
}

// refusedRows says of which positions, by case, we take no answer.
var refusedRows = map[string][]int{
	"decode_negative": {0}, // the reference makes NaN of them, and then probability 1
	"decode_inf":      {0},
	"edge_nan_one":    {0},
}

func TestCausalLMIsTheReferences(t *testing.T) {
	folder := conformance.Open(t, "c_causallm")
	for _, c := range conformance.Cases[causalLMCase](folder) {
		if c.Op != "forward" && c.Op != "decode" { // the rest is gradients, stand-ins and masks
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			if c.EncodeError != nil {
				return // there are no more entries than tokens here
			}
			encoded := Tensor{DType: Float32, Data: folder.Array(*c.Encoded)}.Float32s()
			if c.Op == "forward" && !strings.HasPrefix(c.Name, "edge_") { // whose logits are changed in words
				requireEncoded(t, c, encoded)
			}
			requireDecoded(t, folder, c, encoded)
		})
	}
}

func requireEncoded(t *testing.T, c causalLMCase, want []float32) {
	t.Helper()
	vocab := c.Logits.Shape[2]
	logits := c.Logits.Cubic(c.Logits.Shape[0] * c.Logits.Shape[1] * vocab)
	var s kernels.Scratch
	out := newOutput(Float32, len(logits)/vocab, 2*c.TopK)
	for row := 0; row < len(logits); row += vocab {
		top, lse, err := kernels.Reduce(nil, logits[row:row+vocab], c.TopK, kernels.Descending, &s)
		require.NoError(t, err)
		kernels.LogProbs(top, lse, vocab, &s)
		out.putCausalLM(row/vocab, top)
	}
	got := out.array.Float32s()
	require.Len(t, got, len(want))
	for i, w := range want {
		row, rank := i/(2*c.TopK), i%(2*c.TopK)
		if rank < c.TopK {
			require.InDelta(t, w, got[i], 1e-4*float64(w)+1e-9)
		} else if !(phraseCase{Ties: c.Ties}).tied(row, rank-c.TopK) {
			require.Equal(t, w, got[i], "row %d, rank %d", row, rank-c.TopK)
		}
	}
}

func requireDecoded(t *testing.T, folder conformance.Folder, c causalLMCase, encoded []float32) {
	t.Helper()
	least := Tensor{DType: Float32, Data: folder.Array(c.RowMin)}.Float32s()
	sample := Tensor{DType: Float32, Data: folder.Array(c.Sample)}.Float32s()
	sums := Tensor{DType: Float64, Data: folder.Array(c.LogSumExp)}.float()
	for row := range len(encoded) / (2 * c.TopK) {
		d, err := ParseCausalLM(encoded[row*2*c.TopK:][:2*c.TopK], NetworkVocabulary)
		if refused(c.Name, row) {
			require.ErrorIs(t, err, ErrDecode)
			continue
		}
		require.NoError(t, err, "row %d", row)
		dense, tolerance := denseLogs(d, c.TopK), 2e-3
		if d.Rest < -92 { // the reference's floor is a denormal of one bit, ours is not rounded to one
			tolerance = 0.4
		}
		for i, at := range c.SampleAt {
			want := float64(sample[row*len(c.SampleAt)+i])
			if named(d, at) || c.Stable[row] {
				require.InDelta(t, want, dense[at], tolerance, "row %d, token %d", row, at)
			}
		}
		if c.Stable[row] {
			lowest := float32(math.Inf(1))
			for _, v := range dense {
				lowest = min(lowest, v)
			}
			require.InDelta(t, least[row], lowest, tolerance)
			lse, err := kernels.LogSumExp(dense)
			require.NoError(t, err)
			require.InDelta(t, sums(row), lse, 1e-4)
		}
	}
}

func refused(name string, row int) bool {
	for _, r := range refusedRows[name] {
		if r == row {
			return true
		}
	}
	return false
}

func named(d kernels.Sparse, token int) bool {
	for _, e := range d.Entries {
		if int(e.Index) == token {
			return true
		}
	}
	return false
}

// denseLogs spreads the rest as the reference does: over all but topk tokens.
func denseLogs(d kernels.Sparse, topk int) []float32 {
	logs := make([]float32, NetworkVocabulary)
	floor := float32(float64(d.Rest) - math.Log(float64(NetworkVocabulary-topk)))
	for i := range logs {
		logs[i] = floor
	}
	for _, e := range d.Entries {
		logs[e.Index] = e.Value
	}
	return logs
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
