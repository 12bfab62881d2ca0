package system

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// limits are what a container grants; zero where it sets none.
type limits struct {
	cpus         float64
	memory, used uint64
}

// containerLimits reads the control groups of this process, version 2 or 1. A
// group is bound by those above it, so the tightest limit on the way counts.
func containerLimits() limits {
	b, _ := os.ReadFile("/proc/self/cgroup")
	return readLimits("/sys/fs/cgroup", string(b))
}

func readLimits(root, groups string) limits {
	var l limits
	for line := range strings.Lines(groups) {
		// hierarchy:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for dir := parts[2]; ; dir = filepath.Dir(dir) {
			l.tighten(root, parts[1], dir)
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return l
}

// tighten takes in the limits of one group.
func (l *limits) tighten(root, controllers, dir string) {
	switch {
	case controllers == "":
		l.quota(pair(filepath.Join(root, dir, "cpu.max")))
		l.bytes(filepath.Join(root, dir), "memory.max", "memory.current")
	case hasController(controllers, "memory"):
		l.bytes(filepath.Join(root, controllers, dir), "memory.limit_in_bytes", "memory.usage_in_bytes")
	case hasController(controllers, "cpu"):
		group := filepath.Join(root, controllers, dir)
		l.quota(number(filepath.Join(group, "cpu.cfs_quota_us")), number(filepath.Join(group, "cpu.cfs_period_us")))
	}
}

func hasController(list, name string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == name {
			return true
		}
	}
	return false
}

// quota takes in a share of processor time: so much in each period.
func (l *limits) quota(quota, period float64) {
	if quota <= 0 || period <= 0 {
		return
	}
	if cpus := quota / period; l.cpus == 0 || cpus < l.cpus {
		l.cpus = cpus
	}
}

// bytes takes in a limit of memory.
func (l *limits) bytes(group, limit, used string) {
	n := number(filepath.Join(group, limit))
	if n <= 0 || l.memory > 0 && float64(l.memory) <= n {
		return
	}
	taken := number(filepath.Join(group, used)) - reclaimable(filepath.Join(group, "memory.stat"))
	l.memory, l.used = uint64(min(n, 1<<62)), uint64(max(taken, 0))
}

// reclaimable is the page cache that the kernel gives up as soon as somebody
// needs room; it counts as used all the same.
func reclaimable(path string) float64 {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "inactive_file "); ok {
			bytes, _ := strconv.ParseFloat(strings.TrimSpace(n), 64)
			return bytes
		}
	}
	return 0
}

// number reads a file that holds one; "max" and a missing file are 0.
func number(path string) float64 {
	b, _ := os.ReadFile(path)
	n, _ := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
	return n
}

// pair reads a file that holds two numbers.
func pair(path string) (first, second float64) {
	b, _ := os.ReadFile(path)
	f := strings.Fields(string(b))
	if len(f) != 2 {
		return 0, 0
	}
	first, _ = strconv.ParseFloat(f[0], 64)
	second, _ = strconv.ParseFloat(f[1], 64)
	return first, second
}
