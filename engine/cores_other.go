//go:build !linux

package engine

import "runtime"

func physicalCores() int { return runtime.NumCPU() }
