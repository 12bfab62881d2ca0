package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	llama "axon/cgo"
	"axon/kernels"
)

// Unlimited is the GenerateRequest.MaxTokens that goes on until the model ends the
// text or the context is full.
const Unlimited = -1

// GenerateRequest asks for continuations of a prompt.
type GenerateRequest struct {
	Prompt    []Token
	MaxTokens int // new tokens at most; Unlimited; 0: 128
	N         int // sequences from the one prompt; 0: 1
	Sampling  Sampling
	Beams     *BeamOptions // search for the most likely sequences instead of sampling
	Stop      []string     // texts that end a sequence; they are not part of it
	IgnoreEOG bool         // go on after the model ended the text
	Logprobs  bool         // tell the log-probability of each token
	TopK      int          // and the k most likely tokens at each step
	Fresh     bool         // do not reuse a prefix that another request left in the cache

	// OnToken is told of each token as it is picked, on the goroutine that
	// called Generate; an error ends the request. Beam search knows its tokens
	// only at the end and tells them then.
	OnToken func(TokenEvent) error
}

// TokenEvent is one new token.
type TokenEvent struct {
	Sequence int // 0 … N-1
	TokenProb
	// Text is what may be shown now. It can lag behind the tokens: a character
	// may take several, and a stop string is not shown. Text that was held back
	// until the end comes with llama.NoToken.
	Text string
	Top  []TokenProb // the most likely tokens, if asked for
}

// TokenProb is a token and its log-probability in nats: that of the model's
// own distribution, before temperature and penalties.
type TokenProb struct {
	Token   Token
	Logprob float64
}

// StopReason says why a sequence ended.
type StopReason string

// The reasons.
const (
	StopEOG    StopReason = "end"       // the model ended the text
	StopText   StopReason = "stop"      // a stop string
	StopLength StopReason = "length"    // MaxTokens, or the context is full
	StopCancel StopReason = "cancelled" // the request was cancelled or failed
)

// Generated is one finished sequence.
type Generated struct {
	Tokens   []Token
	Logprobs []float64 // as long as Tokens, if asked for
	Text     string
	Reason   StopReason
	Seed     uint32  // of its draws
	Score    float64 // of a beam: total log-probability over length^penalty
}

// Result is what Generate produced.
type Result struct {
	Sequences    []Generated
	PromptTokens int
	ReusedTokens int           // of the prompt, found in the cache
	PromptTime   time.Duration // from the start to the first new token
	TotalTime    time.Duration
}

func (r *GenerateRequest) validate(l Limits) error {
	if err := r.Sampling.Validate(); err != nil {
		return err
	}
	switch {
	case r.MaxTokens < Unlimited:
		return fmt.Errorf("%w: %d tokens to generate", ErrRequest, r.MaxTokens)
	case r.N < 0 || r.TopK < 0:
		return fmt.Errorf("%w: %d sequences, top %d", ErrRequest, r.N, r.TopK)
	case len(r.Prompt) >= l.Sequence:
		return fmt.Errorf("%w: a prompt of %d tokens leaves no room in a context of %d; shorten it or raise --ctx-size", ErrTooLong, len(r.Prompt), l.Sequence)
	}
	for _, s := range r.Stop {
		if s == "" {
			return fmt.Errorf("%w: an empty stop string stops everything", ErrRequest)
		}
	}
	if r.Beams != nil {
		return r.Beams.validate(r)
	}
	return nil
}

