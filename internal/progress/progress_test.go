package progress

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNothingIsDrawnInAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	b := Start(f, "work", 10)
	b.begun = b.begun.Add(-time.Minute)
	b.Set(5)
	b.Add(1)
	b.Stop()
	info, err := f.Stat()
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

func TestTheLineShowsPartAndTime(t *testing.T) {
	now := time.Now()
	b := &Bar{label: "loading", total: 4, done: 1, begun: now.Add(-10 * time.Second)}
	require.Equal(t, "loading [███████·······················]  25% 30s left", b.line(now))
	b.total = 0
	require.Contains(t, b.line(now), "0%")
}

func TestANilBarDoesNothing(t *testing.T) {
	var b *Bar
	require.NotPanics(t, func() {
		b.Set(1)
		b.Add(1)
		b.Stop()
	})
}
