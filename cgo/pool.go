package llama

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"sync"
)

// MaxThreads is the largest thread pool that ggml accepts.
const MaxThreads = 512

// Pool is a set of compute threads. Contexts share it, one decode at a time:
// two decodes that compete for the same cores are many times slower than one
// after the other.
type Pool struct {
	*object
	c       *C.ax_pool
	threads int
	busy    sync.Mutex
}

// NewPool starts n threads, the one that calls Decode counted in.
func NewPool(n int) (*Pool, error) {
	if err := Init(); err != nil {
		return nil, err
	}
	if n < 1 || n > MaxThreads {
		return nil, fmt.Errorf("%d threads: must be 1 to %d", n, MaxThreads)
	}
	var cp *C.ax_pool
	var e C.ax_error
	if C.ax_pool_new(C.int(n), &cp, &e) != 0 {
		return nil, failure(&e)
	}
	p := &Pool{c: cp, threads: n, object: newObject(nil, func() { C.ax_pool_free(cp) })}
	closeWhenLost(p, p.object)
	return p, nil
}

// Threads is the size of the pool.
func (p *Pool) Threads() int { return p.threads }
