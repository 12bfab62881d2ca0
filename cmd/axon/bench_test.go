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
	"axon/kernels"
)

// smallKernels measures what is measured quickly.
const smallKernels = "bench kernels --vocab 3000,9000 -k 1,64 --rows 2 -r 2 "

func TestBenchKernels(t *testing.T) {
	o := runAxon(t, strings.Fields(smallKernels)...)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 10, strings.Count(o.stdout, "\n"), "a head of two lines, and eight rows")
	require.Contains(t, o.stdout, "| realistic   |   9000 |   64 | descending | "+kernels.Variant())

	o = runAxon(t, strings.Fields(smallKernels+"--order index -o csv")...)
	require.Zero(t, o.code, o.stderr)
	records, err := csv.NewReader(strings.NewReader(o.stdout)).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, 5)
	require.Contains(t, records[0], "llama_softmax_over_reduce")
	require.Contains(t, records[1], "index")
}

func TestBenchKernelsOfAllKindsAndVariants(t *testing.T) {
	before := kernels.Variant()
	o := runAxon(t, strings.Fields("bench kernels --vocab 9000 -k 64 --rows 1 -r 1 --kind all --variant all -o jsonl")...)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, before, kernels.Variant())
	seen := map[string]map[string]bool{}
	for line := range strings.Lines(o.stdout) {
		var r bench.KernelRow
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.NotEmpty(t, r.LlamaCpp)
		if seen[r.Source] == nil {
			seen[r.Source] = map[string]bool{}
		}
		seen[r.Source][r.Variant] = true
	}
	require.Len(t, seen, len(bench.Kinds))
	for _, k := range bench.Kinds {
		require.Len(t, seen[string(k)], len(kernels.Variants()), k)
	}
}

// A model of a small vocabulary has its own sizes, and leaves out the default
// top-k that do not fit.
func TestBenchKernelsOfAModel(t *testing.T) {
	file := tinyModel(t)
	o := runAxon(t, "bench", "kernels", "--order", "index", "--model", file, "--file", benchText(t), "--rows", "3", "-r", "1", "-o", "json")
	require.Zero(t, o.code, o.stderr)
	var rows []bench.KernelRow
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &rows))
	require.Len(t, rows, 2)
	for i, k := range []int{1, 64} {
		require.Equal(t, k, rows[i].K)
		require.Equal(t, 3, rows[i].Count)
		require.Equal(t, filepath.Base(file), rows[i].Source)
		require.Less(t, rows[i].Vocab, 512)
	}
}

// benchText is a file with a text of a few thousand bytes.
func benchText(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text.txt")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 60)), 0o644))
	return path
}

// smallPack measures what is measured quickly.
const smallPack = "bench pack --vocab 3000,9000 -k 64,128 --rows 4 --rows-per-batch 2 -r 2 "

func TestBenchPack(t *testing.T) {
	o := runAxon(t, strings.Fields(smallPack)...)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 6, strings.Count(o.stdout, "\n"), "a head of two lines, and four rows")
	require.Contains(t, o.stdout, "| realistic  |   9000 |  128 | quantised |")

	o = runAxon(t, strings.Fields(smallPack+"--kl 0.01 --max-step 1 -o json")...)
	require.Zero(t, o.code, o.stderr)
	var rows []bench.PackRow
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &rows))
	require.Len(t, rows, 4)
	require.Equal(t, 0.01, rows[0].AimedKL)
	require.Equal(t, 1.0, rows[0].MaxStep)
	require.Equal(t, 2, rows[0].RowsPerBatch)
	require.False(t, rows[0].OnTargets)

	for _, mode := range []string{"float16", "float32"} {
		o = runAxon(t, strings.Fields(smallPack+"-o csv --mode "+mode)...)
		require.Zero(t, o.code, o.stderr)
		require.Equal(t, 4, strings.Count(o.stdout, mode))
	}
}

