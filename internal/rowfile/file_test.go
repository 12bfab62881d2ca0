package rowfile

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// finish opens a file, adds what it lacks, and gives its bytes.
func finish(t *testing.T, path string, h *Header) []byte {
	t.Helper()
	f, err := Open(path, h, OpenOptions{})
	require.NoError(t, err)
	appendRows(t, f.Writer, h.Rows())
	require.NoError(t, f.Finish())
	require.NoError(t, f.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

func TestOpenCreatesAndFindsItFinished(t *testing.T) {
	path, h := filepath.Join(t.TempDir(), "rows"), testHeader()
	want := testFile(t, h)
	require.Equal(t, want, finish(t, path, h))
	require.Equal(t, want, finish(t, path, h))
	f, err := Open(path, h, OpenOptions{})
	require.NoError(t, err)
	require.True(t, f.Finished())
	require.Equal(t, h.Rows(), f.Next())
	require.NoError(t, f.Close())
}

// TestOpenAfterEveryCut cuts a file off at every byte, as the end of a process may.
func TestOpenAfterEveryCut(t *testing.T) {
	fsync = func(*os.File) error { return nil }
	defer func() { fsync = (*os.File).Sync }()
	path, h := filepath.Join(t.TempDir(), "rows"), testHeader()
	h.Tokens = 24
	want := testFile(t, h)
	for n := range want {
		require.NoError(t, os.WriteFile(path, want[:n], 0o644))
		f, err := Open(path, h, OpenOptions{})
		require.NoError(t, err, "%d bytes", n)
		next, dropped := f.Next(), f.Dropped()
		require.NoError(t, f.Close())
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(want, kept), "%d bytes", n)
		if next > 0 {
			require.Equal(t, int64(n-len(kept)), dropped)
		}
		require.Equal(t, want, finish(t, path, h), "%d bytes", n)
	}
}

func TestOpenDropsADamagedEnd(t *testing.T) {
	path, h := filepath.Join(t.TempDir(), "rows"), testHeader()
	want := testFile(t, h)
	r, err := NewReader(bytes.NewReader(want))
	require.NoError(t, err)
	for at := int(r.Offset()); at < len(want); at += 13 {
		bad := bytes.Clone(want)
		clear(bad[at:])
		require.NoError(t, os.WriteFile(path, bad, 0o644))
		require.Equal(t, want, finish(t, path, h), "zeros from byte %d", at)
	}
}

func TestOpenRefuses(t *testing.T) {
	path, h := filepath.Join(t.TempDir(), "rows"), testHeader()
	other := testHeader()
	other.K = 4
	_, err := Open(filepath.Join(t.TempDir(), "no", "rows"), h, OpenOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, c := range []struct {
		data []byte
		want error
	}{
		{[]byte("somebody's notes"), ErrFormat},
		{testFile(t, other), ErrMismatch},
		{append(testFile(t, h), make([]byte, maxLoss+1)...), ErrCorrupt},
	} {
		require.NoError(t, os.WriteFile(path, c.data, 0o644))
		_, err := Open(path, h, OpenOptions{})
		require.ErrorIs(t, err, c.want)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(c.data, data), "it is as it was")
	}
	bad := testHeader()
	bad.K = 0
	_, err = Open(path, bad, OpenOptions{Force: true})
	require.ErrorIs(t, err, ErrHeader)
	f, err := Open(path, h, OpenOptions{Force: true})
	require.NoError(t, err)
	_, err = Open(path, h, OpenOptions{Force: true})
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, f.Close())
	require.Equal(t, testFile(t, h), finish(t, path, h))
}

// TestOpenKeepsTheFilesOwnChunks: another version may cut other ones.
func TestOpenKeepsTheFilesOwnChunks(t *testing.T) {
	path, h := filepath.Join(t.TempDir(), "rows"), testHeader()
	f, err := Open(path, h, OpenOptions{})
	require.NoError(t, err)
	appendRows(t, f.Writer, 20)
	require.NoError(t, f.Close())
	now := testHeader()
	now.ChunkRows, now.Tool = 3, "newer"
	var seen int64
	f, err = Open(path, now, OpenOptions{Progress: func(done, total int64) { seen = max(seen, done); require.LessOrEqual(t, done, total) }})
	require.NoError(t, err)
	require.Equal(t, h, f.Header())
	require.Equal(t, uint64(20), f.Next())
	require.NoError(t, f.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), seen)
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	r, err := NewReader(file)
	require.NoError(t, err)
	_, err = readAll(t, r, 0)
	require.ErrorIs(t, err, ErrUnfinished)
	require.NotErrorIs(t, err, io.EOF)
}
