//go:build !amd64 && !arm64

package system

var portable []string

var known map[string]func() bool
