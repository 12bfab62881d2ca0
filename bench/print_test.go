package bench

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// example is a row with round figures.
func example(peer bool) Row {
	r := Row{
		Build: "v1", LlamaCpp: "v0.5.0", Backends: "CPU", ModelFilename: "m.gguf", ModelType: "llama 1B Q4_0",
		ModelSize: 2 << 30, ModelParams: 1_100_000_000, Batch: 2048, UBatch: 512, Threads: 2, TypeK: "f16", TypeV: "f16",
		GPULayers: -1, Flash: "auto", Gen: 128, Parallel: 1, Name: "tg128", Time: "2026-01-02T03:04:05Z",
		Speed: newSpeed(128, []time.Duration{time.Second, time.Second}),
	}
	if peer {
		s := newSpeed(128, []time.Duration{2 * time.Second, time.Second})
		r.Peer = &PeerSpeed{"llama-bench", s, newRatio(r.SamplesTS, s.SamplesTS)}
	}
	return r
}

func printed(t *testing.T, format string, peer bool, rows ...Row) string {
	t.Helper()
	var b bytes.Buffer
	p, err := NewPrinter(&b, format, EngineTable(peer))
	require.NoError(t, err)
	for _, r := range rows {
		require.NoError(t, p.Row(r))
	}
	require.NoError(t, p.Close())
	return b.String()
}

func TestMarkdown(t *testing.T) {
	require.Equal(t, strings.TrimPrefix(`
| model                          |       size |     params | backend    | threads |               test |                t/s |
|--------------------------------|-----------:|-----------:|------------|--------:|-------------------:|-------------------:|
| llama 1B Q4_0                  |   2.00 GiB |     1.10 B | CPU        |       2 |              tg128 |      128.00 ± 0.00 |
`, "\n"), printed(t, "md", false, example(false)))
}

func TestMarkdownBesideAPeer(t *testing.T) {
	lines := strings.Split(printed(t, "md", true, example(true), example(false)), "\n")
	require.Contains(t, lines[0], "| peer                     |           peer t/s |     ratio (min–max) |")
	require.Contains(t, lines[2], "| llama-bench              |      96.00 ± 45.25 | 1.500 (1.000–2.000) |")
	require.Contains(t, lines[3], "| –                        |                  – |                   – |", "no peer for this test")
	for _, l := range lines[:4] {
		require.Len(t, []rune(l), len([]rune(lines[0])))
	}
}

func TestCSV(t *testing.T) {
	records, err := csv.NewReader(strings.NewReader(printed(t, "csv", true, example(true), example(false)))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 3)
	field := map[string][]string{}
	for i, name := range records[0] {
		field[name] = []string{records[1][i], records[2][i]}
	}
	require.Equal(t, []string{"tg128", "tg128"}, field["test"])
	require.Equal(t, []string{"128.000000", "128.000000"}, field["avg_ts"])
	require.Equal(t, []string{"1.500000", ""}, field["ratio"])
	require.Equal(t, []string{"2147483648", "2147483648"}, field["model_size"])
}

func TestJSON(t *testing.T) {
	for _, rows := range [][]Row{nil, {example(false)}, {example(true), example(false)}} {
		var got []Row
		require.NoError(t, json.Unmarshal([]byte(printed(t, "json", true, rows...)), &got))
		require.Equal(t, len(rows), len(got))
		for i := range rows {
			require.Equal(t, rows[i], got[i])
		}
	}
	require.Contains(t, printed(t, "json", false, example(false)), `"samples_ts": [`)
	require.NotContains(t, printed(t, "json", false, example(false)), `"peer"`)
}

func TestJSONLines(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(printed(t, "jsonl", true, example(true), example(false))), "\n")
	require.Len(t, lines, 2)
	for i, l := range lines {
		var r Row
		require.NoError(t, json.Unmarshal([]byte(l), &r))
		require.Equal(t, example(i == 0), r)
	}
}

func TestUnknownFormat(t *testing.T) {
	_, err := NewPrinter(nil, "sql", EngineTable(false))
	require.ErrorContains(t, err, "md, csv, json, jsonl")
}
