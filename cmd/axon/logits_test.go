package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/rowfile"
	"axon/kernels"
	"axon/models"
)

// heldOut writes so many bytes of the held-out text to a file.
func heldOut(t *testing.T, size int) string {
	t.Helper()
	text, err := os.ReadFile("../../models/heldout.txt")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "text.txt")
	require.NoError(t, os.WriteFile(path, text[:size], 0o644))
	return path
}

// writeLogits runs axon logits with a fresh output, which it returns.
func writeLogits(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.rows")
	o := runAxon(t, append([]string{"logits", "-o", out}, args...)...)
	require.Zero(t, o.code, o.stderr)
	require.Empty(t, o.stderr)
	require.Contains(t, o.stdout, out)
	return out
}

// readRows reads a finished file.
func readRows(t *testing.T, path string) (*rowfile.Header, []rowfile.Row) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := rowfile.NewReader(f)
	require.NoError(t, err)
	var rows []rowfile.Row
	for {
		var row rowfile.Row
		if err := r.Read(&row); err != nil {
			require.Equal(t, io.EOF, err)
			return r.Header(), rows
		}
		rows = append(rows, row)
	}
}

// distributionsOf asks the engine itself, window by window: for each row the whole
// distribution, as log-probabilities.
func distributionsOf(t *testing.T, model, text string, h *rowfile.Header) (tokens []engine.Token, rows [][]float32) {
	t.Helper()
	m, err := engine.OpenModel(t.Context(), engine.ModelOptions{Path: model, Data: map[bool][]byte{true: models.BuiltIn}[model == ""]})
	require.NoError(t, err)
	defer m.Close()
	e, err := engine.New(m, engine.Options{Context: h.Window, Sequences: 1})
	require.NoError(t, err)
	defer e.Close()
	tokens, err = m.Vocab().Tokenize(text, true, false)
	require.NoError(t, err)
	rows = make([][]float32, len(tokens)-1)
	for next := uint64(0); next < h.Rows(); {
		w := h.WindowOf(next)
		in := append([]engine.Token{}, tokens[w.Start:w.End]...)
		if m.Vocab().AddBOS {
			in[0] = m.Vocab().BOS
		}
		var positions []int
		for p := w.FirstRow; p <= w.EndRow; p++ {
			positions = append(positions, int(p-w.Start))
		}
		var mu sync.Mutex
		require.NoError(t, e.Distributions(t.Context(), engine.RowsRequest{Tokens: in, Positions: positions, Fresh: true, Each: func(pos int, row []float32) error {
			mu.Lock()
			defer mu.Unlock()
			if i := w.Start + uint64(pos); i < w.EndRow {
				rows[i] = append([]float32{}, row...)
			}
			return nil
		}}))
		next = w.EndRow
	}
	return tokens, rows
}

// sparseOf reduces a row as the engine does.
func sparseOf(t *testing.T, logits []float32, k int) (kernels.Sparse, float64) {
	t.Helper()
	var s kernels.Scratch
	top, lse, err := kernels.Reduce(nil, logits, k, kernels.ByIndex, &s)
	require.NoError(t, err)
	rest := kernels.LogProbs(top, lse, len(logits), &s)
	return kernels.Sparse{Entries: top, Rest: rest}, lse
}

// TestLogitsKeepsTheEnginesRows compares each row with what the engine says: to the
// last bit in float32, closely in the other modes.
func TestLogitsKeepsTheEnginesRows(t *testing.T) {
	path := heldOut(t, 1500)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, model := range []string{"", tinyModel(t)} {
		for _, mode := range []string{"float32", "float16", "quantised"} {
			args := []string{"-f", path, "--mode", mode, "-k", "100", "-c", "128", "--skip", "50"}
			if model != "" {
				args = append(args, "-m", model)
			}
			h, rows := readRows(t, writeLogits(t, args...))
			tokens, want := distributionsOf(t, model, strings.TrimSuffix(string(text), "\n"), h)
			require.Len(t, rows, len(tokens)-1)
			require.Equal(t, tokensHash(tokens), h.TokensHash)
			require.Equal(t, tokens[0], h.FirstToken)
			for i, row := range rows {
				d, lse := sparseOf(t, want[i], 100)
				require.Equal(t, tokens[i+1], row.Target.Token)
				require.Equal(t, min(float32(float64(want[i][tokens[i+1]])-lse), 0), row.Target.LogProb)
				requireRow(t, mode, d, row)
			}
		}
	}
}

