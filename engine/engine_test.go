package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	llama "axon/cgo"
	"axon/engine"
	"axon/kernels"
	"axon/models"
)

const prompt = "Package http provides HTTP client and server implementations. The"

// openModel opens the built-in model, the real one that ships.
func openModel(t testing.TB) *engine.Model {
	t.Helper()
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// newEngine makes an engine that computes on one thread unless told otherwise:
// ggml's barriers collapse when other packages' tests want the same cores.
func newEngine(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	if o.Threads == 0 {
		o.Threads = 1
	}
	e, err := engine.New(openModel(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func tokenize(t testing.TB, e *engine.Engine, text string) []engine.Token {
	t.Helper()
	tokens, err := e.Model().Vocab().Tokenize(text, true, false)
	require.NoError(t, err)
	return tokens
}

// greedy generates n tokens at temperature 0.
func greedy(t testing.TB, e *engine.Engine, text string, n int) engine.Generated {
	t.Helper()
	r, err := e.Generate(context.Background(), engine.GenerateRequest{Prompt: tokenize(t, e, text), MaxTokens: n, IgnoreEOG: true})
	require.NoError(t, err)
	return r.Sequences[0]
}

// rows collects copies of whole rows, by position.
func rows(t testing.TB, run func(context.Context, engine.RowsRequest) error, req engine.RowsRequest) map[int][]float32 {
	t.Helper()
	var mu sync.Mutex
	out := map[int][]float32{}
	req.Each = func(pos int, row []float32) error {
		mu.Lock()
		defer mu.Unlock()
		out[pos] = slices.Clone(row)
		return nil
	}
	require.NoError(t, run(context.Background(), req))
	return out
}

func maxDiff(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

func TestGreedyFollowsTheDistributions(t *testing.T) {
	e := newEngine(t, engine.Options{})
	g := greedy(t, e, prompt, 24)
	require.Len(t, g.Tokens, 24)
	require.Equal(t, engine.StopLength, g.Reason)

	all := append(tokenize(t, e, prompt), g.Tokens...)
	got := rows(t, e.Distributions, engine.RowsRequest{Tokens: all})
	require.Len(t, got, len(all))
	for i := len(all) - len(g.Tokens); i < len(all); i++ {
		best, err := kernels.ArgMax(got[i-1])
		require.NoError(t, err)
		// Prefill and decode differ in the last digits: the token picked must
		// be within that of the best.
		require.InDelta(t, got[i-1][best], got[i-1][all[i]], 0.05, "position %d", i)
	}
}

func TestAGenerationIsTheSameAloneAndInCompany(t *testing.T) {
	e := newEngine(t, engine.Options{Sequences: 8})
	prompts := make([]string, 8)
	alone := make([]engine.Generated, 8)
	for i := range prompts {
		prompts[i] = strings.Repeat("The function returns an error. ", i) + prompt
		alone[i] = greedy(t, e, prompts[i], 40)
	}
	together := make([]engine.Generated, 8)
	var wg sync.WaitGroup
	for i := range prompts {
		wg.Go(func() { together[i] = greedy(t, e, prompts[i], 40) })
	}
	wg.Wait()
	for i := range prompts {
		require.Equal(t, alone[i].Tokens, together[i].Tokens, "prompt %d", i)
		require.Equal(t, alone[i].Text, together[i].Text)
	}
}

func TestRowsAgreeWhateverTheBatch(t *testing.T) {
	text := strings.Repeat("Reader is the interface that wraps the basic Read method. ", 8)
	var want map[int][]float32
	for _, o := range []engine.Options{{}, {Batch: 32}, {Rows: 16}, {Batch: 7, Sequences: 2}, {Threads: 2}, {FlashAttention: "off"}} {
		e := newEngine(t, o)
		got := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokenize(t, e, text)})
		if want == nil {
			want = got
		}
		require.Len(t, got, len(want))
		for pos, row := range want {
			require.Less(t, maxDiff(row, got[pos]), 0.1, "options %+v position %d", o, pos)
		}
	}
}

func TestDistributionsAtChosenPositions(t *testing.T) {
	e := newEngine(t, engine.Options{})
	tokens := tokenize(t, e, prompt)
	all := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokens})
	some := rows(t, e.Distributions, engine.RowsRequest{Tokens: tokens, Positions: []int{5, 0, 3}})
	require.Len(t, some, 3)
	for pos, row := range some {
		require.Less(t, maxDiff(all[pos], row), 0.05)
	}
}

func TestHiddenStatesDependOnWhatCameBefore(t *testing.T) {
	e := newEngine(t, engine.Options{})
	tokens := tokenize(t, e, prompt)
	h := rows(t, e.Hidden, engine.RowsRequest{Tokens: tokens})
	require.Len(t, h, len(tokens))
	for pos, row := range h {
		require.Len(t, row, e.Model().Info().EmbeddingOut)
		require.NotZero(t, maxDiff(row, make([]float32, len(row))), "position %d", pos)
	}
	// A later token must not change an earlier state.
	short := rows(t, e.Hidden, engine.RowsRequest{Tokens: tokens[:4], Positions: []int{3}, Fresh: true})
	require.Less(t, maxDiff(h[3], short[3]), 0.05)
}

func TestTheCallersTokensMayBeReused(t *testing.T) {
	e := newEngine(t, engine.Options{})
	a := tokenize(t, e, strings.Repeat("Writer is the interface that wraps the basic Write method. ", 4))
	b := tokenize(t, e, strings.Repeat("The zero value of a Mutex is an unlocked mutex, ready to use. ", 4))
	n := min(len(a), len(b))
	last := engine.RowsRequest{Tokens: slices.Clone(a[:n]), Positions: []int{n - 1}}
	rows(t, e.Distributions, last)
	copy(last.Tokens, b[:n])
	got := rows(t, e.Distributions, last)[n-1]
	last.Fresh = true
	require.Less(t, maxDiff(rows(t, e.Distributions, last)[n-1], got), 0.05)
}

func TestASplitCacheGivesTheSameTokens(t *testing.T) {
	shared, split := newEngine(t, engine.Options{Context: 2048, Sequences: 4}), newEngine(t, engine.Options{Context: 2048, Sequences: 4, SplitCache: true})
	require.Equal(t, 512, split.Limits().Sequence)
	prompts := make([]string, 6)
	got := make([]engine.Generated, len(prompts))
	var wg sync.WaitGroup
	for i := range prompts {
		prompts[i] = strings.Repeat("The function returns an error. ", i) + prompt
		wg.Go(func() { got[i] = greedy(t, split, prompts[i], 30) })
	}
	wg.Wait()
	for i, p := range prompts {
		require.Equal(t, greedy(t, shared, p, 30).Tokens, got[i].Tokens)
	}
	tokens := tokenize(t, split, prompt)
	require.ErrorIs(t, generateErr(split, engine.GenerateRequest{Prompt: tokens, N: 2, MaxTokens: 3}), engine.ErrUnsupported)
	require.ErrorIs(t, generateErr(split, engine.GenerateRequest{Prompt: make([]engine.Token, 600)}), engine.ErrTooLong)
}

func TestAPrefixIsSharedWithARunningSequence(t *testing.T) {
	e := newEngine(t, engine.Options{Sequences: 4})
	long := strings.Repeat("Writer is the interface that wraps the basic Write method. ", 6)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = e.Generate(ctx, engine.GenerateRequest{Prompt: tokenize(t, e, long), MaxTokens: 500, IgnoreEOG: true,
			OnToken: func(engine.TokenEvent) error { once.Do(func() { close(started) }); return nil }})
	})
	<-started
	req := engine.GenerateRequest{Prompt: tokenize(t, e, long+"The Reader"), MaxTokens: 8, IgnoreEOG: true}
	shared, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Greater(t, shared.ReusedTokens, 50)
	cancel()
	wg.Wait()
	req.Fresh = true
	fresh, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Equal(t, fresh.Sequences[0].Tokens, shared.Sequences[0].Tokens)
}

