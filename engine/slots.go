package engine

import llama "axon/cgo"

// minReuse is the shortest common prefix worth taking from the cache: below
// it, evaluating again is cheaper than a batch of another shape.
const minReuse = 16

// slot is one of the context's sequence ids.
type slot struct {
	seq    *sequence // at work in it; nil: nobody
	held   *job      // the job that it is set aside for
	tokens []Token   // remembered: what the cache still holds of a finished sequence
	used   int64     // when it was last at work
}

func (s *slot) busy() bool { return s.held != nil }

// slotTable hands out the context's sequences and remembers what finished
// ones left in the KV cache.
type slotTable struct {
	ctx      *llama.Context
	slots    []slot
	clock    int64
	reserved int // cells promised to jobs at work
	capacity int
	split    bool // slots cannot share cells
}

func newSlotTable(e *Engine) *slotTable {
	return &slotTable{ctx: e.ctx, slots: make([]slot, e.info.Seqs), capacity: e.info.Context, split: e.noFork}
}

// cells is what is promised plus what is remembered. Shared cells count
// twice, so the cache can only be emptier than this says.
func (t *slotTable) cells() int {
	n := t.reserved
	for i := range t.slots {
		n += len(t.slots[i].tokens)
	}
	return n
}

func (t *slotTable) free() int {
	n := 0
	for i := range t.slots {
		if !t.slots[i].busy() {
			n++
		}
	}
	return n
}

// fits reports whether a job could start now, everything remembered given up.
func (t *slotTable) fits(j *job) bool {
	return t.free() >= j.slots && t.reserved+j.cells <= t.capacity
}

// admit gives a job its slots, the first with as much of the prompt in it as
// the cache can offer.
func (t *slotTable) admit(j *job, reuse bool) {
	s := j.seqs[0]
	from, n := -1, 0
	if reuse && !j.fresh {
		from, n = t.longestPrefix(s.tokens[:min(j.work.firstRow(), len(s.tokens)-1)])
	}
	t.reserved += j.cells
	switch {
	case n < minReuse:
		s.slot = t.take(j)
	case t.slots[from].busy():
		s.slot, s.cached = t.take(j), n
		t.ctx.SeqCopy(int32(from), s.slot, 0, int32(n))
	default:
		t.hold(j, from)
		s.slot, s.cached = int32(from), n
		t.ctx.SeqRemove(int32(from), int32(n), -1)
	}
	t.slots[s.slot].seq = s
	for len(j.spare) < j.slots-1 {
		j.spare = append(j.spare, t.take(j))
	}
	for t.cells() > t.capacity && t.forget() {
	}
	j.reused = s.cached
}

// longestPrefix finds the slot whose cells start like prompt for longest.
func (t *slotTable) longestPrefix(prompt []Token) (best, length int) {
	best = -1
	for i := range t.slots {
		held := t.slots[i].tokens
		if s := t.slots[i].seq; s != nil && !t.split {
			held = s.tokens[:s.cached]
		}
		if n := commonPrefix(held, prompt); n > length {
			best, length = i, n
		}
	}
	return best, length
}

func commonPrefix(a, b []Token) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// take sets a slot aside for j: an unused one, else the one that was
// remembered longest ago.
func (t *slotTable) take(j *job) int32 {
	best := -1
	for i := range t.slots {
		s := &t.slots[i]
		if !s.busy() && (best < 0 || s.before(&t.slots[best])) {
			best = i
		}
	}
	if len(t.slots[best].tokens) > 0 {
		t.drop(int32(best))
	}
	t.hold(j, best)
	return int32(best)
}

// before orders free slots by how little is lost in taking them.
func (s *slot) before(o *slot) bool {
	if empty, other := len(s.tokens) == 0, len(o.tokens) == 0; empty != other {
		return empty
	}
	return s.used < o.used
}

func (t *slotTable) hold(j *job, i int) {
	t.slots[i].held = j
	t.slots[i].tokens = nil
}

// forget gives up the slot that was remembered longest ago; false: there is none.
func (t *slotTable) forget() bool {
	best := -1
	for i := range t.slots {
		s := &t.slots[i]
		if !s.busy() && len(s.tokens) > 0 && (best < 0 || s.used < t.slots[best].used) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	t.drop(int32(best))
	return true
}

// drop empties a slot, in the cache too.
func (t *slotTable) drop(i int32) {
	t.ctx.SeqRemove(i, -1, -1)
	t.slots[i].tokens, t.slots[i].seq = nil, nil
}

// release takes a job's slots back. What its sequences left in the cache is
// remembered if keep, and if it is long enough to be of use.
func (t *slotTable) release(j *job, keep bool) {
	t.reserved -= j.cells
	t.clock++
	for i := range t.slots {
		s := &t.slots[i]
		if s.held != j {
			continue
		}
		seq := s.seq
		s.held, s.seq, s.used = nil, nil, t.clock
		if keep && seq != nil && seq.cached >= minReuse {
			s.tokens = seq.tokens[:seq.cached:seq.cached]
			continue
		}
		t.drop(int32(i))
	}
}

// fork lets a new sequence of j continue where s is, in a slot of its own.
func (t *slotTable) fork(j *job, s *sequence) *sequence {
	i := j.spare[0]
	j.spare = j.spare[1:]
	t.ctx.SeqCopy(s.slot, i, 0, int32(s.cached))
	f := &sequence{job: j, slot: i, tokens: append([]Token{}, s.tokens[:s.cached]...), cached: s.cached}
	t.slots[i].seq = f
	j.seqs = append(j.seqs, f)
	return f
}