func requireRow(t *testing.T, mode string, want kernels.Sparse, got rowfile.Row) {
	t.Helper()
	if mode == "float32" {
		require.Equal(t, want.Entries, got.Top.Entries)
		require.Equal(t, want.Rest, got.Top.Rest)
		return
	}
	require.Len(t, got.Top.Entries, len(want.Entries))
	kl, tolerance := 0.0, 0.3 // half of --max-step, and what the mass needs
	if mode == "float16" {
		tolerance = 0.01
	}
	for k, e := range want.Entries {
		g := got.Top.Entries[k]
		require.Equal(t, e.Index, g.Index)
		require.InDelta(t, e.Value, g.Value, tolerance)
		kl += math.Exp(float64(e.Value)) * float64(e.Value-g.Value)
	}
	kl += math.Exp(float64(want.Rest)) * float64(want.Rest-got.Top.Rest)
	require.Less(t, kl, 1e-3)
}

func inspectJSON(t *testing.T, args ...string) rowsReport {
	t.Helper()
	o := runAxon(t, append([]string{"logits", "--json", "--inspect"}, args...)...)
	require.Zero(t, o.code, o.stderr)
	var rep rowsReport
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &rep))
	return rep
}

// TestLogitsAgreesWithScore: the same tokens in the same windows have the same
// cross-entropy.
func TestLogitsAgreesWithScore(t *testing.T) {
	path := heldOut(t, 6000)
	for _, flags := range []string{"", "-c 256", "-c 64 --skip 10", "-m " + tinyModel(t) + " -c 128"} {
		o := runAxon(t, append(strings.Fields("score --whole --json -f "+path), strings.Fields(flags)...)...)
		require.Zero(t, o.code, o.stderr)
		var s scoreJSON
		require.NoError(t, json.Unmarshal([]byte(o.stdout), &s))

		rep := inspectJSON(t, writeLogits(t, append([]string{"-f", path}, strings.Fields(flags)...)...))
		require.Equal(t, "finished", rep.State)
		require.Equal(t, uint64(s.Tokens), rep.Rows)
		require.Equal(t, uint64(s.Windows), rep.Header.Windows())
		require.InDelta(t, s.NatsPerToken, *rep.CrossEntropy, 1e-3, flags)
		require.InEpsilon(t, s.Perplexity, *rep.Perplexity, 1e-3)
		require.GreaterOrEqual(t, *rep.RowsCrossEntropy, *rep.CrossEntropy-1e-3, "what is left out costs")

		all := inspectJSON(t, writeLogits(t, append([]string{"-f", path, "-k", "1000000"}, strings.Fields(flags)...)...))
		require.Equal(t, all.Header.Vocab, all.Header.K)
		if !strings.Contains(flags, "-m") { // where nearly all tokens are unlikely, coarse steps need more of them to even out
			require.InDelta(t, s.NatsPerToken, *all.RowsCrossEntropy, 1e-3, "of whole rows packing takes next to nothing")
		}
		require.Equal(t, 1.0, all.InTopK)
	}
}

// TestLogitsSurvivesKills starts a process, kills it without warning at one moment
// after another until one of them gets to the end, and compares.
func TestLogitsSurvivesKills(t *testing.T) {
	text := heldOut(t, 12000)
	flags := []string{"logits", "-f", text, "-c", "128", "-t", "1"}
	want, err := os.ReadFile(writeLogits(t, flags[1:]...))
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "killed.rows")
	var sizes []int64
	for wait := 50 * time.Millisecond; ; wait += 37 * time.Millisecond {
		c := axonCommand(t, append(flags, "-o", out)...)
		require.NoError(t, c.Start())
		timer := time.AfterFunc(wait, func() { _ = c.Process.Kill() })
		err := c.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if info, err := os.Stat(out); err == nil {
			sizes = append(sizes, info.Size())
		}
	}
	t.Log("killed at bytes", sizes, "of", len(want))
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "the same bytes as without interruption")
}

