package auth

import (
	"sync"
	"time"
)

// recentLimit is how many askers are remembered at once. A metagraph has fewer hotkeys;
// where there is none and more ask within an interval, the oldest may ask early.
const recentLimit = 1 << 16

// asker is whose requests are to be apart. The reference times forward and backward
// requests each for itself.
type asker struct {
	hotkey  PublicKey
	request Request
}

// recent remembers who was admitted within the last interval. The reference counts from
// the last attempt, so that who asks too often is never answered again; here the interval
// is counted from the last request that was let in.
type recent struct {
	interval time.Duration
	limit    int

	mu    sync.Mutex
	since map[asker]time.Time
	queue []asker // of those in since, in order of admission
}

func newRecent(interval time.Duration, limit int) *recent {
	return &recent{interval: interval, limit: limit, since: make(map[asker]time.Time)}
}

// admit notes a request, or says how long ago the one before it was, where that is less
// than the interval.
func (r *recent) admit(a asker, now time.Time) (passed time.Duration, ok bool) {
	if r.interval <= 0 {
		return 0, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	if last, known := r.since[a]; known {
		return now.Sub(last), false
	}
	if len(r.queue) >= r.limit {
		r.drop()
	}
	r.since[a] = now
	r.queue = append(r.queue, a)
	return 0, true
}

// forget drops all who may ask again. A time ahead of now comes of a clock that was set
// back, and does not count.
func (r *recent) forget(now time.Time) {
	for len(r.queue) > 0 {
		if passed := now.Sub(r.since[r.queue[0]]); passed >= 0 && passed < r.interval {
			return
		}
		r.drop()
	}
}

func (r *recent) drop() {
	delete(r.since, r.queue[0])
	r.queue = r.queue[1:]
}
