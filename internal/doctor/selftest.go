package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"axon/engine"
)

const (
	testPrompt = "Package sort provides"
	testTokens = 24
	testRounds = 5
	// testTime bounds the comparison of thread counts: where barriers explode, a
	// step can take a hundred times as long.
	testTime = 2 * time.Second
	// Steps must not become slower by more than this with one thread more, or
	// with twice as many: a small model gains little from many threads, but only
	// where cores are taken away does it lose so much.
	slowerThanOneLess = 1.5
	slowerThanHalf    = 4
)

// SelfTest is what a run of the built-in model showed.
type SelfTest struct {
	Text   string   `json:"text"`
	Took   float64  `json:"seconds"`
	Timing []Timing `json:"timing"`
}

// Timing is the speed of one way to run the model.
type Timing struct {
	GPU     bool    `json:"gpu"` // all layers on the GPUs; otherwise on the CPU only
	Threads int     `json:"threads"`
	Step    float64 `json:"milliseconds_per_token"` // median over the rounds
}

// selfTest generates a few tokens on the CPU, and measures them with all the
// threads that will be used against fewer, in turns, under the load that there
// is; then on the GPUs, if they are to be used.
func (r *Report) selfTest(ctx context.Context, o Options) {
	begun := time.Now()
	onCPU := engine.ModelOptions{Data: o.Test, Name: "built-in model", CPUOnly: true}
	t := &SelfTest{}
	err := t.measure(ctx, onCPU, threadCounts(r.Used.Threads))
	if err == nil && r.hasGPU() && !o.Model.CPUOnly {
		onGPU := engine.ModelOptions{Data: o.Test, Name: "built-in model", Devices: o.Model.Devices}
		err = t.measure(ctx, onGPU, []int{r.Used.Threads})
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.add(Fault, "the self-test failed: "+err.Error(), "rebuild with make clean build; if that does not help, report it with this output")
		return
	}
	t.Took = time.Since(begun).Seconds()
	r.SelfTest = t
	r.checkBarriers()
}

// threadCounts are n, one less and half as many.
func threadCounts(n int) []int {
	counts := []int{n}
	for _, fewer := range []int{n - 1, n / 2} {
		if fewer >= 1 && fewer < counts[len(counts)-1] {
			counts = append(counts, fewer)
		}
	}
	return counts
}

// checkBarriers warns when all cores are slower than some of them: each of the
// hundred steps of a token then waits for the thread that lost its core.
func (r *Report) checkBarriers() {
	all := r.SelfTest.Timing[0]
	for _, fewer := range r.SelfTest.Timing[1:] {
		limit := float64(slowerThanHalf)
		if fewer.Threads == all.Threads-1 {
			limit = slowerThanOneLess
		}
		if ratio := all.Step / fewer.Step; !fewer.GPU && ratio > limit {
			r.add(Warning, fmt.Sprintf("the machine is busy: a token takes %.1f times as long with %s as with %d", ratio, threads(all.Threads), fewer.Threads),
				fmt.Sprintf("use --threads %d, or stop what else is running", fewer.Threads))
			return
		}
	}
}

func threads(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}

// runner is an engine with a number of threads, and the steps it took.
type runner struct {
	*engine.Engine
	threads int
	steps   []float64 // milliseconds a token, one entry a round
	tokens  []engine.Token
	text    string
}

// measure runs the model with each of the numbers of threads, which fall.
func (t *SelfTest) measure(ctx context.Context, o engine.ModelOptions, counts []int) error {
	m, err := engine.OpenModel(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	runners, err := newRunners(m, counts)
	defer closeAll(runners)
	if err != nil {
		return err
	}
	if err := compare(ctx, m, runners); err != nil {
		return err
	}
	for _, r := range runners {
		if text := testPrompt + r.text; len(text) > len(t.Text) {
			t.Text = text
		}
		t.Timing = append(t.Timing, Timing{!o.CPUOnly, r.threads, median(r.steps)})
	}
	return nil
}

func newRunners(m *engine.Model, counts []int) ([]*runner, error) {
	var list []*runner
	for _, n := range counts {
		e, err := engine.New(m, engine.Options{Threads: n, Context: 256, Sequences: 1, Batch: 64})
		if err != nil {
			return list, err
		}
		list = append(list, &runner{Engine: e, threads: n})
	}
	return list, nil
}

func closeAll(list []*runner) {
	for _, r := range list {
		_ = r.Close()
	}
}

// compare lets the runners work in turns, so that a passing load hits both.
func compare(ctx context.Context, m *engine.Model, runners []*runner) error {
	prompt, err := m.Vocab().Tokenize(testPrompt, true, false)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(testTime)
	for round := range testRounds {
		// The one with fewer threads goes first: it certainly finishes.
		for _, r := range slices.Backward(runners) {
			if err := r.round(ctx, prompt, deadline); err != nil {
				return err
			}
		}
		if round > 0 && time.Now().After(deadline) {
			break
		}
	}
	return agree(runners)
}

// round generates once. What the deadline cut off still tells the speed.
func (r *runner) round(ctx context.Context, prompt []engine.Token, deadline time.Time) error {
	// A runner that was not measured yet gets half a second in any case.
	if len(r.steps) == 0 {
		deadline = latest(deadline, time.Now().Add(500*time.Millisecond))
	}
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	begun := time.Now()
	result, err := r.Generate(limited, engine.GenerateRequest{Prompt: prompt, MaxTokens: testTokens, IgnoreEOG: true})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if result == nil || len(result.Sequences) == 0 || len(result.Sequences[0].Tokens) < 2 {
		if len(r.steps) == 0 { // not a single step: the worst that can be said
			r.steps = append(r.steps, float64(time.Since(begun).Milliseconds()))
		}
		return ctx.Err()
	}
	s := result.Sequences[0]
	perToken := (result.TotalTime - result.PromptTime) / time.Duration(len(s.Tokens)-1)
	r.steps = append(r.steps, perToken.Seconds()*1000)
	if len(s.Tokens) > len(r.tokens) {
		r.tokens, r.text = s.Tokens, s.Text
	}
	return ctx.Err()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// agree checks that the number of threads does not change what is computed.
func agree(runners []*runner) error {
	first := runners[0].tokens
	for _, r := range runners[1:] {
		n := min(len(first), len(r.tokens))
		if !slices.Equal(first[:n], r.tokens[:n]) {
			return fmt.Errorf("with %s other tokens come out than with %d", threads(runners[0].threads), r.threads)
		}
	}
	return nil
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
