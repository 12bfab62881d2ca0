package bench

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/models"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
)

// quick is a test that takes moments.
var quick = ServeTest{
	Synapse: "causallm", Serializer: "msgpack", TopK: 16, Texts: 2, Length: 12, Generate: 4, Clients: 3, Requests: 2,
}

func openServed(t *testing.T, file string) *engine.Model {
	t.Helper()
	m, err := engine.OpenModel(t.Context(), engine.ModelOptions{Path: filepath.Join("..", "models", file)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func heldOut(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../models/heldout.txt")
	require.NoError(t, err)
	return string(text[:20000])
}

// target is a model of the standard vocabulary on one thread.
func target(t *testing.T) ServeTarget {
	t.Helper()
	c := config
	c.Threads = 1
	return ServeTarget{Model: openServed(t, models.GPT2Vocabulary), Config: c, Seed: 1}
}

// leavesNothing checks that what the test began has ended.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if n := runtime.NumGoroutine(); n > before {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines instead of %d:\n%s", n, before, stacks[:runtime.Stack(stacks, true)])
		}
	})
}

// Every synapse is asked as often as the test says, and compared with the engine.
func TestServeAsksForEverySynapse(t *testing.T) {
	where := target(t)
	where.Text = heldOut(t)
	leavesNothing(t)
	const rounds, texts, tokens = 2, 2 * 3 * 2, 12 * 2 * 3 * 2 // of a round
	for name, want := range map[string]struct {
		synapse string
		bytes   float64 // of a position, about
	}{
		"causallm":     {"TextCausalLM", 16 * 8},
		"next":         {"TextCausalLMNext", 16 * 8},
		"lasthidden":   {"TextLastHiddenState", 1024 * 4},
		"seq2seq":      {"TextSeq2Seq", 8},
		"crossentropy": {"TextCrossEntropy", 4},
	} {
		t.Run(name, func(t *testing.T) {
			test, turns := quick, 0
			task, _ := synapse.TaskNamed(want.synapse)
			limit := task.Timeout
			test.Synapse = name
			rows, err := RunServe(t.Context(), where, test, rounds, func() { turns++ })
			require.NoError(t, err)
			require.Equal(t, where.Turns(test, rounds), turns)
			require.Len(t, rows, 1)
			require.Equal(t, limit, task.Timeout, "as before")
			r := rows[0]
			require.Equal(t, want.synapse, r.Synapse)
			require.Equal(t, rounds*texts/test.Texts, r.Latency.Count)
			require.Equal(t, texts/test.Texts, r.Requests)
			require.Len(t, r.TokensPerSec.Samples, rounds)
			require.InDelta(t, want.bytes, r.BytesPerPosition, 0.5*want.bytes+30)
			require.Positive(t, r.BatchMS)
			require.InEpsilon(t, r.Latency.P99/r.BatchMS, r.P99Batches, 1e-9)
			require.Equal(t, r.Latency.Count, r.Engine.Latency.Count)
			require.Positive(t, r.Engine.Share.Median)
			require.InEpsilon(t, r.RequestsPerSec.Samples[0]*tokens/float64(texts/test.Texts), r.TokensPerSec.Samples[0]*perText(name), 1e-6)
			require.Nil(t, r.Peer)
		})
	}
}

// perText is how many tokens a text has for each that its speed counts.
func perText(name string) float64 {
	if name == "seq2seq" {
		return float64(quick.Length) / float64(quick.Generate)
	}
	return 1
}

func TestServeTranslates(t *testing.T) {
	where := target(t)
	where.Model, where.Text = openServed(t, models.BuiltInName+".gguf"), heldOut(t)
	rows, err := RunServe(t.Context(), where, quick, 1, func() {})
	require.NoError(t, err)
	require.Equal(t, quick.inARound(), rows[0].Latency.Count)
	require.Positive(t, rows[0].Engine.TokensPerSec.Median)
}

func TestPackedAnswersAreSmaller(t *testing.T) {
	where := target(t)
	test := quick
	test.TopK = 256
	plain, err := RunServe(t.Context(), where, test, 1, func() {})
	require.NoError(t, err)
	test.Serializer = "packed"
	packed, err := RunServe(t.Context(), where, test, 1, func() {})
	require.NoError(t, err)
	require.Less(t, packed[0].BytesPerPosition, plain[0].BytesPerPosition/3)
}

