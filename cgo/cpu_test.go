package llama

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThisCPUHasWhatTheLibraryWasCompiledFor(t *testing.T) {
	require.Empty(t, MissingCPUFeatures())
	require.NoError(t, checkCPU())
	if runtime.GOARCH == "amd64" {
		require.Subset(t, CPUFeatures(), []string{"AVX2", "FMA", "F16C"}, "every build for x86-64 asks for these")
	}
}

// What the functions say must be what ggml itself reports once it runs.
func TestFeaturesAreThoseOfTheSystemInfo(t *testing.T) {
	info := SystemInfo()
	for _, name := range CPUFeatures() {
		require.Contains(t, info, name+" = 1")
	}
}
