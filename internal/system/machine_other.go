//go:build !linux && !darwin

package system

type limits struct {
	cpus         float64
	memory, used uint64
}

func cpuName() string                        { return "" }
func loadAverage() float64                   { return 0 }
func memory() Memory                         { return Memory{} }
func memlockLimit() uint64                   { return Unlimited }
func containerLimits() limits                { return limits{} }
func graphics() []GPU                        { return nil }
func FreeDisk(string) (free uint64, ok bool) { return 0, false }
