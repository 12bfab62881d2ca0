package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	llama "axon/cgo"
	"axon/internal/gguf"
	"axon/internal/gguf/synth"
	"axon/models"
)

func TestModelInfoDescribesTheBuiltInModel(t *testing.T) {
	o := runAxon(t, "model", "info")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, models.BuiltInName)
	require.Regexp(t, `architecture +llama\n`, o.stdout)
	require.Regexp(t, `vocabulary +4096 tokens \(BPE`, o.stdout)
	require.Regexp(t, `problems +none\n`, o.stdout)
	require.NotContains(t, o.stdout, "loaded")
}

func TestModelsByName(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, name := range models.Names() {
		o := runAxon(t, "model", "info", "-m", name, "--json")
		require.Zero(t, o.code, o.stderr)
		var r modelReport
		require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
		require.Equal(t, name, r.File)
		require.EqualValues(t, models.Members[i].Parameters, r.Parameters)
	}
	o := runAxon(t, "tokenize", "-m", "axon-70k", "--ids", "the file")
	require.Zero(t, o.code, o.stderr)
	o = runAxon(t, "bench", "engine", "-m", "axon-70k", "-p", "8", "-n", "0", "-r", "1", "-t", "1")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "0.07 M")

	o = runAxon(t, "model", "info", "-m", "axon-gpt2vocab")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stderr, "no such file", "it is not built in")
}

// Whoever has a file of that name means the file.
func TestAFileGoesBeforeABuiltInModelOfItsName(t *testing.T) {
	file, err := filepath.Abs(tinyModel(t))
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	require.NoError(t, os.Symlink(file, "axon-70k"))
	o := runAxon(t, "model", "info", "-m", "axon-70k", "--json")
	require.Zero(t, o.code, o.stderr)
	var r modelReport
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.Equal(t, 259, r.VocabSize)
}

func TestModelInfoAsJSON(t *testing.T) {
	o := runAxon(t, "model", "info", tinyModel(t), "--json", "--load", "--threads", "1", "--ctx-size", "128")
	require.Zero(t, o.code, o.stderr)
	var r modelReport
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.Equal(t, "llama", r.Architecture)
	require.EqualValues(t, 64, r.Embedding)
	require.Equal(t, 259, r.VocabSize)
	require.Contains(t, r.SpecialTokens, specialToken{"bos", 1, "<s>"})
	require.True(t, *r.AddBOS)
	require.Nil(t, r.AddEOS)
	require.Equal(t, 1, r.Loaded.Threads)
	require.GreaterOrEqual(t, r.Loaded.Context, 128)
	var sum memoryRow
	for _, m := range r.Loaded.Memory {
		sum.Model, sum.Context, sum.Compute = sum.Model+m.Model, sum.Context+m.Context, sum.Compute+m.Compute
	}
	require.Positive(t, sum.Model)
	require.Positive(t, sum.Context)
	require.Positive(t, sum.Compute)
}

func TestModelInfoShowsNothingThatATerminalActsOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	require.NoError(t, gguf.Write(t.Context(), path, &gguf.Model{KVs: []gguf.KV{
		{Key: "general.architecture", Value: "llama"},
		{Key: "general.name", Value: "a\x1b[2Jb\nc\xff"},
	}}, nil))
	o := runAxon(t, "model", "info", path)
	require.Zero(t, o.code, o.stderr)
	require.Regexp(t, `name +a\\x1b\[2Jb\\nc\\xff\n`, o.stdout)
	require.Contains(t, o.stdout, "axon model check lists them")
}

func TestModelCheck(t *testing.T) {
	path := tinyModel(t)
	o := runAxon(t, "model", "check", "--tensors", path)
	require.Zero(t, o.code, o.stderr)
	require.Equal(t, path+": no problems\n", o.stdout)

	vocab := filepath.Join(t.TempDir(), "vocab.gguf")
	vocabularyOnly(t, vocab)
	require.Equal(t, 1, runAxon(t, "model", "check", vocab).code)
	require.Zero(t, runAxon(t, "model", "check", "--vocab-only", vocab).code)
}

func TestModelCheckListsAllProblemsAsJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.gguf")
	absurdOffset(t, path)
	o := runAxon(t, "model", "check", "--json", path)
	require.Equal(t, 1, o.code)
	var r struct{ Problems []problemRow }
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.NotEmpty(t, r.Problems)
	require.Equal(t, "error", r.Problems[0].Severity)
}

func TestModelCheckWithWarningsOnlyExitsZero(t *testing.T) {
	v, err := synth.ByteVocab("gpt2")
	require.NoError(t, err)
	kvs := []gguf.KV{{Key: "general.architecture", Value: "llama"}}
	for _, kv := range v.KVs {
		if kv.Key != "tokenizer.ggml.pre" { // llama.cpp warns of this one too
			kvs = append(kvs, kv)
		}
	}
	path := filepath.Join(t.TempDir(), "vocab.gguf")
	require.NoError(t, gguf.Write(t.Context(), path, &gguf.Model{KVs: kvs}, nil))
	o := runAxon(t, "model", "check", "--vocab-only", path)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "warning: ")
	require.Contains(t, o.stdout, ": 1 warning\n")
}

// Every number format has the same number and name in gguf as in the linked
// ggml: quantizeRows passes one for the other.
func TestTensorTypesAreNumberedAsInGGML(t *testing.T) {
	for n := range gguf.Type(64) {
		if n.Known() {
			require.Equal(t, n.String(), llama.TensorType(n).String())
			require.Equal(t, n.RowSize(1024), llama.TensorType(n).RowSize(1024), n)
		}
	}
}

func TestModelSynthIsReproducible(t *testing.T) {
	for _, typ := range []string{"f32", "q8_0", "q4_k_m", "q3_k_s"} {
		a := readFile(t, tinyModel(t, "--embd", "256", "-q", typ, "--seed", "7"))
		b := readFile(t, tinyModel(t, "--embd", "256", "-q", typ, "--seed", "7"))
		c := readFile(t, tinyModel(t, "--embd", "256", "-q", typ, "--seed", "8"))
		require.True(t, bytes.Equal(a, b), typ)
		require.False(t, bytes.Equal(a, c), typ)
	}
}

func TestModelSynthMakesModelsThatGenerate(t *testing.T) {
	for _, flags := range [][]string{
		{"--arch", "llama", "--tied"},
		{"--arch", "qwen2", "--kv-heads", "1", "-q", "q8_0"},
		{"--arch", "gpt2", "--embd", "256", "-q", "q4_k_m"},
	} {
		o := runAxon(t, "generate", "--model", tinyModel(t, flags...), "-n", "4", "--threads", "1", "text")
		require.Zero(t, o.code, o.stderr)
	}
}

func TestModelSynthFlagsOverrideThePreset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	o := runAxon(t, "model", "synth", "--preset", "tinyllama-1.1b", "--vocab", "bytes", "--layers", "1", "--embd", "64", "--ff", "96", "-o", path)
	require.Zero(t, o.code, o.stderr)
	f, err := gguf.Open(path)
	require.NoError(t, err)
	s := gguf.Summarize(f)
	require.EqualValues(t, 1, s.Layers)
	require.EqualValues(t, 4, s.KVHeads)
	require.NotContains(t, s.Name, "tinyllama")
}

func TestModelSynthFindsVocabulariesByName(t *testing.T) {
	dir := t.TempDir()
	vocabularyOnly(t, filepath.Join(dir, "ggml-vocab-mine.gguf"))
	t.Setenv("AXON_VOCAB_DIR", dir)
	tinyModel(t, "--vocab", "mine")
	out := filepath.Join(t.TempDir(), "x")
	o := runAxon(t, "model", "synth", "--preset", "gpt2-124m", "--vocab", "other", "-o", out)
	require.Equal(t, 1, o.code)
	require.Contains(t, o.stderr, `there is no vocabulary "other"; there are: mine`)
}