func TestBenchPackOfAModel(t *testing.T) {
	file := tinyModel(t)
	o := runAxon(t, "bench", "pack", "--model", file, "--file", benchText(t), "--rows", "20", "-r", "1", "-o", "jsonl")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, 2, strings.Count(o.stdout, "\n"), "of the default top-k, 64 and 128")
	var r bench.PackRow
	require.NoError(t, json.Unmarshal([]byte(strings.Split(o.stdout, "\n")[1]), &r))
	require.Equal(t, 128, r.K)
	require.Equal(t, 20, r.Count)
	require.True(t, r.OnTargets)
}

func TestBadArgumentsOfBenches(t *testing.T) {
	file, text := tinyModel(t), benchText(t)
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"bench nonsense", 2, "no command"},
		{"bench kernels x", 2, "no argument"},
		{"bench kernels -r 0", 2, "--repetitions 0: must be at least 1"},
		{"bench kernels --rows 0", 2, "--rows 0: must be at least 1"},
		{"bench kernels --rows 100000", 2, "exceed 4 GiB; at most 33554"},
		{"bench kernels --vocab 0", 2, "--vocab 0: must be 1"},
		{"bench kernels --vocab x", 2, "invalid value \"x\""},
		{"bench kernels -k 0", 2, "--top-k 0: must be at least 1"},
		{"bench kernels --vocab 100 -k 101", 2, "--top-k 101: must be at most 100"},
		{"bench kernels --kind nonsense", 2, "--kind \"nonsense\": must be all"},
		{"bench kernels --order nonsense", 2, "must be index or descending"},
		{"bench kernels --variant nonsense", 2, "there are: " + strings.Join(kernels.Variants(), ", ")},
		{"bench kernels -o nonsense", 2, "must be md, csv, json, jsonl"},
		{"bench kernels -m FILE", 2, "--file FILE"},
		{"bench kernels -f TEXT", 2, "--model FILE"},
		{"bench kernels -m FILE -f TEXT --vocab 5", 2, "--vocab is for synthetic rows"},
		{"bench kernels -m FILE -f TEXT --kind constant", 2, "--kind is for synthetic rows"},
		{"bench kernels -m FILE -f TEXT -k 4096", 2, "--top-k 4096: must be at most"},
		{"bench kernels -m FILE -f TEXT --rows 2000", 1, "too few for 2000 rows"},
		{"bench kernels -m FILE -f DIR/missing", 1, "no such file"},
		{"bench kernels -m DIR/missing -f TEXT", 1, "no such file"},
		{"bench pack x", 2, "no argument"},
		{"bench pack -r 0", 2, "--repetitions 0: must be at least 1"},
		{"bench pack --rows-per-batch 0", 2, "--rows-per-batch 0: must be at least 1"},
		{"bench pack --vocab 100 -k 100", 2, "--top-k 100: must be at most 99"},
		{"bench pack --mode nonsense", 2, "must be quantised, float16 or float32"},
		{"bench pack --kl 2", 2, "--kl 2: must be 1e-06 to 1"},
		{"bench pack --kl NaN", 2, "--kl NaN: must be"},
		{"bench pack --max-step 0", 2, "--max-step 0: must be 0.015625 to 4"},
		{"bench pack --mode float16 --kl 0.01", 2, "--kl and --max-step are for the quantised mode"},
		{"bench pack -o nonsense", 2, "must be md, csv, json, jsonl"},
		{"bench pack -m FILE", 2, "--file FILE"},
		{"bench pack -m FILE -f TEXT -k 4096", 2, "--top-k 4096: must be at most"},
	} {
		t.Run(c.line, func(t *testing.T) {
			line := strings.NewReplacer("-m FILE", "-m "+file, "-f TEXT", "-f "+text, "DIR", t.TempDir()).Replace(c.line)
			o := runAxon(t, strings.Fields(line)...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			require.Empty(t, strings.Trim(o.stdout, "[]\n"))
		})
	}
}