func TestLogitsGoesOnAfterATornWrite(t *testing.T) {
	text := heldOut(t, 1500)
	out := writeLogits(t, "-f", text, "-c", "100", "-k", "20")
	want, err := os.ReadFile(out)
	require.NoError(t, err)
	for _, n := range []int{0, 5, 100, 700, len(want) / 3, len(want) / 2, len(want) - 33, len(want) - 1} {
		require.NoError(t, os.WriteFile(out, want[:n], 0o644))
		o := runAxon(t, "logits", "-f", text, "-c", "100", "-k", "20", "-o", out)
		require.Zero(t, o.code, o.stderr)
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%d bytes: %s", n, o.stderr)
	}
	o := runAxon(t, "logits", "-f", text, "-c", "100", "-k", "20", "-o", out)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "is finished")
}

// TestLogitsStopsCleanly sends Ctrl-C as a terminal does.
func TestLogitsStopsCleanly(t *testing.T) {
	text := heldOut(t, 100_000)
	out := filepath.Join(t.TempDir(), "out.rows")
	c := axonCommand(t, "logits", "-f", text, "-o", out, "-t", "1")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool {
		info, err := os.Stat(out)
		return err == nil && info.Size() > 100_000
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, c.Process.Signal(syscall.SIGINT))
	_ = c.Wait()
	require.Equal(t, exitInterrupted, c.ProcessState.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "the same command goes on from there")
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())

	rep := inspectJSON(t, out)
	require.Equal(t, "unfinished", rep.State)
	require.Contains(t, rep.Problem, "without the last chunk", "what was written is whole")
	require.Positive(t, rep.Rows)
}

func TestLogitsIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := runAxonContext(ctx, "logits", "-o", filepath.Join(t.TempDir(), "x"), "a text")
	require.Equal(t, exitInterrupted, o.code)
}

func TestLogitsRefusesTheRowsOfSomethingElse(t *testing.T) {
	text := heldOut(t, 500)
	out := writeLogits(t, "-f", text, "-k", "20")
	before, err := os.ReadFile(out)
	require.NoError(t, err)
	other := heldOut(t, 600)
	for _, c := range []struct{ flags, words string }{
		{"-k 21 -f " + text, "top-k is 20, not 21"},
		{"-k 20 --mode float16 -f " + text, "mode is quantised, not float16"},
		{"-k 20 --kl 0.001 -f " + text, "kl is 0.0001, not 0.001"},
		{"-k 20 --max-step 1 -f " + text, "max-step is 0.5, not 1"},
		{"-k 20 -c 100 -f " + text, "window is 512, not 100"},
		{"-k 20 --skip 100 -f " + text, "overlap of its windows is 256, not 100"},
		{"-k 20 -f " + other, "its text is text.txt with"},
		{"-k 20 -m " + tinyModel(t) + " -f " + text, "its model is axon-3m with other weights than tiny.gguf"},
		{"-k 20 -ctk q8_0 -f " + text, "cache-type-k is the default, not q8_0"},
		{"-k 20 --rope-freq-scale 0.5 -f " + text, "rope-freq-scale is the default, not 0.5"},
	} {
		o := runAxon(t, append([]string{"logits", "-o", out}, strings.Fields(c.flags)...)...)
		require.Equal(t, 1, o.code, c.flags)
		requireOneLine(t, o)
		require.Contains(t, o.stderr, c.words)
		require.Contains(t, o.stderr, "name another file or add --force")
	}
	after, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, before, after)
	o := runAxon(t, "logits", "-o", out, "-k", "21", "-f", text, "--force")
	require.Zero(t, o.code, o.stderr)
	h, rows := readRows(t, out)
	require.Equal(t, 21, h.K)
	require.Len(t, rows, int(h.Rows()))
}

func TestLogitsLeavesOtherFilesAlone(t *testing.T) {
	out := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.WriteFile(out, []byte("somebody's notes"), 0o644))
	o := runAxon(t, "logits", "-o", out, "a text")
	require.Equal(t, 1, o.code)
	requireOneLine(t, o)
	require.Contains(t, o.stderr, "not a file of packed rows: no file of rows begins like this; name another file or add --force")
	data, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, "somebody's notes", string(data))
}

func TestLogitsThroughPipes(t *testing.T) {
	text := heldOut(t, 800)
	want, err := os.ReadFile(writeLogits(t, "-f", text, "-k", "20"))
	require.NoError(t, err)
	o := runAxon(t, "logits", "-f", text, "-k", "20", "-o", "-")
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, string(want), o.stdout)
	c := axonCommand(t, "logits", "--inspect", "-", "--rows", "100:102", "--json")
	c.Stdin = bytes.NewReader(want)
	got, err := c.Output()
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(got, []byte("\n")))
	require.Contains(t, string(got), `{"position":100,`)
}

