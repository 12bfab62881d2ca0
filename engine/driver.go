package engine

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	llama "axon/cgo"
)

// driver owns the context: the only goroutine that decodes.
type driver struct {
	*Engine
	slots  *slotTable
	active []*job // admitted, in order of admission

	batch   llama.Batch
	parts   []part // what of which sequence is in the batch
	rowRefs []rowRef
	hidden  bool // the batch asks for hidden states
}

// part is a run of one sequence's tokens in the batch.
type part struct {
	seq *sequence
	n   int
}

// rowRef says whose row number i of the output is.
type rowRef struct {
	seq *sequence
	pos int
	i   int
}

func newDriver(e *Engine) *driver {
	return &driver{Engine: e, slots: newSlotTable(e)}
}

// run is the engine's loop. llama.cpp's threads are tied to the one that
// drives them, hence the lock.
func (d *driver) run() {
	runtime.LockOSThread()
	defer close(d.stopped)
	for d.collect() {
		d.fill()
		if d.batch.Len() > 0 {
			d.step()
		}
	}
}

// collect waits until there is work, drops what was cancelled and admits what
// fits, in the order of arrival. It reports false when the engine closes.
func (d *driver) collect() bool {
	for {
		d.mu.Lock()
		closing := d.closing
		d.admit()
		d.mu.Unlock()
		d.dropCancelled(closing)
		d.count()
		switch {
		case len(d.active) > 0:
			return true
		case closing:
			return false
		}
		d.mu.Lock()
		waiting := len(d.queue) > 0
		d.mu.Unlock()
		if !waiting {
			<-d.wake
		}
	}
}

// admit moves jobs from the queue; d.mu is held.
func (d *driver) admit() {
	kept := d.queue[:0]
	blocked := false
	for _, j := range d.queue {
		switch {
		case j.cancelled.Load() || d.closing:
			d.active = append(d.active, j) // dropCancelled ends it
		case !blocked && d.slots.fits(j):
			d.slots.admit(j, !d.noReuse)
			d.active = append(d.active, j)
			d.stats.reused.Add(int64(j.reused))
		default:
			blocked = true // first come, first served
			kept = append(kept, j)
		}
	}
	clear(d.queue[len(kept):])
	d.queue = kept
}

func (d *driver) dropCancelled(closing bool) {
	for _, j := range slices.Clone(d.active) {
		switch {
		case j.cancelled.Load():
			d.stats.cancelled.Add(1)
			d.finish(j, j.cause, true)
		case closing:
			d.finish(j, ErrClosed, false)
		}
	}
}

func (d *driver) count() {
	d.stats.active.Store(int64(len(d.active)))
	d.stats.cells.Store(int64(d.slots.cells()))
}

// finish ends a job and lets its caller go on.
func (d *driver) finish(j *job, err error, keep bool) {
	d.active = slices.DeleteFunc(d.active, func(a *job) bool { return a == j })
	if j.seqs[0].slot >= 0 {
		d.slots.release(j, keep && !d.noReuse)
	}
	j.unwatch()
	j.err = err
	d.stats.finished.Add(1)
	d.count()
	close(j.done)
}

// fill puts pending tokens into the batch: sequences that wait for just one
// token first, then prompts, the shorter first, so that a short request waits
// for one batch even behind long ones. At least half of the room is the oldest
// prompt's, so that long ones come to their end too.
func (d *driver) fill() {
	d.batch.Reset()
	d.parts, d.rowRefs = d.parts[:0], d.rowRefs[:0]
	var waiting []*sequence
	for _, hidden := range []bool{!d.hidden, d.hidden} { // the two kinds take turns
		waiting = d.waiting(waiting[:0], hidden)
		if len(waiting) > 0 {
			d.hidden = hidden
			break
		}
	}
	singles, prompts := partition(waiting)
	for _, s := range singles {
		d.add(s, d.room())
	}
	if len(prompts) > 0 {
		d.addPrompts(prompts)
	}
}

// room is how many tokens a batch may have, and how many rows.
type room struct{ tokens, rows int }

func (d *driver) room() room {
	if d.hidden { // every token is a row
		return room{min(d.info.UBatch, d.rows), d.rows}
	}
	return room{d.info.UBatch, d.rows}
}

// addPrompts adds prompts, of which the first is the oldest.
func (d *driver) addPrompts(prompts []*sequence) {
	oldest, others := prompts[0], prompts[1:]
	due := len(oldest.pending())
	all := d.room()
	share := room{all.tokens - min(due, (all.tokens-d.batch.Len())/2), all.rows - min(due, (all.rows-len(d.rowRefs))/2)}
	if oldest.job.whole {
		share.tokens, share.rows = all.tokens-due, all.rows-due
	}
	slices.SortStableFunc(others, func(a, b *sequence) int { return cmp.Compare(len(a.pending()), len(b.pending())) })
	for _, s := range others {
		d.add(s, share)
	}
	d.add(oldest, all)
}

