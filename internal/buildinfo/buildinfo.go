// Package buildinfo says what this binary was built from. The Makefile fills the variables
// in through the linker; a plain "go build" leaves them empty, and the accessors then
// answer with what the Go toolchain itself has recorded.
package buildinfo

import "runtime/debug"

// Set with -ldflags "-X axon/internal/buildinfo.Version=…".
var (
	// Version is axon's own version, as git describes it.
	Version string
	// Llama is the llama.cpp release that was linked, such as v0.5.0.
	Llama string
	// Ggml is the version of the ggml inside it, to compare with what the library says.
	Ggml string
	// Backend is cpu, cuda, metal or vulkan.
	Backend string
	// Key names the build of llama.cpp in the cache: its version, backend, flags and compiler.
	Key string
)

// String returns axon's version, falling back to the commit that Go recorded, or "unknown".
func String() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
