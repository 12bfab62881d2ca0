package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"axon/engine"
	"axon/internal/progress"
	"axon/internal/rowfile"
	"axon/kernels"
	"axon/kernels/pack"
)

// rowJob computes the rows that a file lacks, window by window.
//
// One window at a time, though the engine could work on several: which windows
// share a batch would then depend on time, and with it the last digits of rows. So
// a run that was interrupted gives the same bytes as one that was not.
//
// A chunk is packed by whichever goroutine brings its last row, while the engine
// waits for the rows of its batch to be taken. Threads that pack during a decode
// would keep the cores from ggml's threads, all of which wait for the slowest.
type rowJob struct {
	engine *engine.Engine
	tokens []engine.Token
	out    *rowfile.Writer

	params   pack.Params
	encoders sync.Pool // *pack.Encoder
	bar      *progress.Bar

	mu    sync.Mutex
	ready map[uint64]packed // chunks that wait for those before them, by first row
}

// packed is a chunk that is ready to be written.
type packed struct {
	targets []rowfile.Target
	batch   []byte
}

const (
	// maxChunkRows is a compromise: many rows pack well and cost few bytes besides,
	// few are packed by several goroutines at once and are little to lose.
	maxChunkRows = 64
	// maxChunkEntries bounds the memory of a chunk to 32 MiB.
	maxChunkEntries = 4 << 20
)

// chunkRows is the number of rows in a chunk.
func chunkRows(k int) int { return min(max(maxChunkEntries/k, 1), maxChunkRows) }

// run writes all rows and the end.
func (j *rowJob) run(ctx context.Context) error {
	h := j.out.Header()
	var err error
	if j.params, err = h.Params(); err != nil {
		return err
	}
	j.ready = map[uint64]packed{}
	j.bar = progress.Start(os.Stderr, fmt.Sprintf("%d rows", h.Rows()), float64(h.Rows()-j.out.Next()))
	defer j.bar.Stop()
	for j.out.Next() < h.Rows() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.window(ctx, h.WindowOf(j.out.Next())); err != nil {
			return err
		}
	}
	return j.out.Finish()
}

// rowChunk collects a run of rows, which come in any order.
type rowChunk struct {
	first   uint64
	k, rows int
	missing atomic.Int32
	once    sync.Once
	entries []kernels.Entry // rows × k
	rests   []float32
	targets []rowfile.Target
}

// window computes the rows of a window that the file lacks. It asks for those too
// that the file has: with fewer rows the batches had another shape, and the rows
// other last digits. The last token is evaluated for the same reason, as in
// axon score.
func (j *rowJob) window(ctx context.Context, w rowfile.Window) error {
	in := slices.Clone(j.tokens[w.Start:w.End])
	if bos := j.out.Header().BOS; bos >= 0 {
		in[0] = bos
	}
	next := j.out.Next()
	chunks := j.layOut(w, next)
	chunkOf := func(row uint64) *rowChunk { return chunks[(row-w.FirstRow)/uint64(j.out.Header().ChunkRows)] }
	wanted := func(pos int) (row uint64, ok bool) {
		row = w.Start + uint64(pos)
		return row, row >= next && row < w.EndRow
	}
	var positions []int
	for row := w.FirstRow; row <= w.EndRow; row++ {
		positions = append(positions, int(row-w.Start))
	}
	return j.engine.Sparse(ctx, engine.SparseRequest{
		Tokens: in, Positions: positions, K: j.out.Header().K, Fresh: true,
		Targets: j.targets(w),
		Target: func(pos int, logProb float32) {
			if row, ok := wanted(pos); ok {
				chunkOf(row).target(row, j.tokens[row+1], logProb)
			}
		},
		Each: func(pos int, d kernels.Sparse) error {
			if row, ok := wanted(pos); ok {
				return j.put(chunkOf(row), row, d)
			}
			return nil
		},
	})
}

// targets are the tokens behind those of a window; behind the text's last comes none,
// and any will do.
func (j *rowJob) targets(w rowfile.Window) []engine.Token {
	if w.End < uint64(len(j.tokens)) {
		return j.tokens[w.Start+1 : w.End+1]
	}
	return append(slices.Clone(j.tokens[w.Start+1:]), 0)
}

// layOut cuts a window's rows into chunks; those before next are nil or begin there.
func (j *rowJob) layOut(w rowfile.Window, next uint64) []*rowChunk {
	h := j.out.Header()
	var chunks []*rowChunk
	for first := w.FirstRow; first < w.EndRow; first += uint64(h.ChunkRows) {
		end := min(first+uint64(h.ChunkRows), w.EndRow)
		if end <= next {
			chunks = append(chunks, nil)
			continue
		}
		from := max(first, next)
		c := &rowChunk{first: from, k: h.K, rows: int(end - from)}
		c.missing.Store(int32(c.rows))
		chunks = append(chunks, c)
	}
	return chunks
}

// reserve gives the chunk memory when its first row comes: a window may have many
// chunks, of which few are at work.
func (c *rowChunk) reserve() {
	c.once.Do(func() {
		c.entries = make([]kernels.Entry, c.rows*c.k)
		c.rests, c.targets = make([]float32, c.rows), make([]rowfile.Target, c.rows)
	})
}

// target takes the log-probability of the token that came, before put is called.
func (c *rowChunk) target(row uint64, t engine.Token, logProb float32) {
	c.reserve()
	c.targets[row-c.first] = rowfile.Target{Token: t, LogProb: min(logProb, 0)}
}

// put copies a row into its chunk, and sends the chunk off when it was the last.
func (j *rowJob) put(c *rowChunk, row uint64, d kernels.Sparse) error {
	i := int(row - c.first)
	if n := copy(c.entries[i*c.k:(i+1)*c.k], d.Entries); n < c.k || len(d.Entries) > c.k {
		return fmt.Errorf("row %d has %d entries; there should be %d", row, len(d.Entries), c.k)
	}
	c.rests[i] = d.Rest
	if c.missing.Add(-1) > 0 {
		return nil
	}
	p, err := j.pack(c)
	if err != nil {
		return err
	}
	return j.deliver(c.first, p)
}

// pack makes a batch of a chunk's rows.
func (j *rowJob) pack(c *rowChunk) (packed, error) {
	enc, ok := j.encoders.Get().(*pack.Encoder)
	if !ok {
		var err error
		if enc, err = pack.NewEncoder(j.params); err != nil {
			return packed{}, err
		}
	}
	defer j.encoders.Put(enc)
	p := packed{targets: c.targets}
	for i := range c.rows {
		row := pack.Row{Entries: c.entries[i*c.k : (i+1)*c.k], Rest: c.rests[i]}
		if err := enc.Add(row); err != nil {
			return p, fmt.Errorf("row %d: %w", c.first+uint64(i), err)
		}
	}
	p.batch = enc.Batch(nil)
	return p, nil
}

// deliver writes a chunk once those before it are written.
func (j *rowJob) deliver(first uint64, p packed) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ready[first] = p
	for {
		next := j.out.Next()
		p, ok := j.ready[next]
		if !ok {
			return nil
		}
		delete(j.ready, next)
		if err := j.out.Append(p.targets, p.batch); err != nil {
			return err
		}
		j.bar.Add(float64(len(p.targets)))
	}
}
