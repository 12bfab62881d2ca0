package gguf_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
)

func TestWriteReportsProgressAndReplacesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
	var last, total int64
	err := gguf.Write(context.Background(), path, small(t), func(done, all int64) {
		assert.GreaterOrEqual(t, done, last)
		last, total = done, all
	})
	require.NoError(t, err)
	f, err := gguf.Open(path)
	require.NoError(t, err)
	assert.NoError(t, gguf.Check(f).Err(path))
	assert.Equal(t, f.Size, last)
	assert.Equal(t, f.Size, total)
}

// Whatever stops the writing, the old file stays and nothing lies beside it.
func TestWriteLeavesNothingBehind(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		source func(cancel func()) func(io.Writer) error
		says   string
	}{
		"source fails": {func(func()) func(io.Writer) error {
			return func(io.Writer) error { return broken }
		}, "broken"},
		"too little": {func(func()) func(io.Writer) error { return bytesOf(3) }, "3 bytes of 4194304"},
		"too much":   {func(func()) func(io.Writer) error { return bytesOf(4194305) }, "more than"},
		"cancelled": {func(cancel func()) func(io.Writer) error {
			return func(w io.Writer) error {
				cancel()
				return bytesOf(4194304)(w)
			}
		}, "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "m.gguf")
			require.NoError(t, os.WriteFile(path, []byte("older"), 0o600))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err := gguf.Write(ctx, path, &gguf.Model{Tensors: []gguf.Source{
				{Name: "t", Dims: []int64{1 << 20}, Type: gguf.F32, Write: c.source(cancel)},
			}}, nil)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, path)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, "older", string(b))
		})
	}
}

func TestEncodeRefusesWhatCannotBeRead(t *testing.T) {
	for name, m := range map[string]*gguf.Model{
		"go type":    {KVs: []gguf.KV{{Key: "a", Value: 1}}},
		"alignment":  {KVs: []gguf.KV{{Key: "general.alignment", Value: uint32(3)}}},
		"scalar":     {Tensors: []gguf.Source{{Name: "t", Type: gguf.F32, Write: bytesOf(4)}}},
		"half block": {Tensors: []gguf.Source{{Name: "t", Dims: []int64{33}, Type: gguf.Q8_0, Write: bytesOf(34)}}},
		"no type":    {Tensors: []gguf.Source{{Name: "t", Dims: []int64{33}, Type: 99, Write: bytesOf(34)}}},
		"no size":    {Tensors: []gguf.Source{{Name: "t", Dims: []int64{0}, Type: gguf.F32, Write: bytesOf(4)}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, m.Encode(context.Background(), io.Discard, nil))
		})
	}
}

func TestSummary(t *testing.T) {
	m := small(t)
	set(m, "tokenizer.chat_template", "{{ messages }}")
	set(m, "general.license", "mit")
	f, err := parse(encode(t, m))
	require.NoError(t, err)
	s := gguf.Summarize(f)
	assert.Equal(t, "llama", s.Architecture)
	assert.Equal(t, "f32", s.FileType)
	assert.Equal(t, "SPM", s.Vocab)
	assert.Equal(t, 259, s.VocabSize)
	assert.Equal(t, "mit", s.License)
	assert.True(t, s.ChatTemplate)
	assert.EqualValues(t, 64, s.Context)
	assert.EqualValues(t, 32, s.Embedding)
	assert.EqualValues(t, 2, s.Layers)
	assert.EqualValues(t, 4, s.Heads)
	assert.EqualValues(t, 2, s.KVHeads)
	assert.EqualValues(t, 32, s.BitsPerWeight)
	// 2·259·32 embedding and output, 32 final norm, per layer 2·32 + 32·(32+16+16+32) + 3·32·64.
	assert.EqualValues(t, 2*259*32+32+2*(64+32*96+3*32*64), s.Parameters)
	require.Len(t, s.Types, 1)
	assert.Equal(t, s.Data, s.Types[0].Bytes)
}

func TestFileTypes(t *testing.T) {
	for _, name := range gguf.FileTypeNames() {
		ft, err := gguf.ParseFileType(name)
		require.NoError(t, err)
		assert.Equal(t, name, ft.String())
		assert.True(t, ft.Base().Known())
	}
	ft, err := gguf.ParseFileType("Q4_K_M")
	require.NoError(t, err)
	assert.EqualValues(t, 15, ft)
	_, err = gguf.ParseFileType("q9")
	assert.ErrorContains(t, err, "known are f32 f16")
}
