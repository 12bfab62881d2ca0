package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/kernels/pack"
)

func smallPackTest() PackTest {
	return PackTest{Rows: SyntheticRows(Realistic, 5000, 7, 1), Source: "realistic", K: 64, RowsPerBatch: 3}
}

func TestRunPack(t *testing.T) {
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		test, ticks := smallPackTest(), 0
		test.Mode = mode
		r, err := RunPack(context.Background(), test, 2, func() { ticks++ })
		require.NoError(t, err)
		require.Equal(t, 2, ticks)
		require.Equal(t, mode.String(), r.Mode)
		require.Equal(t, 64*8.0, r.PairsBytes)
		require.Positive(t, r.ZstdBytes)
		require.Greater(t, r.Bytes, r.Bound)
		require.Less(t, r.Bytes, r.PairsBytes)
		require.GreaterOrEqual(t, r.BytesP90, r.Bytes-8)
		require.GreaterOrEqual(t, r.KLMax, r.KL)
		require.False(t, r.OnTargets)
		switch mode {
		case pack.Quantised:
			require.Equal(t, pack.DefaultKL, r.AimedKL)
			require.Less(t, r.KL, 3e-4)
			require.InDelta(t, r.KL, r.Bias, 1e-4)
		case pack.Float32:
			require.InDelta(t, 0, r.KL, 1e-12)
			require.InDelta(t, 0, r.Bias, 1e-12)
		}
		for _, timing := range []Timing{r.Reduce, r.Encode, r.Decode, r.PairsEncode, r.PairsDecode, r.ZstdEncode, r.ZstdDecode} {
			require.Len(t, timing.Samples, 2)
			require.Positive(t, timing.NS)
		}
	}
}

func TestTheBiasIsThatOfTheTargets(t *testing.T) {
	test := smallPackTest()
	test.Targets = []int{0, 1, 2, 3, 4, 4998, 4999}
	test.KL = 0.01
	r, err := RunPack(context.Background(), test, 1, func() {})
	require.NoError(t, err)
	require.True(t, r.OnTargets)
	require.NotZero(t, r.Bias)
	require.Positive(t, r.BiasError)
	require.Less(t, math.Abs(r.Bias), 0.5)
}

func TestRunPackRefuses(t *testing.T) {
	for words, change := range map[string]func(*PackTest){
		"top-k 0":    func(p *PackTest) { p.K = 0 },
		"top-k 5000": func(p *PackTest) { p.K = 5000 },
		"0 in a":     func(p *PackTest) { p.RowsPerBatch = 0 },
		"over 0":     func(p *PackTest) { p.Rows = nil },
		"not finite": func(p *PackTest) { p.Targets = []int{5000, 0, 0, 0, 0, 0, 0} },
		"KL 2":       func(p *PackTest) { p.KL = 2 },
		"NaN":        func(p *PackTest) { p.Rows[3][3] = float32(math.NaN()) },
	} {
		test := smallPackTest()
		change(&test)
		_, err := RunPack(context.Background(), test, 1, func() {})
		require.ErrorContains(t, err, words)
	}
}

func TestLoss(t *testing.T) {
	ln := func(p float64) float32 { return float32(math.Log(p)) }
	row := pack.Row{Entries: []kernels.Entry{{Index: 3, Value: ln(0.5)}, {Index: 8, Value: ln(0.25)}}, Rest: ln(0.25)}
	got := pack.Row{Entries: []kernels.Entry{{Index: 3, Value: ln(0.4)}, {Index: 8, Value: ln(0.3)}}, Rest: ln(0.3)}
	want := 0.5*math.Log(0.5/0.4) + 0.5*math.Log(0.25/0.3)
	kl, bias, err := loss(row, got, 10, -1)
	require.NoError(t, err)
	require.InDelta(t, want, kl, 1e-6)
	require.InDelta(t, want, bias, 1e-6)
	for target, want := range map[int]float64{3: math.Log(0.5 / 0.4), 8: math.Log(0.25 / 0.3), 5: math.Log(0.25 / 0.3)} {
		_, bias, err := loss(row, got, 10, target)
		require.NoError(t, err)
		require.InDelta(t, want, bias, 1e-6, "target %d", target)
	}
	kl, bias, err = loss(row, row, 10, -1)
	require.NoError(t, err)
	require.InDelta(t, 0, kl, 1e-12)
	require.InDelta(t, 0, bias, 1e-12)
	got.Entries[0].Index = 4
	_, _, err = loss(row, got, 10, -1)
	require.ErrorContains(t, err, "came back as 4")
	_, _, err = loss(row, pack.Row{}, 10, -1)
	require.ErrorContains(t, err, "0 entries came back of 2")
}

