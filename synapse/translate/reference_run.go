package translate

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// referenceText is a text that is to be translated as the reference does.
type referenceText struct {
	*reference
	tokens []int32
	length int // of the text in standard tokens
	plan   plan
}

func (t *referenceText) Tokens() []int32 { return t.tokens }

// Distributions runs the model once. Rows are not kept: each is added to the
// standard rows it belongs to, and those are given away as soon as they are whole.
func (t *referenceText) Distributions(ctx context.Context, model Rows, positions []int, each func(pos int, probs []float32) error) (Stats, error) {
	return t.distributions(ctx, model, positions, func(pos int, probs []float32) error {
		correct(probs)
		return each(pos, probs)
	})
}

// distributions leaves the rows as they are before they are corrected.
func (t *referenceText) distributions(ctx context.Context, model Rows, positions []int, each func(pos int, probs []float32) error) (Stats, error) {
	wanted, err := choose(positions, t.length)
	if err != nil {
		return Stats{}, err
	}
	r := &run{referenceText: t, wanted: wanted, each: each, states: make([]state, len(t.plan.jobs))}
	if err := r.empty(); err != nil {
		return Stats{}, err
	}
	rows := r.rowsNeeded()
	if len(rows) == 0 {
		return Stats{}, nil
	}
	if err := model(ctx, t.tokens, rows, r.take); err != nil {
		return Stats{}, err
	}
	if n := r.missing.Load(); n > 0 {
		return Stats{}, fmt.Errorf("the model left %d of %d rows out", n, len(rows))
	}
	return Stats{Passes: 1, Tokens: len(t.tokens)}, nil
}

// choose marks the wanted ones of n positions.
func choose(positions []int, n int) ([]bool, error) {
	wanted := make([]bool, n)
	for i := range wanted {
		wanted[i] = positions == nil
	}
	for _, p := range positions {
		if p < 0 || p >= n {
			return nil, fmt.Errorf("%w: position %d of a text of %d tokens", ErrText, p, n)
		}
		wanted[p] = true
	}
	return wanted, nil
}

// run is one run of the model over a text.
type run struct {
	*referenceText
	wanted  []bool // standard rows
	each    func(pos int, probs []float32) error
	states  []state
	missing atomic.Int64 // rows of the server
}

// state is how far a job that makes one standard row of several has come.
type state struct {
	mu    sync.Mutex
	taken int
	row   *[]float32
}

// empty gives away the rows that no job makes.
func (r *run) empty() error {
	for pos, job := range r.plan.of {
		if !r.wanted[pos] || job >= 0 {
			continue
		}
		if err := r.give(pos, func([]float32) {}); err != nil {
			return err
		}
	}
	return nil
}

// rowsNeeded are the rows that jobs of wanted standard rows use.
func (r *run) rowsNeeded() (rows []int) {
	for row, uses := range r.plan.uses {
		for _, u := range uses {
			if r.isWanted(u.job) {
				rows = append(rows, row)
				break
			}
		}
	}
	r.missing.Store(int64(len(rows)))
	return rows
}

func (r *run) isWanted(n int) bool {
	job := r.plan.jobs[n]
	for i := range job.count {
		if r.wanted[job.first+i] {
			return true
		}
	}
	return false
}

// take uses one row of the model.
func (r *run) take(row int, logits []float32) error {
	probs := r.rows.get()
	defer r.rows.put(probs)
	if err := softmax(*probs, logits); err != nil {
		return fmt.Errorf("row %d: %w", row, err)
	}
	for _, u := range r.plan.uses[row] {
		if !r.isWanted(u.job) {
			continue
		}
		if err := r.use(u, *probs); err != nil {
			return err
		}
	}
	r.missing.Add(-1)
	return nil
}

func (r *run) use(u use, probs []float32) error {
	if u.part != nil {
		split := r.rows.get()
		defer r.rows.put(split)
		clear(*split)
		u.table.add(*split, probs)
		probs = *split
	}
	if r.plan.jobs[u.job].rows == 1 {
		return r.unrollRow(u, probs)
	}
	return r.foldRow(u, probs)
}

func (r *run) unrollRow(u use, probs []float32) error {
	job := r.plan.jobs[u.job]
	for i := range job.count {
		if !r.wanted[job.first+i] {
			continue
		}
		if err := r.give(job.first+i, func(to []float32) { r.unroll.add(to, probs, i) }); err != nil {
			return err
		}
	}
	return nil
}

// give makes a standard row and gives it away.
func (r *run) give(pos int, fill func(to []float32)) error {
	row := r.standardRows.get()
	defer r.standardRows.put(row)
	clear(*row)
	fill(*row)
	return r.each(pos, *row)
}

func (r *run) foldRow(u use, probs []float32) error {
	job, s := r.plan.jobs[u.job], &r.states[u.job]
	row := func() *[]float32 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.row == nil {
			s.row = r.standardRows.get()
			clear(*s.row)
		}
		r.fold.add(*s.row, probs, u.turn)
		if s.taken++; s.taken < job.rows {
			return nil
		}
		return s.row
	}()
	if row == nil {
		return nil
	}
	defer r.standardRows.put(row)
	return r.each(job.first, *row)
}

// buffers are rows to be used again.
type buffers struct{ pool *sync.Pool }

func newBuffers(size int) buffers {
	return buffers{&sync.Pool{New: func() any { row := make([]float32, size); return &row }}}
}

func (b buffers) get() *[]float32    { return b.pool.Get().(*[]float32) }
func (b buffers) put(row *[]float32) { b.pool.Put(row) }
