package server

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
)

// queue lets texts into the model: by their caller's priority, equals in the order in
// which their requests came, and no more at once than the model has room for. Room goes
// to the first in line even where somebody behind it would need less, so that long texts
// get their turn.
//
// A request waits for one of its texts after the other, so that one with more
// priority gets in between them. Of the requests of which nothing has started, only so
// many may wait; the last in line gives way to whoever has more priority.
type queue struct {
	capacity load
	limit    int // requests that wait

	mu       sync.Mutex
	free     load
	arrivals uint64
	waiting  line
}

// load is what there is only so much of.
type load struct {
	tokens int   // in the model
	bytes  int64 // of answers, from their beginning until they are sent
}

func (l load) fits(free load) bool { return l.tokens <= free.tokens && l.bytes <= free.bytes }
func (l load) plus(m load) load    { return load{l.tokens + m.tokens, l.bytes + m.bytes} }
func (l load) minus(m load) load   { return load{l.tokens - m.tokens, l.bytes - m.bytes} }

func newQueue(capacity load, limit int) *queue {
	return &queue{capacity: capacity, limit: limit, free: capacity}
}

// place is a request's place in the queue.
type place struct {
	priority float64
	arrival  uint64

	// Guarded by the queue's mu.
	started bool // a text of it was let in
	cost    load // of the text that waits
	index   int  // in the line
	turn    chan error
}

func (p *place) before(o *place) bool {
	if p.priority != o.priority {
		return p.priority > o.priority
	}
	return p.arrival < o.arrival
}

// place gives a request its place, by when it came.
func (q *queue) place(priority float64) *place {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arrivals++
	return &place{priority: priority, arrival: q.arrivals}
}

// enter waits until there is room for the request's next text, and takes it. Whoever
// entered gives back with leave what the text cost. It returns the context's error, or
// errFull. One text of a request waits at a time.
func (q *queue) enter(ctx context.Context, p *place, cost load) error {
	turn, err := q.queueUp(p, cost)
	if turn == nil || err != nil {
		return err
	}
	select {
	case err := <-turn:
		return err
	case <-ctx.Done():
		q.giveUp(p)
		return ctx.Err()
	}
}

// leave gives the room back.
func (q *queue) leave(cost load) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free = q.free.plus(q.within(cost))
	q.admit()
}

// length is how many requests wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// taken is what there is no room for any more.
func (q *queue) taken() load {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.capacity.minus(q.free)
}

// within lets a text that is longer than all the room have all of it.
func (q *queue) within(cost load) load {
	return load{min(cost.tokens, q.capacity.tokens), min(cost.bytes, q.capacity.bytes)}
}

// queueUp lets the text in at once, which gives no channel, or puts it in line.
func (q *queue) queueUp(p *place, cost load) (chan error, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.cost, p.turn = q.within(cost), make(chan error, 1)
	if p.cost.fits(q.free) && (len(q.waiting) == 0 || p.before(q.waiting[0])) {
		q.free = q.free.minus(p.cost)
		p.started = true
		return nil, nil
	}
	if err := q.makeRoom(p); err != nil {
		return nil, err
	}
	heap.Push(&q.waiting, p)
	return p.turn, nil
}

// makeRoom sends the last in line away where the line is full and the newcomer has more
// priority.
func (q *queue) makeRoom(p *place) error {
	if p.started {
		return nil // as many as fit into the model, and their number is bounded by it
	}
	fresh := slices.DeleteFunc(slices.Clone(q.waiting), func(w *place) bool { return w.started })
	if len(fresh) < q.limit {
		return nil
	}
	last := slices.MaxFunc(fresh, func(x, y *place) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	full := fmt.Errorf("%w: %d requests wait, which is the limit", errFull, q.limit)
	if last.priority >= p.priority {
		return full
	}
	heap.Remove(&q.waiting, last.index)
	last.turn <- full
	return nil
}

// admit lets in whoever is first while there is room.
func (q *queue) admit() {
	for len(q.waiting) > 0 && q.waiting[0].cost.fits(q.free) {
		p := heap.Pop(&q.waiting).(*place)
		q.free = q.free.minus(p.cost)
		p.started = true
		p.turn <- nil
	}
}

// giveUp takes a text out of the line, or gives back the room that it was just given.
func (q *queue) giveUp(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case err := <-p.turn:
		if err == nil {
			q.free = q.free.plus(p.cost)
		}
	default:
		heap.Remove(&q.waiting, p.index)
	}
	q.admit() // whoever is first now may need less
}

// line is a heap of places.
type line []*place

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].before(l[j]) }

func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].index, l[j].index = i, j
}

// Push is heap's.
func (l *line) Push(x any) {
	p := x.(*place)
	p.index = len(*l)
	*l = append(*l, p)
}

// Pop is heap's.
func (l *line) Pop() any {
	n := len(*l) - 1
	p := (*l)[n]
	(*l)[n] = nil
	*l = (*l)[:n]
	return p
}