func TestAPrefixIsReused(t *testing.T) {
	e := newEngine(t, engine.Options{})
	long := tokenize(t, e, strings.Repeat("Writer is the interface that wraps the basic Write method. ", 10))
	req := engine.GenerateRequest{Prompt: long, MaxTokens: 8, IgnoreEOG: true}
	first, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Zero(t, first.ReusedTokens)
	again, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Equal(t, len(long)-1, again.ReusedTokens)
	require.Equal(t, first.Sequences[0].Tokens, again.Sequences[0].Tokens)
	req.Fresh = true
	fresh, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Zero(t, fresh.ReusedTokens)
	require.Equal(t, first.Sequences[0].Tokens, fresh.Sequences[0].Tokens)
}

func TestSeveralSequencesFromOnePrompt(t *testing.T) {
	e := newEngine(t, engine.Options{})
	req := engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), MaxTokens: 20, N: 4, IgnoreEOG: true,
		Sampling: engine.Sampling{Temp: 1, Seed: 7},
	}
	first, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	again, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	texts := map[string]bool{}
	for i, s := range first.Sequences {
		require.Len(t, s.Tokens, 20)
		require.Equal(t, s.Tokens[:8], again.Sequences[i].Tokens[:8], "the same seed draws the same tokens")
		texts[s.Text] = true
	}
	require.Greater(t, len(texts), 1, "sequences of one prompt have seeds of their own")
}

