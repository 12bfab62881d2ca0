package wholefile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/wholefile"
)

func TestTheOldFileStaysUntilTheNewOneIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, wholefile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "old")
		return err
	}))
	full := errors.New("full")
	require.ErrorIs(t, wholefile.Write(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of the n")
		return full
	}), full)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
	require.NoError(t, wholefile.Write(path, func(w io.Writer) error {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "old", string(data), "while the new one is written")
		_, err = io.WriteString(w, "new")
		return err
	}))
	data, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "new", string(data))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o644, info.Mode().Perm())

	require.Error(t, wholefile.Write(filepath.Join(dir, "no", "such", "folder"), func(io.Writer) error { return nil }))
	require.Error(t, wholefile.Write(dir, func(io.Writer) error { return nil }), "a folder is in the way")
}
