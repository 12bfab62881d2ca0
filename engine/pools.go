package engine

import (
	"sync"

	llama "axon/cgo"
)

// pools are the compute threads of this process, by their number. Engines that
// want as many threads share them: two decodes at once on the same cores would
// be many times slower than one after the other.
var pools = struct {
	sync.Mutex
	users map[int]int
	open  map[int]*llama.Pool
}{users: map[int]int{}, open: map[int]*llama.Pool{}}

// takePool is the pool of n threads, started for its first user.
func takePool(n int) (*llama.Pool, error) {
	pools.Lock()
	defer pools.Unlock()
	if pools.users[n] == 0 {
		p, err := llama.NewPool(n)
		if err != nil {
			return nil, err
		}
		pools.open[n] = p
	}
	pools.users[n]++
	return pools.open[n], nil
}

// leavePool ends the threads with their last user.
func leavePool(n int) {
	pools.Lock()
	defer pools.Unlock()
	if pools.users[n]--; pools.users[n] == 0 {
		_ = pools.open[n].Close()
		delete(pools.open, n)
	}
}
