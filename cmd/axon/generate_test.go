package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGenerateContinuesAText(t *testing.T) {
	o := runAxon(t, "generate", "Package sort provides", "--temp", "0", "-n", "12", "-t", "1")
	require.Zero(t, o.code, o.stderr)
	require.Empty(t, o.stderr, "nothing but results in a pipe")
	require.Greater(t, len(strings.TrimSpace(o.stdout)), 10)
	again := runAxon(t, "gen", "-p", "Package sort provides", "--temp", "0", "-n", "12", "-t", "1", "--echo")
	require.Equal(t, "Package sort provides"+o.stdout, again.stdout)
}

func TestGenerateReadsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prompt")
	require.NoError(t, os.WriteFile(file, []byte("Package sort provides\n"), 0o600), "one newline at the end does not count")
	o := runAxon(t, "generate", "-f", file, "--temp", "0", "-n", "8", "-t", "1")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, runAxon(t, "generate", "Package sort provides", "--temp", "0", "-n", "8", "-t", "1").stdout, o.stdout)
}

func TestBatchSizesAreLlamaCpps(t *testing.T) {
	o := runAxon(t, "generate", "x", "-b", "2048", "-ub", "256", "-n", "2", "-t", "1")
	require.Zero(t, o.code, o.stderr)
}

func TestGenerateJSON(t *testing.T) {
	o := runAxon(t, "generate", "The", "--json", "-n", "5", "--sequences", "2", "--seed", "1", "--logprobs", "2", "--ignore-eos", "-t", "1")
	require.Zero(t, o.code, o.stderr)
	var g generatedJSON
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &g))
	require.Len(t, g.Sequences, 2)
	for i, s := range g.Sequences {
		require.Len(t, s.Tokens, 5)
		require.Len(t, s.Logprobs, 5)
		require.Len(t, s.Top, 5)
		require.Len(t, s.Top[0], 2)
		require.EqualValues(t, 1+i, *s.Seed)
		require.EqualValues(t, "length", s.Reason)
	}
}

func TestGenerateLogprobs(t *testing.T) {
	o := runAxon(t, "generate", "The", "--logprobs", "3", "-n", "4", "--temp", "0", "--ignore-eos", "-t", "1")
	require.Zero(t, o.code, o.stderr)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	require.Len(t, lines, 4)
	for _, l := range lines {
		fields := strings.Split(l, "\t")
		require.Len(t, fields, 5, l)
		require.Equal(t, fields[0]+" "+fields[1], fields[2], "greedy takes the likeliest")
	}
}

func TestGenerateBeams(t *testing.T) {
	o := runAxon(t, "generate", "The", "--beams", "3", "--sequences", "2", "-n", "6", "-t", "1", "--json")
	require.Zero(t, o.code, o.stderr)
	var g generatedJSON
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &g))
	require.Len(t, g.Sequences, 2)
	require.GreaterOrEqual(t, *g.Sequences[0].Score, *g.Sequences[1].Score)
}

func TestWrongUseOfGenerate(t *testing.T) {
	for _, args := range [][]string{
		{"generate", "x", "-n", "0"},
		{"generate", "x", "-n", "many"},
		{"generate", "x", "--temp", "-1"},
		{"generate", "x", "--top-p", "1.5"},
		{"generate", "x", "--top-p", "0"},
		{"generate", "x", "--beams", "2", "--temp", "0.5"},
		{"generate", "x", "--beams", "2", "--grammar", "root ::= x"},
		{"generate", "x", "--rope-freq-base", "-1"},
		{"generate", "x", "--grammar", "root ::= " + strings.Repeat("(", 1000)},
		{"chat", "--sequences", "2"},
		{"generate", "x", "--sequences", "0"},
		{"generate", "x", "--seed", "99999999999"},
		{"generate", "x", "-p", "y"},
		{"generate", "x", "-f", "y"},
		{"generate", "x", "--tensor-split", "a,b"},
		{"generate", "x", "-c", "-5"},
		{"generate", "x", "--flash-attn", "perhaps"},
		{"generate", "x", "--cache-type-k", "q9"},
		{"--log", "loud", "generate", "x"},
		{"chat", "hello"},
		{"embed", "x", "--pooling", "sum"},
		{"score", "x", "--skip", "600"},
	} {
		o := runAxon(t, args...)
		require.Equal(t, exitUsage, o.code, "%v: %s", args, o.stderr)
		requireOneLine(t, o)
		require.Empty(t, o.stdout)
	}
}

