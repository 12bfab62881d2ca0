//go:build !linux

package engine

import "os"

func memoryFile(_ string, data []byte) (*os.File, error) { return unlinkedFile(data) }
