package system

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimitsOfVersion2AreTheTightestOnTheWay(t *testing.T) {
	root := write(t, map[string]string{
		"a/cpu.max":          "150000 100000\n",
		"a/memory.max":       "1000\n",
		"a/memory.current":   "700\n",
		"a/memory.stat":      "anon 1\ninactive_file 300\n",
		"a/b/cpu.max":        "max 100000\n",
		"a/b/memory.max":     "2000\n",
		"a/b/memory.current": "600\n",
	})
	require.Equal(t, limits{cpus: 1.5, memory: 1000, used: 400}, readLimits(root, "0::/a/b\n"))
}

func TestLimitsOfVersion1(t *testing.T) {
	root := write(t, map[string]string{
		"memory/box/memory.limit_in_bytes":  "4096\n",
		"memory/box/memory.usage_in_bytes":  "96\n",
		"cpu,cpuacct/box/cpu.cfs_quota_us":  "50000\n",
		"cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
		"cpu,cpuacct/cpu.cfs_quota_us":      "-1\n",
		"cpu,cpuacct/cpu.cfs_period_us":     "100000\n",
	})
	require.Equal(t, limits{cpus: 0.5, memory: 4096, used: 96}, readLimits(root, "3:cpu,cpuacct:/box\n2:memory:/box\n0::/\n"))
}

func TestNoLimits(t *testing.T) {
	require.Zero(t, readLimits(t.TempDir(), "0::/a\nnonsense\n"))
	require.Zero(t, readLimits(t.TempDir(), ""))
}