func TestLogitsInspect(t *testing.T) {
	out := writeLogits(t, "-k", "3", "If the file does not exist, we want to remove the file.")
	o := runAxon(t, "logits", "--inspect", out)
	require.Zero(t, o.code, o.stderr)
	for _, words := range []string{"out.rows, finished", "axon-3m, vocabulary of 4096", "text of the command line", "top 3, quantised", "bytes a row", "nats/token, perplexity"} {
		require.Contains(t, o.stdout, words)
	}
	h, rows := readRows(t, out)
	require.Equal(t, "text of the command line", h.Text)

	for s, want := range map[string]int{"0:2": 2, "2": 1, "3:": len(rows) - 3, ":4": 4, ":": len(rows), "5:5": 0} {
		for _, flag := range []string{"--json", "--json=false"} {
			o := runAxon(t, "logits", "--inspect", out, "--rows", s, flag)
			require.Zero(t, o.code, o.stderr)
			require.Equal(t, want, strings.Count(o.stdout, "\n"), s)
		}
	}
	o = runAxon(t, "logits", "--inspect", out, "--rows", "4", "--json")
	var row struct {
		Position, Target int
		TargetLogprob    float32 `json:"target_logprob"`
		Rest             float32
		Tokens           []int32
		Logprobs         []float32
	}
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &row))
	require.Equal(t, 4, row.Position)
	require.Equal(t, rows[4].Target, rowfile.Target{Token: int32(row.Target), LogProb: row.TargetLogprob})
	require.Equal(t, rows[4].Top.Rest, row.Rest)
	for i, e := range rows[4].Top.Entries {
		require.Equal(t, e, kernels.Entry{Index: row.Tokens[i], Value: row.Logprobs[i]})
	}
	o = runAxon(t, "logits", "--inspect", out, "--rows", "0", "-k", "1")
	require.Equal(t, 3, strings.Count(o.stdout, "\t"), o.stdout)
	require.Contains(t, o.stdout, `"`, "the built-in model's pieces, since the rows are its")
	o = runAxon(t, "logits", "--inspect", out, "--rows", "0", "-m", tinyModel(t))
	require.Equal(t, 2, o.code)
	require.Contains(t, o.stderr, "name the model of the rows, axon-3m")
}

func TestLogitsInspectSaysWhatIsReadable(t *testing.T) {
	out := writeLogits(t, "-f", heldOut(t, 1500), "-k", "20", "-c", "100")
	data, err := os.ReadFile(out)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(out, data[:len(data)/2], 0o644))
	o := runAxon(t, "logits", "--inspect", out)
	require.Zero(t, o.code, o.stderr)
	requireOneLine(t, o)
	require.Contains(t, o.stderr, "is unfinished: it ends within a chunk, at byte ")
	require.Contains(t, o.stdout, "out.rows, unfinished")
	o = runAxon(t, "logits", "--inspect", out, "--rows", "0:")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stderr, "after row "+strconv.Itoa(strings.Count(o.stdout, "\n")))
	rep := inspectJSON(t, out)
	require.Equal(t, "unfinished", rep.State)
	require.Less(t, rep.Rows, rep.Wanted)

	bad := bytes.Clone(data)
	bad[len(bad)/2] ^= 1
	require.NoError(t, os.WriteFile(out, bad, 0o644))
	for _, flags := range []string{"", "--rows :", "--json"} {
		o = runAxon(t, append([]string{"logits", "--inspect", out}, strings.Fields(flags)...)...)
		require.Equal(t, 1, o.code, flags)
		requireOneLine(t, o)
		require.Contains(t, o.stderr, "damaged file of packed rows: byte ")
		require.Contains(t, o.stderr, "are whole")
		require.NotEmpty(t, o.stdout)
	}
	last := strconv.Itoa(int(rep.Wanted) - 1)
	o = runAxon(t, "logits", "--inspect", out, "--rows", last)
	require.Zero(t, o.code, "rows behind the damage can be read: %s", o.stderr)
	require.True(t, strings.HasPrefix(o.stdout, last+"\t"))
}