func TestAnInterruptLeavesNothingBehind(t *testing.T) {
	in := tinyModel(t)
	for name, args := range map[string][]string{
		"synth":    {"model", "synth", "--preset", "gpt2-124m", "--vocab", "bytes", "-o"},
		"quantize": {"model", "quantize", in},
	} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o := runAxonContext(ctx, append(args, filepath.Join(dir, "out.gguf"))...)
		require.Equal(t, exitInterrupted, o.code, name)
		require.Empty(t, o.stderr, name)
		emptyDir(t, dir)
	}
}

// TestCtrlCStopsTheWriting interrupts a real process in the middle of its work.
func TestCtrlCStopsTheWriting(t *testing.T) {
	dir := t.TempDir()
	c := axonCommand(t, "model", "synth", "--preset", "tinyllama-1.1b", "--vocab", "bytes", "-q", "q8_0", "-o", filepath.Join(dir, "out.gguf"))
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool { return len(partFiles(dir)) > 0 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, c.Process.Signal(os.Interrupt))
	var exit *exec.ExitError
	require.ErrorAs(t, c.Wait(), &exit)
	require.Equal(t, exitInterrupted, exit.ExitCode())
	emptyDir(t, dir)
}

func partFiles(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, ".*.part"))
	return found
}

func TestModelQuantize(t *testing.T) {
	in := tinyModel(t, "--embd", "256")
	dir := t.TempDir()
	out := filepath.Join(dir, "out.gguf")
	o := runAxon(t, "model", "quantize", in, out, "--type", "q4_k_m")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, out+": q4_k_m, ")
	require.Zero(t, runAxon(t, "model", "check", "--tensors", out).code)

	again := filepath.Join(dir, "again.gguf")
	o = runAxon(t, "model", "quantize", out, again, "--type", "q8_0")
	require.Equal(t, 1, o.code)
	requireOneLine(t, o)
	require.Contains(t, o.stderr, "--allow-requantize")
	require.NoFileExists(t, again)
	require.Empty(t, partFiles(dir))

	o = runAxon(t, "model", "quantize", out, again, "--type", "q8_0", "--allow-requantize", "--threads", "1")
	require.Zero(t, o.code, o.stderr)
	o = runAxon(t, "model", "quantize", in, again, "--type", "q8_0", "--force", "--pure")
	require.Zero(t, o.code, o.stderr)
}

func TestQuantizeTypesAreThoseOfTheBinding(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, name := range gguf.FileTypeNames() {
		err := llama.QuantizeFile(missing, missing+".out", llama.QuantizeParams{Type: name})
		require.Error(t, err)
		require.Equal(t, slices.Contains(quantizeTypes, name), !errors.Is(err, llama.ErrOption), name)
	}
}

// TestModelQuantizeEqualsLlamaQuantize needs make peers.
func TestModelQuantizeEqualsLlamaQuantize(t *testing.T) {
	peer, err := filepath.Abs("../../bin/peers/llama-quantize")
	require.NoError(t, err)
	if _, err := os.Stat(peer); err != nil {
		t.Skip("bin/peers/llama-quantize is missing: make peers")
	}
	in := tinyModel(t, "--embd", "256")
	for _, typ := range []string{"q4_0", "q8_0", "q4_k_m", "q3_k_l", "bf16"} {
		dir := t.TempDir()
		ours, theirs := filepath.Join(dir, "ours.gguf"), filepath.Join(dir, "theirs.gguf")
		o := runAxon(t, "model", "quantize", in, ours, "--type", typ)
		require.Zero(t, o.code, o.stderr)
		log, err := exec.CommandContext(t.Context(), peer, in, theirs, typ).CombinedOutput()
		require.NoError(t, err, string(log))
		require.True(t, bytes.Equal(readFile(t, ours), readFile(t, theirs)), typ)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
