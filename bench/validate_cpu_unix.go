//go:build linux || darwin

package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what the process has used of all cores; 0 where that is not told.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