// Generate continues a prompt. When ctx ends first, the result holds what was
// generated until then and the error is the context's.
func (e *Engine) Generate(ctx context.Context, req GenerateRequest) (*Result, error) {
	if e.encoder {
		return nil, fmt.Errorf("%w: %s is an encoder and cannot generate", ErrUnsupported, e.model.name)
	}
	req.N = or(req.N, 1)
	req.MaxTokens = or(req.MaxTokens, 128)
	if err := req.validate(e.Limits()); err != nil {
		return nil, err
	}
	if e.noFork && (req.N > 1 || req.Beams != nil) {
		return nil, fmt.Errorf("%w: the cache of %s is split by sequence or by sliding windows and cannot fork; start without --no-kv-unified and with --swa-full", ErrUnsupported, e.model.name)
	}
	room := min(e.info.ContextSeq-len(req.Prompt), (e.info.Context-len(req.Prompt))/req.N)
	if req.MaxTokens == Unlimited || req.MaxTokens > room {
		req.MaxTokens = room
	}
	if req.MaxTokens < 1 {
		return nil, noRoom(&req, req.N, e.info.Context)
	}
	g, j, err := e.newGeneration(&req)
	if err != nil {
		return nil, err
	}
	defer g.close()
	begun := time.Now()
	if err := e.start(ctx, j); err != nil {
		return nil, err
	}
	err = e.follow(j, g.events(), req.OnToken)
	r := &Result{Sequences: g.result(), PromptTokens: len(req.Prompt), ReusedTokens: j.reused, TotalTime: time.Since(begun)}
	r.PromptTime = r.TotalTime
	if !j.prompted.IsZero() {
		r.PromptTime = j.prompted.Sub(begun)
	}
	return r, err
}

func noRoom(r *GenerateRequest, n, context int) error {
	return fmt.Errorf("%w: a prompt of %d tokens and %d continuations in %d KV cells; shorten it or raise --ctx-size", ErrTooLong, len(r.Prompt), n, context)
}

// generation is the work of Generate, by sampling or by beam search.
type generation interface {
	work
	events() *eventQueue
	result() []Generated
	close()
}

func (e *Engine) newGeneration(req *GenerateRequest) (generation, *job, error) {
	if req.Beams != nil {
		return e.newBeamSearch(req)
	}
	g := &sampled{req: req, vocab: e.model.vocab, queue: newEventQueue(req.OnToken)}
	for i := range req.N {
		seed := seedOf(req.Sampling.Seed, i)
		p, err := newPicker(e.model, &req.Sampling, req.Prompt, seed, e.info.ContextSeq)
		if err != nil {
			g.close()
			return nil, nil, err
		}
		g.choices = append(g.choices, &choice{index: i, picker: p, out: Generated{Seed: seed}, text: textStream{stops: req.Stop}})
	}
	j := newJob(g, req.Prompt)
	j.slots, j.cells, j.fresh = req.N, len(req.Prompt)+req.N*req.MaxTokens, req.Fresh
	return g, j, nil
}

// seedOf is the seed of the i-th sequence; it never becomes RandomSeed, which
// could not be repeated.
func seedOf(seed uint32, i int) uint32 {
	if seed == RandomSeed {
		return llama.RandomSeed()
	}
	return uint32((uint64(seed) + uint64(i)) % RandomSeed)
}

// follow passes events on until the job is done.
func (e *Engine) follow(j *job, q *eventQueue, onToken func(TokenEvent) error) error {
	if q == nil {
		<-j.done
		return j.err
	}
	var failed error
	pass := func() {
		for _, ev := range q.take() {
			if failed != nil {
				continue
			}
			if failed = onToken(ev); failed != nil {
				e.cancel(j, failed)
			}
		}
	}
	for {
		select {
		case <-q.ready:
			pass()
		case <-j.done:
			pass()
			return errors.Join(j.err, otherThan(failed, j.err))
		}
	}
}

// otherThan is err, unless have already contains it.
func otherThan(err, have error) error {
	if err != nil && errors.Is(have, err) {
		return nil
	}
	return err
}

// eventQueue carries events from the driver, which never waits, to the
// caller. There is none when nobody listens: waking a goroutine for each token
// takes time from the compute threads.
type eventQueue struct {
	mu    sync.Mutex
	list  []TokenEvent
	ready chan struct{}
}

func newEventQueue(listener func(TokenEvent) error) *eventQueue {
	if listener == nil {
		return nil
	}
	return &eventQueue{ready: make(chan struct{}, 1)}
}