func TestStopStringsAreNotShown(t *testing.T) {
	e := newEngine(t, engine.Options{})
	whole := greedy(t, e, prompt, 40).Text
	words := strings.Fields(whole)
	require.Greater(t, len(words), 4)
	stop := words[3]
	var streamed strings.Builder
	r, err := e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), MaxTokens: 40, IgnoreEOG: true, Stop: []string{stop},
		OnToken: func(ev engine.TokenEvent) error { streamed.WriteString(ev.Text); return nil },
	})
	require.NoError(t, err)
	require.Equal(t, engine.StopText, r.Sequences[0].Reason)
	require.Equal(t, whole[:strings.Index(whole, stop)], r.Sequences[0].Text)
	require.Equal(t, r.Sequences[0].Text, streamed.String())
}

func TestLogprobsAreThoseOfTheModel(t *testing.T) {
	e := newEngine(t, engine.Options{})
	var events []engine.TokenEvent
	_, err := e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), MaxTokens: 5, IgnoreEOG: true, Logprobs: true, TopK: 5,
		OnToken: func(ev engine.TokenEvent) error { events = append(events, ev); return nil },
	})
	require.NoError(t, err)
	require.Len(t, events, 5)
	for _, ev := range events {
		require.Len(t, ev.Top, 5)
		require.Equal(t, ev.Top[0], ev.TokenProb, "greedy takes the most likely")
		sum := 0.0
		for _, p := range ev.Top {
			sum += math.Exp(p.Logprob)
		}
		require.LessOrEqual(t, sum, 1.0001)
		require.Negative(t, ev.Logprob)
	}
}

func TestGrammarBindsTheText(t *testing.T) {
	e := newEngine(t, engine.Options{})
	r, err := e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), MaxTokens: 30,
		Sampling: engine.Sampling{Temp: 0.8, Seed: 3, Grammar: `root ::= " " ("yes" | "no") "."`},
	})
	require.NoError(t, err)
	require.Contains(t, []string{" yes.", " no."}, r.Sequences[0].Text)

	_, err = e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), Sampling: engine.Sampling{Grammar: "root ::= ((("},
	})
	require.ErrorIs(t, err, engine.ErrRequest)
}

func TestNoNGramOccursTwice(t *testing.T) {
	e := newEngine(t, engine.Options{})
	p := tokenize(t, e, "the the the the")
	r, err := e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: p, MaxTokens: 100, IgnoreEOG: true, Sampling: engine.Sampling{NoRepeatNGram: 2},
	})
	require.NoError(t, err)
	all := append(slices.Clone(p), r.Sequences[0].Tokens...)
	seen := map[[2]engine.Token]bool{}
	for i := len(p) - 1; i+1 < len(all); i++ {
		pair := [2]engine.Token{all[i], all[i+1]}
		require.False(t, seen[pair], "%v at %d", pair, i)
		seen[pair] = true
	}
}

