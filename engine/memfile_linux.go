package engine

import (
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile is a file in memory that holds data.
func memoryFile(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return unlinkedFile(data) // a kernel or sandbox without memfd
	}
	return fill(os.NewFile(uintptr(fd), name), data)
}