func TestLogitsBadCalls(t *testing.T) {
	rows := writeLogits(t, "-k", "3", "a text of some words")
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"text", 2, "--output"},
		{"-o DIR/x -k 0 text", 2, "--top-k 0: must be 1"},
		{"-o DIR/x --mode nonsense text", 2, "must be quantised, float16 or float32"},
		{"-o DIR/x --mode float32 --kl 0.1 text", 2, "are for --mode quantised"},
		{"-o DIR/x --kl 7 text", 2, "KL 7 nats is outside"},
		{"-o DIR/x --max-step -1 text", 2, "MaxStep -1 nats is outside"},
		{"-o DIR/x -c 10 --skip 9 text", 2, "lower --skip or raise --ctx-size"},
		{"-o DIR/x -c 1 text", 2, "lower --skip or raise --ctx-size"},
		{"-o DIR/x --rows 1 text", 2, "are for --inspect"},
		{"-o DIR/x --json text", 2, "are for --inspect"},
		{"-o DIR/x -f DIR/missing", 1, "no such file"},
		{"-o DIR text", 1, "not a regular file"},
		{"-o DIR/missing/x text", 1, "no folder"},
		{"-o DIR/x --lora DIR/missing text", 1, "no such file"},
		{"-o DIR/x --threads -1 text", 2, "must be 0"},
		{"-o DIR/x a", 1, "at least 2 are needed"},
		{"--inspect DIR/missing", 1, "no such file"},
		{"--inspect DIR", 1, "is a directory"},
		{"--inspect /dev/null", 0, "is unfinished"},
		{"--inspect logits_test.go", 1, "not a file of packed rows"},
		{"--inspect ROWS text", 2, "one argument too many"},
		{"--inspect ROWS -o DIR/x", 2, "--output is for writing"},
		{"--inspect ROWS --kl 1", 2, "--kl is for writing"},
		{"--inspect ROWS --rows x", 2, "must be A:B"},
		{"--inspect ROWS --rows 3:2", 2, "must not be below"},
		{"--inspect ROWS --rows 1000", 2, "there are rows 0 …"},
		{"--inspect ROWS --rows 1:1000", 2, "there are rows 0 …"},
		{"--inspect ROWS --rows -1:", 2, "must be A:B"},
		{"--inspect ROWS --rows 0 -m DIR/missing", 1, "no such file"},
	} {
		dir := t.TempDir()
		o := runAxon(t, append([]string{"logits"}, strings.Fields(strings.NewReplacer("DIR", dir, "ROWS", rows).Replace(c.line))...)...)
		require.Equal(t, c.code, o.code, "%s: %s", c.line, o.stderr)
		requireOneLine(t, o)
		require.Contains(t, o.stderr, c.words, c.line)
		emptyDir(t, dir)
	}
}

// TestBlocksGiveTheTokensOfTheWhole cuts a text with small blocks, for vocabularies
// that can be cut and those that cannot.
func TestBlocksGiveTheTokensOfTheWhole(t *testing.T) {
	text, err := os.ReadFile("../../models/heldout.txt")
	require.NoError(t, err)
	plain := string(text[:30_000])
	odd := strings.Repeat("  a\n\n  b \r\n\tc 12345\n\nd'll  é\u3000\nß\n\n\nE\n", 150) + "\xff\xfe\nq"
	vocabularies, err := filepath.Glob("../../third_party/llama.cpp/dist/models/ggml-vocab-*.gguf")
	require.NoError(t, err)
	vocabularies = append(vocabularies, "../../models/axon-gpt2vocab.gguf", tinyModel(t))
	for _, path := range vocabularies {
		m, err := engine.OpenModel(t.Context(), engine.ModelOptions{Path: path, VocabOnly: true})
		require.NoError(t, err)
		v := m.Vocab()
		for _, text := range []string{plain, odd, plain + "\n", "", "x", strings.Repeat("x", 5000), strings.Repeat("x\n", 3000)} {
			want, err := v.Tokenize(strings.TrimSuffix(text, "\n"), true, false)
			if err != nil {
				continue // llama.cpp takes no invalid UTF-8 with some
			}
			b := blockTokenizer{vocab: v, block: 2000, overlap: 500}
			require.NoError(t, b.readTokens(t.Context(), &textInput{ReadCloser: io.NopCloser(strings.NewReader(text))}))
			require.Equal(t, int64(len(strings.TrimSuffix(text, "\n"))), b.size, path)
			require.True(t, slices.Equal(want, b.tokens), "%s: %d tokens, not %d", path, len(b.tokens), len(want))
			if text == plain {
				t.Log(filepath.Base(path), "in blocks:", !b.whole)
			}
		}
		require.NoError(t, m.Close())
	}
}