func TestBeamSearchFindsWhatIsLikelier(t *testing.T) {
	e := newEngine(t, engine.Options{Sequences: 16})
	req := engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), MaxTokens: 12, IgnoreEOG: true, Logprobs: true,
		Beams: &engine.BeamOptions{Beams: 1},
	}
	total := func(g engine.Generated) (sum float64) {
		for _, p := range g.Logprobs {
			sum += p
		}
		return sum
	}
	one, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Equal(t, greedy(t, e, prompt, 12).Tokens, one.Sequences[0].Tokens, "one beam is greedy search")

	req.Beams = &engine.BeamOptions{Beams: 6}
	req.N = 3
	six, err := e.Generate(context.Background(), req)
	require.NoError(t, err)
	require.Len(t, six.Sequences, 3)
	require.GreaterOrEqual(t, total(six.Sequences[0]), total(one.Sequences[0])-1e-3)
	for i := 1; i < 3; i++ {
		require.GreaterOrEqual(t, six.Sequences[i-1].Score, six.Sequences[i].Score)
		require.NotEqual(t, six.Sequences[i-1].Tokens, six.Sequences[i].Tokens)
	}
	// A beam's log-probabilities are those of the model along its tokens: its
	// cells were copied from the right parents.
	for _, s := range six.Sequences {
		all := append(slices.Clone(req.Prompt), s.Tokens...)
		got := rows(t, e.Distributions, engine.RowsRequest{Tokens: all, Fresh: true})
		for i, tok := range s.Tokens {
			row := got[len(req.Prompt)+i-1]
			lse, err := kernels.LogSumExp(row)
			require.NoError(t, err)
			require.InDelta(t, float64(row[tok])-lse, s.Logprobs[i], 0.05, "token %d", i)
		}
	}
}

func TestDiverseGroupsDiffer(t *testing.T) {
	e := newEngine(t, engine.Options{Sequences: 16})
	r, err := e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: tokenize(t, e, prompt), MaxTokens: 10, IgnoreEOG: true, N: 4,
		Beams: &engine.BeamOptions{Beams: 4, Groups: 4, DiversityPenalty: 50},
	})
	require.NoError(t, err)
	firsts := map[engine.Token]bool{}
	for _, s := range r.Sequences {
		firsts[s.Tokens[0]] = true
	}
	require.Len(t, firsts, 4, "a large penalty lets no two groups start alike")
}

func TestCancelStopsOneAndNotTheOthers(t *testing.T) {
	e := newEngine(t, engine.Options{Sequences: 4})
	want := greedy(t, e, prompt, 60)
	ctx, cancel := context.WithCancel(context.Background())
	var got engine.Generated
	var wg sync.WaitGroup
	wg.Go(func() { got = greedy(t, e, prompt, 60) })
	n := 0
	r, err := e.Generate(ctx, engine.GenerateRequest{
		Prompt: tokenize(t, e, "Package os provides"), MaxTokens: 500, IgnoreEOG: true,
		OnToken: func(engine.TokenEvent) error {
			// Only once both are at work; the neighbour may also have ended first.
			if n++; n >= 5 && (e.Stats().Active == 2 || e.Stats().Finished > 1) {
				cancel()
			}
			return nil
		},
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, len(r.Sequences[0].Tokens), 500)
	require.GreaterOrEqual(t, len(r.Sequences[0].Tokens), 5, "what was generated is kept")
	require.Equal(t, engine.StopCancel, r.Sequences[0].Reason)
	wg.Wait()
	require.Equal(t, want.Tokens, got.Tokens)
	require.Equal(t, want.Tokens, greedy(t, e, prompt, 60).Tokens, "the engine goes on as before")
}

func TestCancelDuringAPromptStopsTheDecode(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 4096})
	tokens := slices.Repeat(tokenize(t, e, prompt), 4000/len(tokenize(t, e, prompt)))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// The first row is ready after the first of eight batches.
	err := e.Distributions(ctx, engine.RowsRequest{Tokens: tokens, Positions: []int{0, len(tokens) - 1}, Each: func(pos int, _ []float32) error {
		require.Zero(t, pos, "the last row must not be reached")
		cancel()
		return nil
	}})
	require.ErrorIs(t, err, context.Canceled)
	require.LessOrEqual(t, e.Stats().Steps, int64(2), "it stops within one batch")
	require.NotEmpty(t, greedy(t, e, prompt, 4).Text)
}