func TestMixedLoads(t *testing.T) {
	where := target(t)
	leavesNothing(t)
	test := quick
	test.Mixed, test.MixedLength = 2, 5
	rows, err := RunServe(t.Context(), where, test, 2, func() {})
	require.NoError(t, err)
	require.Len(t, rows, 2)
	long, short := rows[0], rows[1]
	require.Equal(t, []string{"TextCausalLM", "TextCausalLMNext"}, []string{long.Synapse, long.Beside})
	require.Equal(t, []string{"TextCausalLMNext", "TextCausalLM"}, []string{short.Synapse, short.Beside})
	require.Equal(t, 2*quick.inARound(), long.Latency.Count)
	require.GreaterOrEqual(t, short.Latency.Count, 2*test.Mixed, "each client asks once at least")
	require.Equal(t, []int{1, 5, 2}, []int{short.Texts, short.Length, short.Clients})
	require.Positive(t, short.P99Batches)
	require.Nil(t, long.Engine)
}

// meter lets connections through to an address and counts what comes back.
type meter struct {
	net.Listener
	connections, bytes atomic.Int64
	wg                 sync.WaitGroup
}

func newMeter(t *testing.T, to string) *meter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &meter{Listener: l}
	m.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.connections.Add(1)
			m.wg.Go(func() { m.pass(c, to) })
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		m.wg.Wait()
	})
	return m
}

func (m *meter) pass(c net.Conn, to string) {
	defer c.Close()
	s, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer s.Close()
	go func() {
		_, _ = io.Copy(s, c)
		_ = s.Close()
	}()
	_, _ = io.Copy(c, io.TeeReader(s, m))
}

// Write counts.
func (m *meter) Write(b []byte) (int, error) {
	m.bytes.Add(int64(len(b)))
	return len(b), nil
}

// A server that runs elsewhere is asked over its socket: every client has a connection,
// and as many bytes pass as the row says.
func TestServersElsewhereAreAsked(t *testing.T) {
	where := target(t)
	elsewhere, err := serve(where.Model, where.Config, quick, 64)
	require.NoError(t, err)
	defer func() { require.NoError(t, elsewhere.Close()) }()
	m := newMeter(t, elsewhere.endpoint.Address)
	key, err := auth.NewKey()
	require.NoError(t, err)

	remote := ServeTarget{Endpoint: &client.Endpoint{Address: m.Addr().String(), Hotkey: elsewhere.endpoint.Hotkey}, Key: key}
	require.Equal(t, 2, remote.Turns(quick, 2))
	rows, err := RunServe(t.Context(), remote, quick, 2, func() {})
	require.NoError(t, err)
	r := rows[0]
	require.Equal(t, m.Addr().String(), r.Endpoint)
	require.Nil(t, r.Engine)
	require.Zero(t, r.BatchMS)
	require.EqualValues(t, quick.Clients, m.connections.Load())
	positions := float64(r.Latency.Count * quick.Texts * quick.Length)
	require.Greater(t, float64(m.bytes.Load()), positions*r.BytesPerPosition)
}

func TestAnInterruptedServeEnds(t *testing.T) {
	where := target(t)
	leavesNothing(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := RunServe(ctx, where, quick, 1<<30, func() { cancel() })
	require.Equal(t, context.Canceled, err)
}

func TestImpossibleServeTestsAreRefused(t *testing.T) {
	for words, change := range map[string]func(*ServeTest){
		"top-k 0: must be at least 1":         func(t *ServeTest) { t.TopK = 0 },
		"clients 0: must be at least 1":       func(t *ServeTest) { t.Clients = 0 },
		"tokens of a text 1: must be":         func(t *ServeTest) { t.Length = 1 },
		"tokens of a short text 0":            func(t *ServeTest) { t.Mixed = 1 },
		`synapse "x": must be causallm, next`: func(t *ServeTest) { t.Synapse = "x" },
		`serializer "x": must be msgpack`:     func(t *ServeTest) { t.Serializer = "x" },
		"next by packed":                      func(t *ServeTest) { t.Synapse, t.Serializer = "next", "packed" },
	} {
		test := quick
		change(&test)
		require.ErrorContains(t, test.Validate(), words)
		_, err := RunServe(t.Context(), ServeTarget{}, test, 1, func() {})
		require.ErrorContains(t, err, words)
	}
	_, err := RunServe(t.Context(), ServeTarget{}, quick, 0, func() {})
	require.ErrorContains(t, err, "0 rounds")

	where := target(t)
	where.Text = "Too short."
	_, err = RunServe(t.Context(), where, quick, 1, func() {})
	require.ErrorContains(t, err, "too short for windows of 12; 24 at least")
}
