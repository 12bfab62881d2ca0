package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/bench"
	"axon/models"
)

// smallServe measures what is measured quickly, on a model whose tokens are the network's.
var smallServe = "bench serve -t 1 -r 1 --requests 1 --clients 2 --length 8 -k 16 -n 2 -m " + filepath.Join("..", "..", "models", models.GPT2Vocabulary) + " "

func TestBenchServe(t *testing.T) {
	o := runAxon(t, strings.Fields(smallServe)...)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 2+5, strings.Count(o.stdout, "\n"), "a head of two lines, and five synapses")
	require.Contains(t, o.stdout, "| TextSeq2Seq         | msgpack  |            2 × 1 × 8 + 2 |")
	require.NotContains(t, o.stdout, "peer")

	o = runAxon(t, strings.Fields(smallServe+"--synapse causallm,next --serializer msgpack,packed --mixed 1 --mixed-length 2 -o csv")...)
	require.Zero(t, o.code, o.stderr)
	records, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 1+2*3, "two encodings of the one, one of the other, each with what was asked beside")
	require.Contains(t, records[0], "p99_batches")
}

// The built-in model is asked about a text's own windows, in its own tokens.
func TestBenchServeOfATextByTheBuiltInModel(t *testing.T) {
	o := runAxon(t, strings.Fields("bench serve -t 1 -r 2 --requests 1 --clients 2 --length 16 -k 16 --synapse crossentropy -o jsonl -f "+benchText(t))...)
	require.Zero(t, o.code, o.stderr)
	var r bench.ServeRow
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.Equal(t, models.BuiltInName, r.ModelFilename)
	require.Equal(t, []int{2, 4}, []int{r.Rounds, r.Latency.Count})
	require.NotEmpty(t, r.LlamaCpp)
	require.NotEmpty(t, r.Build)
}

func TestBadArgumentsOfBenchServe(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"x", 2, "no argument"},
		{"-r 0", 2, "--repetitions 0: must be at least 1"},
		{"--clients 0 --requests 0", 2, "clients 0: must be at least 1; requests of a client 0"},
		{"--length 1", 2, "tokens of a text 1: must be at least 2"},
		{"-k 0", 2, "top-k 0: must be at least 1"},
		{"--mixed -1", 2, "clients of short requests -1"},
		{"--synapse nonsense", 2, "must be causallm, next"},
		{"--serializer nonsense", 2, "must be msgpack, cmppack or packed"},
		{"--synapse next --serializer packed", 2, "next by packed"},
		{"-o nonsense", 2, "must be md, csv, json, jsonl"},
		{"--flash-attn nonsense", 2, "must be auto, on or off"},
		{"--peer-texts nonsense", 2, "must be own or given"},
		{"--peer NONE", 1, "make peers"},
		{"-m NONE", 1, "no such file"},
		{"-f NONE", 1, "no such file"},
		{"--endpoint 127.0.0.1:1 -m NONE", 2, "for a server of our own"},
		{"--endpoint 127.0.0.1:1 --peer NONE", 2, "for a server of our own"},
		{"--endpoint 127.0.0.1:1 --key-file NONE", 1, "axon wallet new"},
		{"--endpoint nonsense --key-file KEY", 2, "--endpoint: "},
		{"--endpoint 127.0.0.1:1 --key-file KEY --server-hotkey nonsense", 2, "--server-hotkey: "},
		{"--endpoint 127.0.0.1:1 --key-file KEY --synapse next", 1, "TextCausalLMNext: RETURN_CODE_UNAVAILABLE"},
	} {
		t.Run(c.line, func(t *testing.T) {
			line := strings.NewReplacer("NONE", none, "KEY", keyFile(t)).Replace("bench serve " + c.line)
			o := runAxon(t, strings.Fields(line)...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			require.Empty(t, o.stdout)
		})
	}
}

// keyFile is a hotkey's file.
func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hotkey")
	require.NoError(t, os.WriteFile(path, []byte(`{"secretSeed":"0x`+strings.Repeat("07", 32)+`"}`), 0o600))
	return path
}
