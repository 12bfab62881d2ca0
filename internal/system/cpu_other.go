//go:build !amd64 && !(linux && arm64)

package system

// Elsewhere nothing is known for certain, and a doubt must not keep anybody
// from running what works.
var known map[string]func() bool
