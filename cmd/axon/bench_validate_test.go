package main

import (
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/bench"
)

// smallValidate measures what is measured quickly.
const smallValidate = "bench validate --servers 10,20 --texts 2 --context 5 -k 16 -r 2 --slowness 0.001 --timeout 50ms "

func TestBenchValidate(t *testing.T) {
	o := runAxon(t, strings.Fields(smallValidate)...)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 2+4, strings.Count(o.stdout, "\n"), "a head of two lines, and two sizes of two tasks")
	require.Contains(t, o.stdout, "| TextCausalLM     | 2 × 5, top 16          | proper              |      20 |")

	o = runAxon(t, strings.Fields(smallValidate+"--task next --rule reference --synergy -o json")...)
	require.Zero(t, o.code, o.stderr)
	var rows []bench.ValidateRow
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &rows))
	require.Len(t, rows, 4)
	for i, r := range rows {
		require.Equal(t, []int{10, 10, 20, 20}[i], r.Servers)
		require.Equal(t, "reference", r.Rule)
		require.Equal(t, i%2 == 1, r.Synergy)
		require.Equal(t, i%2 == 1, r.Pairs > 0)
		require.NotEmpty(t, r.Build)
	}

	o = runAxon(t, strings.Fields(smallValidate+"--task causallm --packed --silent 1 -o csv")...)
	require.Zero(t, o.code, o.stderr)
	records, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 1+2)
	require.Contains(t, records[0], "cpu_ms_per_server")
	for i, name := range records[0] {
		if name == "timeouts" {
			require.Equal(t, "20", records[2][i])
		}
	}
}

func TestBadArgumentsOfBenchValidate(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"x", 2, "no argument"},
		{"-r 0", 2, "--rounds 0: must be at least 1"},
		{"--servers 0", 2, "0 servers, must be 1 to 65536"},
		{"--servers 5 -k -1 --silent 2", 2, "a silent share of 2"},
		{"-k -1 --silent 2", 2, "top-k of -1"},
		{"--task nonsense", 2, "must be next or causallm"},
		{"--rule nonsense", 2, "must be proper or reference"},
		{"--slowness -1", 2, "latencies times -1: must be 0 to 1000"},
		{"--slowness NaN", 2, "latencies times NaN"},
		{"--timeout -1s", 2, "a time-out of -1s"},
		{"-o nonsense", 2, "must be md, csv, json, jsonl"},
		{"--servers 2 --folder NONE", 1, "no such file"},
	} {
		t.Run(c.line, func(t *testing.T) {
			line := strings.ReplaceAll("bench validate "+c.line, "NONE", none)
			o := runAxon(t, strings.Fields(line)...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			require.Empty(t, o.stdout)
		})
	}
}
