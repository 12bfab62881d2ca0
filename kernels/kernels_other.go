//go:build purego || !amd64

package kernels

func assembly() []variant { return nil }
