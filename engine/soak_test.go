package engine_test

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	llama "axon/cgo"
	"axon/engine"
	"axon/models"
)

// soakSize is how much TestSoak does: AXON_SOAK=1 is the whole of it (make
// soak), otherwise a hundredth, which is enough to see a lost handle.
func soakSize() (cycles, requests int) {
	if os.Getenv("AXON_SOAK") != "" {
		return 1000, 10000
	}
	return 10, 100
}

// TestSoak opens and closes models, and sends requests of all kinds, and
// prints how resident memory and native objects go meanwhile. Objects must not
// grow by one; memory is judged by its slope over the second half, when pools
// and caches are filled.
func TestSoak(t *testing.T) {
	cycles, requests := soakSize()
	before := llama.Live()

	open := newTrend()
	for range cycles {
		openAndClose(t)
		open.sample()
	}
	t.Log(open.report("open and close"))
	require.Equal(t, before, llama.Live())

	e := newEngine(t, engine.Options{Context: 2048, Sequences: 8})
	atWork := llama.Live()
	send := newTrend()
	const atOnce = 8
	for n := 0; n < requests; n += atOnce {
		var wg sync.WaitGroup
		for i := range atOnce {
			wg.Go(func() { oneRequest(t, e, n+i) })
		}
		wg.Wait()
		send.sample()
	}
	t.Log(send.report(fmt.Sprintf("%d requests at once", atOnce)))
	require.Equal(t, atWork, llama.Live())
	if os.Getenv("AXON_SOAK") != "" {
		require.Less(t, open.slope(), 2048.0, "bytes that each cycle leaves behind")
		require.Less(t, send.slope(), 2048.0, "bytes that each round of requests leaves behind")
	}
}

func openAndClose(t *testing.T) {
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName})
	require.NoError(t, err)
	e, err := engine.New(m, engine.Options{Context: 256, Threads: 2})
	require.NoError(t, err)
	_, err = e.Generate(context.Background(), engine.GenerateRequest{Prompt: []engine.Token{1, 2, 3}, MaxTokens: 2, Sampling: engine.Sampling{Temp: 1}})
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.NoError(t, m.Close())
}

// oneRequest is the i-th of a mixture: prompts that share beginnings, all
// kinds of work, some cancelled half-way.
func oneRequest(t *testing.T, e *engine.Engine, i int) {
	tokens, err := e.Model().Vocab().Tokenize(strings.Repeat(prompt+" ", 1+i%4)+strconv.Itoa(i), true, false)
	assert.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch i % 5 {
	case 0:
		_, err = e.Generate(ctx, engine.GenerateRequest{Prompt: tokens, MaxTokens: 4})
	case 1:
		_, err = e.Generate(ctx, engine.GenerateRequest{Prompt: tokens, MaxTokens: 4, N: 2, Sampling: engine.Sampling{Temp: 1, Grammar: "root ::= [a-z ]*"}})
	case 2:
		err = e.Distributions(ctx, engine.RowsRequest{Tokens: tokens, Each: func(int, []float32) error { return nil }})
	case 3:
		_, err = e.Embed(ctx, tokens, engine.PoolMean, true)
	default:
		_, err = e.Generate(ctx, engine.GenerateRequest{Prompt: tokens, MaxTokens: 400, IgnoreEOG: true, OnToken: func(engine.TokenEvent) error {
			cancel()
			return nil
		}})
		assert.ErrorIs(t, err, context.Canceled)
		err = nil
	}
	assert.NoError(t, err)
}

// every is the number of rounds between two looks at memory, before each of
// which Go's heap is emptied.
const every = 5

// trend records resident memory over time.
type trend struct {
	rounds int
	rss    []float64
}

func newTrend() *trend { return &trend{} }

func (r *trend) sample() {
	if r.rounds++; r.rounds%every == 0 {
		debug.FreeOSMemory()
		r.rss = append(r.rss, float64(residentBytes()))
	}
}

// slope is the least-squares growth in bytes per round over the second half.
func (r *trend) slope() float64 {
	y := r.rss[len(r.rss)/2:]
	n := float64(len(y))
	var sx, sy, sxx, sxy float64
	for i, v := range y {
		x := float64(i)
		sx, sy, sxx, sxy = sx+x, sy+v, sxx+x*x, sxy+x*v
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d / every
	}
	return 0
}

func (r *trend) report(what string) string {
	const mib = 1 << 20
	return fmt.Sprintf("%s: %d rounds, resident %.1f MiB first, %.1f half-way, %.1f last; slope of the second half %+.0f bytes each; native %+v",
		what, r.rounds, r.rss[0]/mib, r.rss[len(r.rss)/2]/mib, r.rss[len(r.rss)-1]/mib, r.slope(), llama.Live())
}

// residentBytes is the process's resident memory; 0 where the system does not
// tell it in Linux's way.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
