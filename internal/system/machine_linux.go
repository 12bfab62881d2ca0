package system

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpuName is the first "model name" of the kernel's list.
func cpuName() string {
	name := ""
	fields("/proc/cpuinfo", func(key, value string) bool {
		if key == "model name" {
			name = value
		}
		return name == ""
	})
	return name
}

func loadAverage() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

func memory() Memory {
	var m Memory
	fields("/proc/meminfo", func(key, value string) bool {
		switch key {
		case "MemTotal":
			m.Total = kibibytes(value)
		case "MemAvailable":
			m.Available = kibibytes(value)
		}
		return m.Total == 0 || m.Available == 0
	})
	return m
}

// kibibytes reads "24684316 kB", in which the kernel means KiB.
func kibibytes(s string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(s, " kB"), 10, 64)
	return n << 10
}

// fields reads lines of the form "key: value" until f has seen enough.
func fields(path string, f func(key, value string) bool) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if !f(strings.TrimSpace(key), strings.TrimSpace(value)) {
			return
		}
	}
}

// graphics looks for the device files of the drivers.
func graphics() []GPU {
	var list []GPU
	for _, kind := range []struct{ pattern, name, backend string }{
		{"/dev/nvidia[0-9]*", "NVIDIA", "cuda"},
		{"/dev/dxg", "GPU of Windows", "cuda"}, // under WSL
		{"/dev/kfd", "AMD", "vulkan"},
	} {
		files, _ := filepath.Glob(kind.pattern)
		for _, f := range files {
			list = append(list, GPU{kind.name + " (" + f + ")", kind.backend})
		}
	}
	return list
}
