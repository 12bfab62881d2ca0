package system

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookSeesThisMachine(t *testing.T) {
	m := Look()
	require.Equal(t, runtime.GOARCH, m.Arch)
	require.Positive(t, m.Logical)
	if runtime.GOOS == "linux" {
		require.Positive(t, m.Memory.Total)
		require.Positive(t, m.Memory.Free())
		require.LessOrEqual(t, m.Memory.Free(), m.Memory.Total)
	}
}

func TestFreeIsWhatTheTighterOfSystemAndContainerLeaves(t *testing.T) {
	for _, c := range []struct {
		m    Memory
		want uint64
	}{
		{Memory{Total: 100, Available: 60}, 60},
		{Memory{Total: 100, Available: 60, Limit: 50, Used: 20}, 30},
		{Memory{Total: 100, Available: 10, Limit: 50, Used: 20}, 10},
		{Memory{Total: 100, Available: 60, Limit: 50, Used: 70}, 0},
		{Memory{Limit: 50, Used: 20}, 30},
	} {
		require.Equal(t, c.want, c.m.Free(), "%+v", c.m)
	}
}

func TestCompiledAndMissingFeatures(t *testing.T) {
	require.Empty(t, Compiled([]string{"NO_SUCH_FEATURE"}))
	require.Equal(t, []string{"B", "C"}, Missing([]Feature{{"A", true}, {"B", false}, {"C", false}}))
	if runtime.GOARCH == "amd64" {
		require.Len(t, Compiled([]string{"AVX2", "NO_SUCH_FEATURE", "F16C"}), 2)
	}
}

func TestFreeDisk(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not told there")
	}
	free, ok := FreeDisk(filepath.Join(t.TempDir(), "new"))
	require.True(t, ok)
	require.Positive(t, free)
	_, ok = FreeDisk(filepath.Join(t.TempDir(), "missing", "new"))
	require.False(t, ok)
}

// write makes files of a control-group tree.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}
