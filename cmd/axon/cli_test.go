package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runMain, in the environment, makes the test binary axon itself: for tests
// that need a process of their own.
const runMain = "AXON_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	// Whoever runs the tests may have set defaults for axon.
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AXON_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// outcome is what a run of axon left behind.
type outcome struct {
	stdout, stderr string
	code           int
}

// runAxon runs a command line in this process, as main would.
func runAxon(t *testing.T, args ...string) outcome {
	t.Helper()
	return runAxonContext(t.Context(), args...)
}

func runAxonContext(ctx context.Context, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	app := newApp()
	app.Writer, app.ErrWriter = &stdout, &stderr
	err := app.RunContext(ctx, flagsFirst(app, append([]string{"axon"}, args...)))
	code := report(&stderr, err)
	return outcome{stdout.String(), stderr.String(), code}
}

// axonCommand is axon as a process of its own.
func axonCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Env = append(os.Environ(), runMain+"=1")
	return c
}

// requireOneLine checks what every error looks like: one line that begins with
// the program's name.
func requireOneLine(t *testing.T, o outcome) {
	t.Helper()
	require.Equal(t, 1, strings.Count(o.stderr, "\n"), "one line: %q", o.stderr)
	require.True(t, strings.HasPrefix(o.stderr, "axon: "), o.stderr)
}

// emptyDir checks that nothing was left in a folder, not even hidden.
func emptyDir(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// tinyModel writes a model of a few kilobytes that loads and computes.
func tinyModel(t *testing.T, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	args := []string{"model", "synth", "--arch", "llama", "--vocab", "bytes", "--embd", "64", "--layers", "2", "--heads", "2", "--ctx", "256", "-q", "f16", "-o", path}
	o := runAxon(t, append(args, flags...)...)
	require.Zero(t, o.code, o.stderr)
	return path
}
