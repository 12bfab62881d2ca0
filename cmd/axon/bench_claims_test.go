package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/bench"
)

// smallClaims measures what is measured quickly.
const smallClaims = "bench claims --quick --texts 32 --train 32 --length 16 "

func TestBenchClaims(t *testing.T) {
	o := runAxon(t, strings.Fields(smallClaims+"--claim c --claim d -m axon-70k -m axon-200k -m axon-800k")...)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "32 texts of 16 tokens, seed 1, ")
	require.Contains(t, o.stdout, "\n## c. ")
	require.Contains(t, o.stdout, "\n## d. ")
	require.NotContains(t, o.stdout, "\n## a. ")
	require.Contains(t, o.stdout, "| axon-800k | ")
	require.Contains(t, o.stdout, "- d4 effective parameters are the model's: **does not hold**\n")
}

// A single model is enough for what is not a comparison of models.
func TestBenchClaimsOfAFile(t *testing.T) {
	o := runAxon(t, strings.Fields(smallClaims+"-o json -m "+filepath.Join("..", "..", "models", "axon-70k.gguf"))...)
	require.Zero(t, o.code, o.stderr)
	var r bench.ClaimsReport
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.Len(t, r.Models, 1)
	require.Equal(t, "axon-70k", r.Models[0].Name)
	require.EqualValues(t, 72_272, r.Models[0].Parameters)
	require.NotEmpty(t, r.Build)
	require.Positive(t, r.Seconds)
	require.Len(t, r.Decoding.Servers, 1)
	require.NotEmpty(t, r.Compression.Rows)
	require.Nil(t, r.Collective)
	require.Nil(t, r.Scaling)
}

// A file goes before a built-in model of its name here as well.
func TestBenchClaimsOfAFileNamedLikeAModel(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("axon-70k", []byte("no model"), 0o600))
	o := runAxon(t, strings.Fields(smallClaims+"--claim a -m axon-70k")...)
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stderr, "axon-70k")
}

func TestBadArgumentsOfBenchClaims(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.gguf")
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"x", 2, "no argument"},
		{"--claim e", 2, `claim "e": must be a, b, c or d`},
		{"--claim d -m axon-70k", 2, "is about 3 models at least"},
		{"--claim c -m axon-70k", 2, "is about 2 models at least"},
		{"--texts 1", 2, "texts 1: must be at least 32"},
		{"--train 1", 2, "texts to learn from 1: must be at least 32"},
		{"--length 1", 2, "tokens of a text 1: must be at least 8"},
		{"--threads 0", 2, "threads 0: must be at least 1"},
		{"--texts 100000", 1, "where the held-out text has"},
		{"-o csv", 2, "must be md or json"},
		{"-m NONE", 1, "no such file"},
	} {
		t.Run(c.line, func(t *testing.T) {
			o := runAxon(t, strings.Fields("bench claims "+strings.ReplaceAll(c.line, "NONE", none))...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			require.Empty(t, o.stdout)
		})
	}
}
