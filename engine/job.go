package engine

import (
	"slices"
	"sync/atomic"
	"time"

	llama "axon/cgo"
)

// job is one request on its way through the driver.
type job struct {
	work   work
	seqs   []*sequence // the first holds the prompt
	slots  int         // sequences it needs at most
	cells  int         // KV cells it needs at most
	hidden bool        // wants hidden states, which takes batches of their own
	whole  bool        // the prompt must be in one physical batch (encoders)
	fresh  bool        // do not reuse remembered prefixes

	reused    int       // tokens of the prompt that were in the cache already
	prompted  time.Time // when the prompt was through
	spare     []int32
	unwatch   func() bool
	cancelled atomic.Bool
	cause     error // why it was cancelled; set before cancelled
	err       error // set before done is closed
	done      chan struct{}
}

func (j *job) promptDone() {
	if j.prompted.IsZero() {
		j.prompted = time.Now()
	}
}

// sequence is one line of tokens in the KV cache.
type sequence struct {
	job    *job
	slot   int32
	tokens []Token
	cached int // how many of tokens are in the cache
}

func (s *sequence) pending() []Token { return s.tokens[s.cached:] }

// work is what a job does with its rows.
type work interface {
	// firstRow is the first position whose row is wanted: what comes before
	// may be taken from the cache.
	firstRow() int
	// wants reports whether the row at a position of s is needed.
	wants(s *sequence, pos int) bool
	// row takes one row of output. It is called from several goroutines at
	// once, for different rows, and must not keep the row.
	row(s *sequence, pos int, out *llama.Output, i int) error
	// advance is called on the driver's goroutine after the rows of a step
	// were taken: it extends, forks and ends the job's sequences. It reports
	// whether the job is over.
	advance(d *driver, j *job) (over bool, err error)
}

func newJob(w work, prompt []Token) *job {
	j := &job{work: w, slots: 1, cells: len(prompt), done: make(chan struct{})}
	// A copy: what stays in the cache is compared with these tokens long after
	// the caller has its slice back.
	j.seqs = []*sequence{{job: j, slot: -1, tokens: slices.Clone(prompt)}}
	return j
}
