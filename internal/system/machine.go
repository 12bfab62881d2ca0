package system

import "runtime"

// Machine is what this process has to work with.
type Machine struct {
	OS       string  `json:"os"`
	Arch     string  `json:"arch"`
	CPU      string  `json:"cpu,omitempty"`       // the processor's own name
	Logical  int     `json:"logical_processors"`  // that this process may run on
	Quota    float64 `json:"cpu_quota,omitempty"` // processors that the container may keep busy; 0: no limit
	Load     float64 `json:"load_average"`        // processes that wanted to run in the last minute
	Memory   Memory  `json:"memory"`
	Memlock  uint64  `json:"memlock_limit"`      // bytes that may be locked in RAM; Unlimited: all
	Graphics []GPU   `json:"graphics,omitempty"` // graphics processors that the system shows
}

// Memory is in bytes; zero when unknown.
type Memory struct {
	Total     uint64 `json:"total"`
	Available uint64 `json:"available"`       // without swapping
	Limit     uint64 `json:"limit,omitempty"` // of the container; 0: none
	Used      uint64 `json:"used,omitempty"`  // of that limit
}

// Free is what may still be taken: what the system has left, or the container.
func (m Memory) Free() uint64 {
	if m.Limit == 0 {
		return m.Available
	}
	left := m.Limit - min(m.Limit, m.Used)
	if m.Available == 0 {
		return left
	}
	return min(left, m.Available)
}

// Unlimited is a limit that there is not.
const Unlimited = ^uint64(0)

// GPU is a graphics processor and the backend that would use it.
type GPU struct {
	Name    string `json:"name"`
	Backend string `json:"backend"` // cuda, vulkan or metal
}

// Look gathers everything; it takes milliseconds.
func Look() Machine {
	m := Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Logical: runtime.NumCPU(),
		Load: loadAverage(), Memory: memory(), Memlock: memlockLimit(), Graphics: graphics(),
	}
	limits := containerLimits()
	m.Quota, m.Memory.Limit, m.Memory.Used = limits.cpus, limits.memory, limits.used
	if m.Memory.Total > 0 && m.Memory.Limit >= m.Memory.Total {
		m.Memory.Limit, m.Memory.Used = 0, 0 // no limit at all, as cgroups write it
	}
	return m
}