func (q *eventQueue) put(ev TokenEvent) {
	if q == nil {
		return
	}
	q.mu.Lock()
	q.list = append(q.list, ev)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *eventQueue) take() []TokenEvent {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

// sampled is a generation whose tokens are drawn one after the other.
type sampled struct {
	req     *GenerateRequest
	vocab   *Vocab
	choices []*choice
	queue   *eventQueue
}

// choice is one of the sequences that grow from the prompt.
type choice struct {
	index  int
	seq    *sequence // nil until the prompt is evaluated
	picker *picker
	text   textStream
	out    Generated
	next   *TokenEvent // picked and not yet acted on
}

func (g *sampled) events() *eventQueue { return g.queue }

func (g *sampled) firstRow() int { return len(g.req.Prompt) - 1 }

func (g *sampled) wants(_ *sequence, pos int) bool { return pos >= len(g.req.Prompt)-1 }

// row picks a token: for every choice at the end of the prompt, for the one
// whose sequence it is later.
func (g *sampled) row(s *sequence, pos int, out *llama.Output, i int) error {
	logits := out.Logits(i)
	for _, c := range g.choices {
		if c.seq != s && pos != len(g.req.Prompt)-1 {
			continue
		}
		if err := g.pick(c, logits); err != nil {
			return err
		}
	}
	return nil
}

func (g *sampled) pick(c *choice, logits []float32) error {
	t, err := c.picker.pick(logits)
	if err != nil {
		return err
	}
	ev := &TokenEvent{Sequence: c.index, TokenProb: TokenProb{Token: t}}
	if g.req.Logprobs || g.req.TopK > 0 {
		if err := fillLogprobs(ev, logits, g.req.TopK); err != nil {
			return err
		}
	}
	c.next = ev
	return nil
}

func fillLogprobs(ev *TokenEvent, logits []float32, k int) error {
	s := borrowScratch()
	defer s.giveBack()
	var lse float64
	var err error
	s.top, lse, err = kernels.Reduce(s.top[:0], logits, k, kernels.Descending, &s.Scratch)
	if err != nil {
		return err
	}
	ev.Logprob = float64(logits[ev.Token]) - lse
	for _, e := range s.top {
		ev.Top = append(ev.Top, TokenProb{e.Index, float64(e.Value) - lse})
	}
	return nil
}

// advance makes the sequences of the choices that picked a token one longer.
// The first choice goes on in the prompt's own sequence, the others fork off
// before it moves.
func (g *sampled) advance(d *driver, j *job) (bool, error) {
	if len(j.seqs[0].pending()) > 0 {
		return false, nil // the prompt is not through yet
	}
	j.promptDone()
	open := len(g.choices)
	for i := len(g.choices) - 1; i >= 0; i-- {
		c := g.choices[i]
		if c.next != nil {
			g.grow(d, j, c)
		}
		if c.out.Reason != "" {
			open--
		}
	}
	return open == 0, nil
}

func (g *sampled) grow(d *driver, j *job, c *choice) {
	ev := c.next
	c.next = nil
	if g.vocab.IsEOG(ev.Token) && !g.req.IgnoreEOG {
		c.out.Reason = StopEOG
		if held := c.text.flush(); held != "" {
			g.queue.put(TokenEvent{Sequence: c.index, TokenProb: TokenProb{Token: llama.NoToken}, Text: held})
		}
		return
	}
	c.out.Tokens = append(c.out.Tokens, ev.Token)
	if g.req.Logprobs || g.req.TopK > 0 {
		c.out.Logprobs = append(c.out.Logprobs, ev.Logprob)
	}
	var stopped bool
	ev.Text, stopped = c.text.push(g.piece(ev.Token))
	switch {
	case stopped:
		c.out.Reason = StopText
	case len(c.out.Tokens) >= g.req.MaxTokens:
		c.out.Reason = StopLength
		ev.Text += c.text.flush()
	default:
		if c.seq == nil {
			c.seq = j.seqs[0]
			if c.index > 0 {
				c.seq = d.slots.fork(j, j.seqs[0])
			}
		}
		c.seq.tokens = append(c.seq.tokens, ev.Token)
	}
	g.queue.put(*ev)
}

// piece is the text of a token; control tokens have none.
func (g *sampled) piece(t Token) []byte {
	if g.vocab.IsControl(t) {
		return nil
	}
	return g.vocab.Piece(t)
}

func (g *sampled) result() []Generated {
	out := make([]Generated, len(g.choices))
	for i, c := range g.choices {
		if c.out.Reason == "" {
			c.out.Reason = StopCancel
			c.text.flush()
		}
		c.out.Text = c.text.text.String()
		out[i] = c.out
	}
	return out
}

func (g *sampled) close() {
	for _, c := range g.choices {
		c.picker.close()
	}
}
