package auth

import "sync"

// refusedLimit is how many connections of callers who were not admitted are remembered.
const refusedLimit = 4096

// refusedNonces remembers the nonces of callers who proved who they are and were not
// admitted, so that a repetition is told from a request. Nothing depends on it: what it
// forgets is asked for admission again, and was never answered. So it is small, lost at a
// restart, and costs no disk: anybody can make keys that are not admitted.
type refusedNonces struct {
	mu   sync.Mutex
	last map[connection]Nonce
	ring []connection // in order of arrival
	next int          // the place in the ring that is used next
}

func newRefusedNonces(limit int) *refusedNonces {
	return &refusedNonces{last: make(map[connection]Nonce), ring: make([]connection, limit)}
}

// used reports whether a nonce is not above the last that was refused.
func (r *refusedNonces) used(u use) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.last[u.connection()]
	return ok && u.nonce.Compare(last) <= 0
}

// remember keeps the nonce, and forgets the oldest connection for it.
func (r *refusedNonces) remember(u use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := u.connection()
	if _, ok := r.last[c]; !ok {
		delete(r.last, r.ring[r.next])
		r.ring[r.next] = c
		r.next = (r.next + 1) % len(r.ring)
	}
	r.last[c] = u.nonce
}