func TestAnErrorOfTheCallersFunctionEndsItsRequestOnly(t *testing.T) {
	e := newEngine(t, engine.Options{})
	mine := errors.New("mine")
	tokens := tokenize(t, e, prompt)
	err := e.Distributions(context.Background(), engine.RowsRequest{Tokens: tokens, Each: func(pos int, _ []float32) error {
		if pos == 3 {
			return mine
		}
		return nil
	}})
	require.ErrorIs(t, err, mine)
	err = e.Distributions(context.Background(), engine.RowsRequest{Tokens: tokens, Each: func(int, []float32) error { panic("oh") }})
	require.ErrorContains(t, err, "oh")
	_, err = e.Generate(context.Background(), engine.GenerateRequest{Prompt: tokens, OnToken: func(engine.TokenEvent) error { return mine }})
	require.ErrorIs(t, err, mine)
	require.NotEmpty(t, greedy(t, e, prompt, 4).Text)
}

func TestWhatCannotRunIsRefusedAtOnce(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 256, Sequences: 2})
	nothing := func(int, []float32) error { return nil }
	long := make([]engine.Token, 300)
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"no tokens", e.Distributions(context.Background(), engine.RowsRequest{Each: nothing}), engine.ErrRequest},
		{"no function", e.Distributions(context.Background(), engine.RowsRequest{Tokens: long[:3]}), engine.ErrRequest},
		{"too long", e.Distributions(context.Background(), engine.RowsRequest{Tokens: long, Each: nothing}), engine.ErrTooLong},
		{"id too large", e.Distributions(context.Background(), engine.RowsRequest{Tokens: []engine.Token{1 << 20}, Each: nothing}), engine.ErrToken},
		{"id negative", e.Distributions(context.Background(), engine.RowsRequest{Tokens: []engine.Token{-1}, Each: nothing}), engine.ErrToken},
		{"position outside", e.Distributions(context.Background(), engine.RowsRequest{Tokens: long[:3], Positions: []int{3}, Each: nothing}), engine.ErrRequest},
		{"position twice", e.Distributions(context.Background(), engine.RowsRequest{Tokens: long[:3], Positions: []int{1, 1}, Each: nothing}), engine.ErrRequest},
		{"prompt too long", generateErr(e, engine.GenerateRequest{Prompt: long}), engine.ErrTooLong},
		{"prompt empty", generateErr(e, engine.GenerateRequest{}), engine.ErrRequest},
		{"too many sequences", generateErr(e, engine.GenerateRequest{Prompt: long[:3], N: 3, MaxTokens: 4}), engine.ErrTooLong},
		{"too many beams", generateErr(e, engine.GenerateRequest{Prompt: long[:3], MaxTokens: 4, Beams: &engine.BeamOptions{Beams: 2}}), engine.ErrTooLong},
		{"groups", generateErr(e, engine.GenerateRequest{Prompt: long[:3], Beams: &engine.BeamOptions{Beams: 3, Groups: 2}}), engine.ErrRequest},
		{"sampling", generateErr(e, engine.GenerateRequest{Prompt: long[:3], Sampling: engine.Sampling{Temp: -1, TopP: 2}}), engine.ErrRequest},
		{"stop", generateErr(e, engine.GenerateRequest{Prompt: long[:3], Stop: []string{""}}), engine.ErrRequest},
	} {
		require.ErrorIs(t, c.err, c.want, c.name)
	}
}

func generateErr(e *engine.Engine, r engine.GenerateRequest) error {
	_, err := e.Generate(context.Background(), r)
	return err
}