func TestWhatGenerateCannotDo(t *testing.T) {
	long := strings.Repeat("word ", 3000)
	for _, args := range [][]string{
		{"generate", long},
		{"generate", "x", "--beams", "3", "--beam-groups", "2"},
		{"generate", "x", "--device", "GPU99"},
		{"generate", "x", "--ctx-size", "500000000"},
		{"generate", "x", "--lora", "no such file"},
		{"generate", "x", "--grammar-file", "no such file"},
		{"tokenize", "--decode", "12 x"},
		{"tokenize", "--decode", "999999999"},
		{"score", "x"},
	} {
		o := runAxon(t, args...)
		require.Equal(t, exitFailure, o.code, "%v: %s", args[:2], o.stderr)
		requireOneLine(t, o)
	}
}

func TestCtrlCKeepsWhatWasPrinted(t *testing.T) {
	c := axonCommand(t, "generate", "Package", "-n", "-1", "--ignore-eos", "-t", "1")
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	r := bufio.NewReader(out)
	first := make([]byte, 20)
	_, err = r.Read(first)
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(syscall.SIGINT))
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := r.ReadByte(); err != nil {
				break
			}
		}
		done <- c.Wait()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("still running")
	}
	require.Equal(t, exitInterrupted, c.ProcessState.ExitCode())
}

func TestACancelledGenerateReportsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := runAxonContext(ctx, "generate", "Package", "-t", "1")
	require.Equal(t, exitInterrupted, o.code)
	require.Empty(t, o.stderr)
}

func TestScorePrintsWhatPeopleCompare(t *testing.T) {
	text := strings.Repeat("Package sort provides primitives for sorting slices. ", 60)
	o := runAxon(t, "score", text, "-c", "128", "-t", "1", "--json")
	require.Zero(t, o.code, o.stderr)
	var s scoreJSON
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &s))
	require.Positive(t, s.Tokens)
	require.Positive(t, s.BitsPerByte)
	require.Greater(t, s.Perplexity, 1.0)
	whole := runAxon(t, "score", text, "-c", "128", "-t", "1", "--json", "--whole")
	var w scoreJSON
	require.NoError(t, json.Unmarshal([]byte(whole.stdout), &w))
	require.Greater(t, w.Tokens, s.Tokens)
}

func TestTokenizeAndBack(t *testing.T) {
	const text = "naïve  café ?\n"
	ids := runAxon(t, "tokenize", "--ids", text)
	require.Zero(t, ids.code, ids.stderr)
	back := runAxon(t, "tokenize", "--decode", strings.TrimSpace(ids.stdout))
	require.Equal(t, text+"\n", back.stdout)
	lines := runAxon(t, "tokenize", text)
	require.Contains(t, lines.stdout, "0-")
}

func TestEmbedHasLengthOne(t *testing.T) {
	for _, pooling := range []string{"mean", "last", "cls"} {
		o := runAxon(t, "embed", "hello world", "--json", "--pooling", pooling, "-t", "1")
		require.Zero(t, o.code, o.stderr)
		var e struct{ Embedding []float64 }
		require.NoError(t, json.Unmarshal([]byte(o.stdout), &e))
		sum := 0.0
		for _, v := range e.Embedding {
			sum += v * v
		}
		require.InDelta(t, 1, sum, 1e-4)
	}
}