// partition splits what waits into single tokens, by slot, and prompts, by
// admission. Where sequences have cells of their own, llama.cpp cuts a batch
// whenever the order of the slots does not rise.
func partition(waiting []*sequence) (singles, prompts []*sequence) {
	for _, s := range waiting {
		if len(s.pending()) == 1 {
			singles = append(singles, s)
		} else {
			prompts = append(prompts, s)
		}
	}
	slices.SortFunc(singles, func(a, b *sequence) int { return cmp.Compare(a.slot, b.slot) })
	return singles, prompts
}

func (d *driver) waiting(list []*sequence, hidden bool) []*sequence {
	for _, j := range d.active {
		for _, s := range j.seqs {
			if j.hidden == hidden && len(s.pending()) > 0 {
				list = append(list, s)
			}
		}
	}
	return list
}

// add puts as much of a sequence into the batch as there is room for.
func (d *driver) add(s *sequence, most room) {
	n := min(len(s.pending()), most.tokens-d.batch.Len())
	if s.job.whole && n < len(s.pending()) {
		return
	}
	added := 0
	for pos := s.cached; added < n; pos++ {
		wanted := s.job.work.wants(s, pos)
		if wanted && len(d.rowRefs) >= most.rows {
			break
		}
		if wanted {
			i := len(d.rowRefs)
			if d.hidden {
				i = d.batch.Len()
			}
			d.rowRefs = append(d.rowRefs, rowRef{s, pos, i})
		}
		d.batch.Add(s.tokens[pos], int32(pos), s.slot, wanted)
		added++
	}
	if added > 0 {
		d.parts = append(d.parts, part{s, added})
	}
}

// step decodes the batch, hands out its rows and lets the jobs go on.
func (d *driver) step() {
	jobs := d.jobsInBatch()
	if !d.enter(jobs) {
		return
	}
	out, err := d.ctx.Decode(&d.batch, d.hidden)
	d.leave()
	if err != nil {
		d.decodeFailed(jobs, err)
		return
	}
	d.stats.steps.Add(1)
	d.stats.tokens.Add(int64(d.batch.Len()))
	d.stats.rows.Add(int64(len(d.rowRefs)))
	for _, p := range d.parts {
		p.seq.cached += p.n
	}
	failed := d.takeRows(&out)
	for _, j := range jobs {
		if err := failed[j]; err != nil {
			d.finish(j, err, true)
			continue
		}
		if over, err := j.work.advance(d, j); over || err != nil {
			d.finish(j, err, true)
		}
	}
}

func (d *driver) jobsInBatch() []*job {
	var jobs []*job
	for _, p := range d.parts {
		if !slices.Contains(jobs, p.seq.job) {
			jobs = append(jobs, p.seq.job)
		}
	}
	return jobs
}

// enter tells cancel whose batch is being decoded; false: nobody's any more.
func (d *driver) enter(jobs []*job) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if allCancelled(jobs) {
		return false
	}
	d.inFlight = jobs
	return true
}

func (d *driver) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inFlight = nil
	d.ctx.Abort(false)
}

// decodeFailed keeps the engine going. An aborted batch was everybody's wish.
// Without room in the cache what is remembered goes first, then the last
// request of the batch; after any other failure all of them end.
func (d *driver) decodeFailed(jobs []*job, err error) {
	switch {
	case errors.Is(err, llama.ErrAborted):
	case errors.Is(err, llama.ErrNoKVSpace) && d.slots.forget():
	case errors.Is(err, llama.ErrNoKVSpace):
		d.finish(jobs[len(jobs)-1], err, false)
	default:
		for _, j := range jobs {
			d.finish(j, err, false)
		}
	}
}

// takeRows runs the jobs' row functions, several at once when there are
// several rows, and returns the first error of each job that had one.
func (d *driver) takeRows(out *llama.Output) map[*job]error {
	var mu sync.Mutex
	failed := map[*job]error{}
	inParallel(len(d.rowRefs), func(k int) {
		r := d.rowRefs[k]
		if err := takeRow(r, out); err != nil {
			mu.Lock()
			defer mu.Unlock()
			if failed[r.seq.job] == nil {
				failed[r.seq.job] = err
			}
		}
	})
	return failed
}

// takeRow turns a panic of the caller's function into an error of its request:
// the neighbours must not notice.
func takeRow(r rowRef, out *llama.Output) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic at position %d: %v\n%s", r.pos, p, debug.Stack())
		}
	}()
	return r.seq.job.work.row(r.seq, r.pos, out, r.i)
}

// inParallel calls f(0) … f(n-1) on as many goroutines as may run, the
// caller's among them.
func inParallel(n int, f func(int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(i)
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}
