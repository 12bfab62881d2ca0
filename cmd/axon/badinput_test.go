package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
	"axon/internal/gguf/synth"
	"axon/models"
)

// modelCommands are the command lines that take a model file. FILE and OUT
// stand for the file and for a name that is free.
var modelCommands = []string{
	"model info --load FILE",
	"model check FILE",
	"model check --tensors FILE",
	"model quantize FILE OUT",
	"doctor --no-test --model FILE",
	"generate --model FILE text",
	"score --model FILE text",
	"logits --model FILE -o OUT text",
	"embed --model FILE text",
}

// badFiles are files that no model can be loaded from, and words that the
// message must contain.
var badFiles = []struct {
	name  string
	make  func(t *testing.T, path string)
	words string
}{
	{"missing", func(*testing.T, string) {}, "no such file"},
	{"directory", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o755)) }, "directory"},
	{"empty", put(nil), "empty file"},
	{"text", put([]byte("this is not a model\n")), "not a GGUF file"},
	{"magic only", put([]byte("GGUF")), "truncated"},
	{"half a head", put(models.BuiltIn[:10_000]), "truncated"},
	{"half the weights", put(models.BuiltIn[:len(models.BuiltIn)/2]), "truncated"},
	{"absurd tensor count", patched(8, 1<<60), "absurd"},
	{"absurd key count", patched(16, 1<<60), "absurd"},
	{"absurd string length", patched(24, 1<<60), "absurd"},
	{"absurd offset", absurdOffset, "offset"},
	{"vocabulary only", vocabularyOnly, "vocabulary"},
	{"no permission", unreadable, "permission denied"},
}

func put(data []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, data, 0o644)) }
}

// patched is the built-in model with another number at one place of its head.
func patched(at int, value uint64) func(*testing.T, string) {
	data := append([]byte{}, models.BuiltIn...)
	binary.LittleEndian.PutUint64(data[at:], value)
	return put(data)
}

// absurdOffset moves the last tensor far beyond the end of the file.
func absurdOffset(t *testing.T, path string) {
	f, err := gguf.Parse(strings.NewReader(string(models.BuiltIn)), int64(len(models.BuiltIn)))
	require.NoError(t, err)
	last := f.Tensors[len(f.Tensors)-1].Offset
	for at := int(f.DataOffset) - 8; at > int(f.DataOffset)-8-int(f.Alignment); at-- {
		if binary.LittleEndian.Uint64(models.BuiltIn[at:]) == last {
			patched(at, 1<<50)(t, path)
			return
		}
	}
	t.Fatal("the last offset is not where it should be")
}

func vocabularyOnly(t *testing.T, path string) {
	v, err := synth.ByteVocab("llama")
	require.NoError(t, err)
	kvs := append([]gguf.KV{{Key: "general.architecture", Value: "llama"}}, v.KVs...)
	require.NoError(t, gguf.Write(t.Context(), path, &gguf.Model{KVs: kvs}, nil))
}

func unreadable(t *testing.T, path string) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	require.NoError(t, os.WriteFile(path, models.BuiltIn, 0))
}

func TestBadModelFiles(t *testing.T) {
	for _, bad := range badFiles {
		for _, line := range modelCommands {
			t.Run(bad.name+"/"+line, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "bad.gguf")
				bad.make(t, path)
				out := filepath.Join(dir, "out")
				o := runAxon(t, strings.Fields(strings.NewReplacer("FILE", path, "OUT", out).Replace(line))...)
				require.Equal(t, 1, o.code, o.stderr)
				requireOneLine(t, o)
				require.Contains(t, o.stderr+o.stdout, bad.words)
				require.Contains(t, o.stderr+o.stdout, "bad.gguf")
				require.NoFileExists(t, out)
			})
		}
	}
}

// TestBadArguments has one line for each way of calling a command wrongly, or
// with something that there is not. FILE is a good model, DIR an empty folder.
func TestBadArguments(t *testing.T) {
	file := tinyModel(t)
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"nonsense", 2, "no command"},
		{"--nonsense", 2, "nonsense"},
		{"model nonsense", 2, "no command"},
		{"--log nonsense devices", 2, "must be none, error"},
		{"model info --nonsense", 2, "--help lists"},
		{"model info FILE FILE", 2, "one file"},
		{"model info --load --device nonsense FILE", 1, "there are: CPU"},
		{"model info --load --tensor-split x FILE", 2, "numbers"},
		{"model info --load --ctx-size -1 FILE", 1, "context"},
		{"model info --load --cache-type-k nonsense FILE", 1, "must be one of"},
		{"model info --load --lora DIR/missing FILE", 1, "no such file"},
		{"model check", 2, "needs one FILE"},
		{"model check FILE FILE", 2, "needs one FILE"},
		{"model check --tensors --vocab-only FILE", 2, "exclude each other"},
		{"model synth", 2, "--output"},
		{"model synth -o DIR/x", 2, "--preset, or --arch"},
		{"model synth x -o DIR/x", 2, "takes flags only"},
		{"model synth --preset nonsense -o DIR/x", 2, "known are"},
		{"model synth --preset gpt2-124m --vocab bytes --type nonsense -o DIR/x", 1, "choose one of"},
		{"model synth --preset gpt2-124m --vocab bytes --type iq2_xxs -o DIR/x", 1, "choose one of"},
		{"model synth --preset gpt2-124m --vocab nonsense -o DIR/x", 1, "AXON_VOCAB_DIR"},
		{"model synth --preset gpt2-124m --vocab DIR/missing.gguf -o DIR/x", 1, "no such file"},
		{"model synth --preset gpt2-124m --vocab bytes --heads 5 -o DIR/x", 2, "not a multiple"},
		{"model synth --preset gpt2-124m --vocab bytes --layers 0 -o DIR/x", 2, "not within"},
		{"model synth --preset gpt2-124m --vocab bytes -o FILE", 1, "--force"},
		{"model synth --preset gpt2-124m --vocab bytes -o DIR", 1, "not a regular file"},
		{"model synth --preset gpt2-124m --vocab bytes -o DIR/missing/x", 1, "no folder"},
		{"model synth --arch llama --vocab bytes --embd 65536 --layers 512 --heads 64 --ff 1048576 -q f32 -o DIR/x", 1, "the disk has"},
		{"model quantize FILE", 2, "IN and OUT"},
		{"model quantize FILE FILE --force", 1, "IN and OUT at once"},
		{"model quantize FILE FILE", 1, "--force"},
		{"model quantize FILE DIR/x --type nonsense", 1, "choose one of"},
		{"model quantize FILE DIR/x --threads -1", 2, "must be 0"},
		{"model quantize FILE DIR/missing/x", 1, "no folder"},
		{"devices x", 2, "no argument"},
		{"licenses x", 2, "no argument"},
		{"doctor x", 2, "flags only"},
		{"doctor --no-test --device nonsense", 1, "cannot run like this"},
		{"completion", 2, "bash, zsh or fish"},
		{"completion nonsense", 2, "bash, zsh or fish"},
		{"generate --model FILE --device nonsense text", 1, "there are: CPU"},
	} {
		t.Run(c.line, func(t *testing.T) {
			dir := t.TempDir()
			o := runAxon(t, strings.Fields(strings.NewReplacer("FILE", file, "DIR", dir).Replace(c.line))...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			emptyDir(t, dir)
		})
	}
}
