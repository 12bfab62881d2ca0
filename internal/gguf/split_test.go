package gguf_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
)

// splitModel writes a model in two parts, the second half of the tensors in the second.
func splitModel(t *testing.T) (dir, first string) {
	t.Helper()
	dir = t.TempDir()
	m := small(t)
	half := len(m.Tensors) / 2
	one, two := *m, gguf.Model{Tensors: m.Tensors[half:]}
	one.Tensors = m.Tensors[:half]
	for i, part := range []*gguf.Model{&one, &two} {
		set(part, "split.count", uint16(2))
		set(part, "split.no", uint16(i))
		set(part, "split.tensors.count", int32(len(m.Tensors)))
	}
	first = filepath.Join(dir, "m-00001-of-00002.gguf")
	require.NoError(t, os.WriteFile(first, encode(t, &one), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m-00002-of-00002.gguf"), encode(t, &two), 0o600))
	return dir, first
}

func TestSplitModels(t *testing.T) {
	dir, first := splitModel(t)
	second := filepath.Join(dir, "m-00002-of-00002.gguf")
	open := func(path string) *gguf.File {
		f, err := gguf.Open(path)
		require.NoError(t, err)
		return f
	}
	f := open(first)
	require.NoError(t, gguf.Check(f).Err(first))

	parts, err := gguf.Parts(f)
	require.NoError(t, err)
	whole, err := parse(encode(t, small(t)))
	require.NoError(t, err)
	assert.Equal(t, gguf.Summarize(whole).Parameters, gguf.Summarize(f, parts...).Parameters)

	err = gguf.Check(open(second)).Err(second)
	require.ErrorIs(t, err, gguf.ErrSplit)
	assert.Contains(t, err.Error(), "it is part 2 of 2; name the first part")

	b, err := os.ReadFile(second)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(second, b[:len(b)-1000], 0o600))
	err = gguf.Check(f).Err(first)
	require.ErrorIs(t, err, gguf.ErrTruncated)
	assert.Contains(t, err.Error(), "m-00002-of-00002.gguf: tensor")

	require.NoError(t, os.Remove(second))
	err = gguf.Check(f).Err(first)
	require.ErrorIs(t, err, gguf.ErrSplit)
	assert.Contains(t, err.Error(), "part 2 of 2, m-00002-of-00002.gguf, is missing; download all parts into one folder")

	other := filepath.Join(dir, "other.gguf")
	require.NoError(t, os.Rename(first, other))
	assert.Contains(t, gguf.Check(open(other)).Err(other).Error(), "must be called <name>-00001-of-00002.gguf")
}
