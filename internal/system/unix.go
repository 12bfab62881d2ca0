//go:build linux || darwin

package system

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// memlockLimit is how many bytes this process may lock in RAM.
func memlockLimit() uint64 {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r) != nil || r.Cur == unix.RLIM_INFINITY {
		return Unlimited
	}
	return r.Cur
}

// FreeDisk is how many bytes may be written to the file system that a file of
// that name would be on; ok is false when that cannot be told.
func FreeDisk(path string) (free uint64, ok bool) {
	var s unix.Statfs_t
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil || unix.Statfs(dir, &s) != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
