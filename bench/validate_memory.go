package bench

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memory looks again and again at how much memory the process has, and remembers the most.
type memory struct {
	heap, resident uint64 // bytes
	end            chan struct{}
	watcher        sync.WaitGroup
}

// lookEvery is short enough to see what is held for the part of a second.
const lookEvery = 10 * time.Millisecond

// start forgets what was before, unless it looks already.
func (m *memory) start() {
	if m.end != nil {
		return
	}
	m.heap, m.resident, m.end = 0, 0, make(chan struct{})
	m.watcher.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			m.heap, m.resident = max(m.heap, heapInUse()), max(m.resident, resident())
			select {
			case <-tick.C:
			case <-m.end:
				return
			}
		}
	})
}

// stop is idempotent.
func (m *memory) stop() {
	if m.end != nil {
		close(m.end)
		m.watcher.Wait()
		m.end = nil
	}
}

// heapInUse are the bytes of objects, garbage that was not yet collected included.
func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// resident is the memory of the process that is in RAM, 0 where that is not told.
func resident() uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize()) //nolint:gosec // a size
}
