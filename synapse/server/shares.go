package server

import (
	"sync"

	"axon/synapse/auth"
)

// sharesOf is into how many parts the memory for answers is divided: one caller gets one.
const sharesOf = 4

// shares keep one caller from holding all the memory for answers: those that nobody
// fetches keep theirs until they are given up.
type shares struct {
	limit int64 // bytes of one caller, unless a single answer takes more

	mu   sync.Mutex
	held map[auth.PublicKey]int64
}

func newShares(all int64) *shares {
	return &shares{limit: all / sharesOf, held: make(map[auth.PublicKey]int64)}
}

// take takes a part of a caller's share, and returns how much of it was taken before and
// whether there was enough.
func (s *shares) take(caller auth.PublicKey, bytes int64) (before int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.held[caller]
	if before > 0 && before+bytes > s.limit {
		return before, false
	}
	s.held[caller] = before + bytes
	return before, true
}

func (s *shares) giveBack(caller auth.PublicKey, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[caller] -= bytes; s.held[caller] <= 0 {
		delete(s.held, caller)
	}
}
