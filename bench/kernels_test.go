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
)

// Every contestant finds the same in rows of every kind, and the indices too
// where no two values are equal.
func TestContestantsAgree(t *testing.T) {
	const vocab = 32000
	for _, kind := range Kinds {
		row := SyntheticRows(kind, vocab, 1, 1)[0]
		for _, k := range []int{1, 64, 512, 4096, vocab} {
			c, err := newContestants(KernelTest{K: k})
			require.NoError(t, err)
			require.NoError(t, c.agree(row), "%s k=%d", kind, k)
			if kind != Constant && kind != TwoValued {
				sameIndices(t, c, row, k)
			}
			c.close()
		}
	}
}

func sameIndices(t *testing.T, c *contestants, row []float32, k int) {
	t.Helper()
	results := map[int]outcome{}
	for _, i := range []int{atReduce, atSoftmaxTopK, atTopK, atHeap, atSort} {
		o, err := c.list[i].result()
		require.NoError(t, err)
		require.Len(t, o.entries, k, c.list[i].name)
		results[i] = o
	}
	lse := naiveLogSumExp(row)
	for i, o := range results {
		if !math.IsNaN(o.lse) {
			require.InDelta(t, lse, o.lse, 1e-5, c.list[i].name)
		}
		for j, e := range o.entries {
			require.Equal(t, row[e.Index], e.Value)
			if want := results[atSort].entries[j]; want != e {
				require.Equal(t, want.Value, e.Value, c.list[i].name) // equal values do happen among random ones
			}
		}
	}
	require.True(t, math.IsNaN(results[atTopK].lse))
}

func TestADisagreementIsFound(t *testing.T) {
	a := outcome{[]kernels.Entry{{Index: 1, Value: 2}, {Index: 7, Value: 1}}, 3}
	require.NoError(t, a.compare(outcome{[]kernels.Entry{{Index: 5, Value: 2}}, 3.000001}))
	require.ErrorIs(t, a.compare(outcome{[]kernels.Entry{{Index: 1, Value: 2.5}}, 3}), errDisagree)
	require.ErrorIs(t, a.compare(outcome{nil, 3.1}), errDisagree)
	require.ErrorIs(t, a.compare(outcome{make([]kernels.Entry, 3), 3}), errDisagree)
}

func TestRunKernels(t *testing.T) {
	rows, ticks := SyntheticRows(Realistic, 5000, 2, 1), 0
	r, err := RunKernels(context.Background(), KernelTest{Rows: rows, Source: "realistic", K: 64}, 3, func() { ticks++ })
	require.NoError(t, err)
	require.Equal(t, 3, ticks)
	require.Equal(t, kernels.Variant(), r.Variant)
	for _, timing := range []Timing{r.Reduce, r.Maximum, r.SoftmaxTopK, r.TopK, r.Heap, r.Sort} {
		require.Len(t, timing.Samples, 3)
		require.Positive(t, timing.Min)
		require.LessOrEqual(t, timing.Min, timing.NS)
		require.LessOrEqual(t, timing.NS, timing.Max)
	}
	require.InDelta(t, 4*5000/r.Reduce.NS, r.GBPerSecond, 1e-9)
	require.Positive(t, r.OverMaximum.Median)

	rows[1][17] = float32(math.NaN())
	_, err = RunKernels(context.Background(), KernelTest{Rows: rows, K: 64}, 3, func() {})
	require.ErrorIs(t, err, kernels.ErrNaN)
	for _, k := range []int{0, 5001} {
		_, err = RunKernels(context.Background(), KernelTest{Rows: rows, K: k}, 3, func() {})
		require.ErrorContains(t, err, "1 to 5000")
	}
	_, err = RunKernels(context.Background(), KernelTest{K: 1}, 3, func() {})
	require.ErrorContains(t, err, "0 rows")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = RunKernels(cancelled, KernelTest{Rows: rows[:1], K: 1}, 3, func() {})
	require.ErrorIs(t, err, context.Canceled)
}

// kernelExample is a row with round figures.
func kernelExample() KernelRow {
	return newKernelRow(KernelTest{Rows: make([][]float32, 2), Source: "realistic", K: 512}, 50000,
		[][]float64{{20e3, 30e3}, {2e3, 2e3}, {400e3, 300e3}, {200e3, 300e3}, {800e3, 900e3}, {8e6, 9e6}})
}

func printedKernels(t *testing.T, format string) string {
	t.Helper()
	var b bytes.Buffer
	p, err := NewPrinter(&b, format, KernelTable())
	require.NoError(t, err)
	require.NoError(t, p.Row(kernelExample()))
	require.NoError(t, p.Close())
	return b.String()
}

func TestTableOfKernels(t *testing.T) {
	lines := strings.Split(printedKernels(t, "md"), "\n")
	require.Contains(t, lines[0], "|    reduce µs (min–max) |  GB/s | max µs | × max | llama.cpp µs |     × | its top-k µs |     × |   Go heap µs |     × |   Go sort µs |     × |")
	require.Contains(t, lines[2], "|       25.0 (20.0–30.0) |   8.0 |    2.0 |  12.5 |        350.0 |  15.0 |        250.0 |  10.0 |        850.0 |  35.0 |       8500.0 | 350.0 |")
	for _, l := range lines[:3] {
		require.Len(t, []rune(l), len([]rune(lines[0])))
	}
}

func TestCSVOfKernels(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(printedKernels(t, "csv"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 2)
	field := map[string]string{}
	for i, name := range records[0] {
		require.NotContains(t, field, name, "stands twice")
		field[name] = records[1][i]
	}
	for name, want := range map[string]string{
		"rows": "realistic", "n_rows": "2", "n_vocab": "50000", "top_k": "512", "order": "descending", "rounds": "2",
		"reduce_ns_per_row": "25000.0", "reduce_ns_per_row_min": "20000.0", "gb_per_second": "8.000", "maximum_gb_per_second": "100.000",
		"reduce_over_maximum": "12.5000", "llama_softmax_over_reduce": "15.0000", "llama_top_k_over_reduce": "10.0000",
		"go_heap_over_reduce": "35.0000", "go_sort_over_reduce_max": "400.0000",
	} {
		require.Equal(t, want, field[name], name)
	}
}

func TestJSONOfKernels(t *testing.T) {
	var list []KernelRow
	require.NoError(t, json.Unmarshal([]byte(printedKernels(t, "json")), &list))
	require.Equal(t, []KernelRow{kernelExample()}, list)
	var one KernelRow
	require.NoError(t, json.Unmarshal([]byte(printedKernels(t, "jsonl")), &one))
	require.Equal(t, kernelExample(), one)
}