func TestBoundAndPercentile(t *testing.T) {
	for _, c := range []struct{ vocab, k, bytes int }{{50257, 128, 160}, {50257, 512, 515}, {50257, 4096, 2559}, {128256, 4096, 3270}} {
		require.InDelta(t, c.bytes, indexBound(c.vocab, c.k), 0.6)
	}
	require.InDelta(t, math.Log2(10)/8, indexBound(5, 2), 1e-9)
	require.Equal(t, 9.0, percentile([]float64{10, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0.9))
	require.Equal(t, 4.0, percentile([]float64{4}, 0.9))
}

func TestPairsComeBack(t *testing.T) {
	c, err := newPairCoder()
	require.NoError(t, err)
	row := pack.Row{Entries: []kernels.Entry{{Index: 3, Value: -2}, {Index: 70, Value: -1}, {Index: 255999, Value: -3}}}
	pairs := pairEntries(row)
	require.Equal(t, []int32{70, 3, 255999}, []int32{pairs[0].Index, pairs[1].Index, pairs[2].Index})
	rows := [][]kernels.Entry{pairs, pairs[:2]}
	both := append(append([]kernels.Entry{}, pairs...), pairs[:2]...)
	data := bytes.Clone(c.plain(rows))
	require.Len(t, data, 5*pairBytes)
	c.read(data)
	require.Equal(t, both, c.rows)
	message := bytes.Clone(c.compress(rows))
	c.rows = nil
	require.NoError(t, c.decompress(message))
	require.Equal(t, both, c.rows)
	require.Error(t, c.decompress(message[:3]))
}

// packExample is a row with round figures.
func packExample() PackRow {
	r := PackRow{
		Source: "realistic", Count: 4, Vocab: 50257, K: 128, Mode: "quantised", AimedKL: 1e-4, MaxStep: 0.5, RowsPerBatch: 2, Rounds: 2,
		Bytes: 220.5, BytesP90: 230, Bound: 160.25, KL: 1e-4, KLMax: 2e-4, Bias: 3e-5, BiasError: 1e-5, PairsBytes: 1024, ZstdBytes: 1000.5,
	}
	r.timings([][]float64{{40e3, 40e3}, {10e3, 20e3}, {8e3, 8e3}, {2e3, 2e3}, {1e3, 1e3}, {50e3, 30e3}, {16e3, 24e3}}, 2)
	return r
}

func printedPacking(t *testing.T, format string, r PackRow) string {
	t.Helper()
	var b bytes.Buffer
	p, err := NewPrinter(&b, format, PackTable())
	require.NoError(t, err)
	require.NoError(t, p.Row(r))
	require.NoError(t, p.Close())
	return b.String()
}

func TestTableOfPacking(t *testing.T) {
	lines := strings.Split(printedPacking(t, "md", packExample()), "\n")
	require.Contains(t, lines[0], "|       bytes (p90) |  bound |     KL nats (max) |          bias nats | reduce µs | encode µs | ÷ reduce | decode µs | ÷ encode |  pairs | en/decode µs |    zstd |  en/decode µs |")
	require.Contains(t, lines[2], "|     220.5 (230.0) |  160.2 | 1.0e-04 (2.0e-04) |          E 3.0e-05 |      20.0 |       7.5 |     0.38 |       4.0 |     0.60 |   1024 |    1.0 / 0.5 |  1000.5 |   20.0 / 10.0 |")
	for _, l := range lines[:3] {
		require.Len(t, []rune(l), len([]rune(lines[0])))
	}
	onText := packExample()
	onText.OnTargets = true
	require.Contains(t, printedPacking(t, "md", onText), "|    3.0e-05 ± 1e-05 |")
}

func TestCSVOfPacking(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(printedPacking(t, "csv", packExample()))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 2)
	field := map[string]string{}
	for i, name := range records[0] {
		require.NotContains(t, field, name, "stands twice")
		field[name] = records[1][i]
	}
	for name, want := range map[string]string{
		"n_vocab": "50257", "top_k": "128", "mode": "quantised", "kl_aimed_nats": "0.0001", "rows_per_batch": "2",
		"bytes_per_row": "220.50", "index_bound_bytes_per_row": "160.25", "cross_entropy_bias_nats": "3e-05", "bias_on_targets": "false",
		"encode_ns_per_row": "7500.0", "zstd_decode_ns_per_row_max": "12000.0", "encode_over_reduce": "0.3750", "zstd_encode_over_encode": "3.2500",
	} {
		require.Equal(t, want, field[name], name)
	}
}

func TestJSONOfPacking(t *testing.T) {
	var list []PackRow
	require.NoError(t, json.Unmarshal([]byte(printedPacking(t, "json", packExample())), &list))
	require.Equal(t, []PackRow{packExample()}, list)
	var one PackRow
	require.NoError(t, json.Unmarshal([]byte(printedPacking(t, "jsonl", packExample())), &one))
	require.Equal(t, packExample(), one)
}