func TestWhatWouldHarmLlamaCppIsRefused(t *testing.T) {
	m := openModel(t)
	for name, o := range map[string]engine.Options{
		"more memory than there is": {Context: 1 << 29},
		"NaN":                       {RopeFreqBase: float32(math.NaN())},
		"negative":                  {RopeFreqScale: -1},
	} {
		_, err := engine.New(m, o)
		require.Error(t, err, name)
	}
	e := newEngine(t, engine.Options{})
	deep := "root ::= " + strings.Repeat("(", 100000) + strings.Repeat(")", 100000)
	for name, g := range map[string]string{"deep": deep, "NUL": "root ::= \"a\x00\"", "huge": strings.Repeat("#", 2<<20)} {
		require.ErrorIs(t, generateErr(e, engine.GenerateRequest{Prompt: []engine.Token{1}, Sampling: engine.Sampling{Grammar: g}}), engine.ErrRequest, name)
	}
	_, err := e.Generate(context.Background(), engine.GenerateRequest{
		Prompt: []engine.Token{1}, MaxTokens: 2, Sampling: engine.Sampling{Temp: 1, RepeatPenalty: 1.1, RepeatLast: math.MaxInt32},
	})
	require.NoError(t, err, "a window beyond the context is the context")
}

func TestEnginesShareTheirThreads(t *testing.T) {
	before := llama.Live().Pools
	a, b := newEngine(t, engine.Options{Threads: 1}), newEngine(t, engine.Options{Threads: 1})
	require.Equal(t, before+1, llama.Live().Pools)
	require.NoError(t, a.Close())
	require.NotEmpty(t, greedy(t, b, prompt, 3).Text)
	require.NoError(t, b.Close())
	require.Equal(t, before, llama.Live().Pools)
}

func TestManyRequestsShareTheContext(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 512, Sequences: 4})
	var rowsSeen atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			tokens := tokenize(t, e, fmt.Sprintf("Request number %d. %s", i, prompt))
			switch i % 3 {
			case 0:
				_, err := e.Generate(context.Background(), engine.GenerateRequest{Prompt: tokens, MaxTokens: 10, IgnoreEOG: true})
				assert.NoError(t, err)
			case 1:
				assert.NoError(t, e.Distributions(context.Background(), engine.RowsRequest{Tokens: tokens, Each: func(int, []float32) error {
					rowsSeen.Add(1)
					return nil
				}}))
			default:
				assert.NoError(t, e.Hidden(context.Background(), engine.RowsRequest{Tokens: tokens, Each: func(int, []float32) error { return nil }}))
			}
		})
	}
	wg.Wait()
	require.Positive(t, rowsSeen.Load())
	s := e.Stats()
	require.Equal(t, int64(40), s.Finished)
	require.Zero(t, s.Active)
	require.Zero(t, s.Waiting)
	require.LessOrEqual(t, s.Cells, int64(512))
}

func TestCloseEndsEverything(t *testing.T) {
	m := openModel(t)
	before := llama.Live()
	e, err := engine.New(m, engine.Options{})
	require.NoError(t, err)
	tokens := tokenize(t, e, prompt)
	errs := make(chan error, 3)
	for range 3 {
		go func() {
			errs <- generateErr(e, engine.GenerateRequest{Prompt: tokens, MaxTokens: 1000, IgnoreEOG: true})
		}()
	}
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	for range 3 {
		require.ErrorIs(t, <-errs, engine.ErrClosed)
	}
	require.ErrorIs(t, generateErr(e, engine.GenerateRequest{Prompt: tokens}), engine.ErrClosed)
	require.Equal(t, before, llama.Live())
}

func TestABusyEngineSaysSo(t *testing.T) {
	e := newEngine(t, engine.Options{Context: 256, Sequences: 1, Queue: 1})
	tokens := tokenize(t, e, prompt)
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = e.Generate(ctx, engine.GenerateRequest{Prompt: tokens, MaxTokens: engine.Unlimited, IgnoreEOG: true,
			OnToken: func(engine.TokenEvent) error {
				once.Do(func() { close(started) })
				<-ctx.Done() // the engine does not wait for its listener, but its end does
				return nil
			}})
	})
	<-started
	wg.Go(func() { _ = generateErr(e, engine.GenerateRequest{Prompt: tokens, MaxTokens: 1}) })
	require.Eventually(t, func() bool { return e.Stats().Waiting == 1 }, 20*time.Second, time.Millisecond)
	require.ErrorIs(t, generateErr(e, engine.GenerateRequest{Prompt: tokens}), engine.ErrBusy)
	cancel()
	wg.Wait()
}
