package main

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLicensesAreComplete(t *testing.T) {
	o := runAxon(t, "licenses")
	require.Zero(t, o.code, o.stderr)
	for _, words := range []string{
		"The ggml authors", "Mozilla Foundation", "Jeffrey Quesnelle", // llama.cpp, ggml and what is inside them
		"The Go Authors", "Newton", "google/pprof", // Go, and what the built-in model learned from
	} {
		require.Contains(t, o.stdout, words)
	}
	for _, file := range []string{"../../LICENSE", "../../THIRD_PARTY_NOTICES.md", "../../models/NOTICE"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, o.stdout, strings.TrimSpace(string(b)), file)
	}
}

// TestEveryLinkedModuleIsNamed fails when a new dependency has no notice yet:
// make notices.
func TestEveryLinkedModuleIsNamed(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	require.True(t, ok)
	text := runAxon(t, "licenses").stdout
	onlyInTests := []string{"github.com/stretchr/testify", "go.yaml.in/yaml/v3"}
	for _, m := range info.Deps {
		if m.Path != "axon" && !slices.Contains(onlyInTests, m.Path) {
			require.Contains(t, text, "## "+m.Path+"@"+m.Version)
		}
	}
}
