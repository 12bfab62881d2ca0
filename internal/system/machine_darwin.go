package system

import (
	"runtime"

	"golang.org/x/sys/unix"
)

func cpuName() string {
	name, _ := unix.Sysctl("machdep.cpu.brand_string")
	return name
}

func loadAverage() float64 { return 0 }

func memory() Memory {
	total, _ := unix.SysctlUint64("hw.memsize")
	return Memory{Total: total}
}

type limits struct {
	cpus         float64
	memory, used uint64
}

func containerLimits() limits { return limits{} }

// graphics knows that every Mac with a processor of Apple's has a GPU.
func graphics() []GPU {
	if runtime.GOARCH != "arm64" {
		return nil
	}
	return []GPU{{"Apple", "metal"}}
}
