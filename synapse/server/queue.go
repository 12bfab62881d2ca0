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
// get their turn. But a part of the room is only for short texts, which go past long ones
// into it: where long ones fill the rest, they need not wait for those to end.
//
// A request waits for one of its texts after the other, so that one with more
// priority gets in between them. Of the requests of which nothing has started, only so
// many may wait; the last in line gives way to whoever has more priority.
type queue struct {
	capacity load
	express  int // tokens that only short texts get
	short    int // tokens of a short text
	limit    int // requests that wait

	mu          sync.Mutex
	free        load // but for the express part
	freeExpress int
	arrivals    uint64
	waiting     line
}

const (
	expressShare = 8  // of the room is one express
	shortShare   = 32 // short texts take no more than one of these of the room, or what any text counts as
)

// load is what there is only so much of.
type load struct {
	tokens int   // in the model
	bytes  int64 // of answers, from their beginning until they are sent
}

func (l load) fits(free load) bool { return l.tokens <= free.tokens && l.bytes <= free.bytes }
func (l load) plus(m load) load    { return load{l.tokens + m.tokens, l.bytes + m.bytes} }
func (l load) minus(m load) load   { return load{l.tokens - m.tokens, l.bytes - m.bytes} }

func newQueue(capacity load, limit int) *queue {
	q := &queue{capacity: capacity, limit: limit, short: max(leastCost, capacity.tokens/shortShare)}
	if express := capacity.tokens / expressShare; express >= q.short {
		q.express = express
	}
	q.free, q.freeExpress = q.most(), q.express
	return q
}

// most is what texts of any length share.
func (q *queue) most() load { return q.capacity.minus(load{tokens: q.express}) }

// room is what a text was given.
type room struct {
	load
	express bool
}

// place is a request's place in the queue.
type place struct {
	priority float64
	arrival  uint64

	// Guarded by the queue's mu.
	started bool // a text of it was let in
	cost    load // of the text that waits
	index   int  // in the line
	room    room // that it was given
	turn    chan error
}

func (p *place) before(o *place) bool {
	if p.priority != o.priority {
		return p.priority > o.priority
	}
	return p.arrival < o.arrival
}

// order is before, for sorting.
func order(x, y *place) int {
	if x.before(y) {
		return -1
	}
	return 1 // no two are equal
}

// place gives a request its place, by when it came.
func (q *queue) place(priority float64) *place {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arrivals++
	return &place{priority: priority, arrival: q.arrivals}
}

// enter waits until there is room for the request's next text, and takes it, to be given
// back with leave. The error is the context's, or errFull. One text of a request waits at
// a time.
func (q *queue) enter(ctx context.Context, p *place, cost load) (room, error) {
	turn, err := q.queueUp(p, cost)
	if err != nil {
		return room{}, err
	}
	select {
	case err := <-turn:
		return p.room, err
	case <-ctx.Done():
		q.giveUp(p)
		return room{}, ctx.Err()
	}
}

// leave gives room back.
func (q *queue) leave(r room) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.giveBack(r)
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
	return q.capacity.minus(q.free).minus(load{tokens: q.freeExpress})
}

// queueUp lets the text in at once or puts it in line.
func (q *queue) queueUp(p *place, cost load) (chan error, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	most := q.most() // which a text that is longer has all of
	p.cost, p.turn = load{min(cost.tokens, most.tokens), min(cost.bytes, most.bytes)}, make(chan error, 1)
	first := len(q.waiting) == 0 || p.before(q.waiting[0])
	if r, ok := q.roomFor(p, first); ok {
		q.letIn(p, r)
		return p.turn, nil
	}
	if err := q.makeRoom(p); err != nil {
		return nil, err
	}
	heap.Push(&q.waiting, p)
	return p.turn, nil
}

// roomFor finds room for whoever is first in line, or short.
func (q *queue) roomFor(p *place, first bool) (r room, ok bool) {
	switch {
	case first && p.cost.fits(q.free):
		return room{load: p.cost}, true
	case p.cost.tokens <= q.short && p.cost.tokens <= q.freeExpress && p.cost.bytes <= q.free.bytes:
		return room{p.cost, true}, true
	}
	return room{}, false
}

func (q *queue) letIn(p *place, r room) {
	if r.express {
		q.freeExpress -= r.tokens
		q.free.bytes -= r.bytes
	} else {
		q.free = q.free.minus(r.load)
	}
	p.started, p.room = true, r
	p.turn <- nil
}

func (q *queue) giveBack(r room) {
	if r.express {
		q.freeExpress += r.tokens
		q.free.bytes += r.bytes
	} else {
		q.free = q.free.plus(r.load)
	}
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
	last := slices.MaxFunc(fresh, order)
	full := fmt.Errorf("%w: %d requests wait, which is the limit", errFull, q.limit)
	if last.priority >= p.priority {
		return full
	}
	heap.Remove(&q.waiting, last.index)
	last.turn <- full
	return nil
}

// admit lets in whoever is first while there is room, and short texts past them.
func (q *queue) admit() {
	for len(q.waiting) > 0 {
		r, ok := q.roomFor(q.waiting[0], true)
		if !ok {
			break
		}
		q.letIn(heap.Pop(&q.waiting).(*place), r)
	}
	if q.freeExpress < leastCost || len(q.waiting) == 0 {
		return
	}
	for _, p := range slices.SortedFunc(slices.Values(q.waiting), order) {
		if r, ok := q.roomFor(p, false); ok {
			heap.Remove(&q.waiting, p.index)
			q.letIn(p, r)
		}
	}
}

// giveUp takes a text out of the line, or gives back the room that it was just given.
func (q *queue) giveUp(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case err := <-p.turn:
		if err == nil {
			q.giveBack(p.room)
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
