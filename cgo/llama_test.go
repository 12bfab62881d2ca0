package llama_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	llama "axon/cgo"
)

const modelFile = "../models/axon-3m.gguf"

func openModel(t testing.TB) *llama.Model {
	t.Helper()
	m, err := llama.Open(llama.ModelParams{Path: modelFile, LoadMode: llama.LoadMmap})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func newPool(t testing.TB, n int) *llama.Pool {
	t.Helper()
	p, err := llama.NewPool(n)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func smallContext() llama.ContextParams {
	p := llama.DefaultContextParams()
	p.Context, p.Batch, p.UBatch, p.Seqs, p.Rows, p.Threads, p.ThreadsB = 256, 64, 64, 4, 16, 1, 1
	return p
}

func newContext(t testing.TB, m *llama.Model) *llama.Context {
	t.Helper()
	c, err := llama.NewContext(m, newPool(t, 1), smallContext())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sequence is a batch of n tokens at the start of sequence seq; the last one
// wants its row.
func sequence(seq int32, n int) *llama.Batch {
	b := &llama.Batch{}
	for i := range n {
		b.Add(llama.Token(100+i), int32(i), seq, i == n-1)
	}
	return b
}

func TestTheLinkedLibraryIsThePinnedOne(t *testing.T) {
	require.NoError(t, llama.Init())
	require.Equal(t, llama.PinnedVersion, llama.Version())
	require.NotEmpty(t, llama.Devices())
}

func TestUseAfterCloseIsAnError(t *testing.T) {
	m := openModel(t)
	c := newContext(t, m)
	s, err := llama.NewSampler(m, llama.SamplerParams{})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, s.Close())
		require.NoError(t, c.Close())
		require.NoError(t, m.Close())
	}
	_, err = c.Decode(sequence(0, 3), false)
	require.ErrorIs(t, err, llama.ErrClosed)
	_, err = m.Vocab().Tokenize("x", true, true)
	require.ErrorIs(t, err, llama.ErrClosed)
	_, err = m.Vocab().Piece(5, true)
	require.ErrorIs(t, err, llama.ErrClosed)
	_, err = m.OpenAdapter("x")
	require.ErrorIs(t, err, llama.ErrClosed)
	_, err = llama.NewContext(m, newPool(t, 1), smallContext())
	require.ErrorIs(t, err, llama.ErrClosed)
	_, err = llama.NewSampler(m, llama.SamplerParams{})
	require.ErrorIs(t, err, llama.ErrClosed)
	require.ErrorIs(t, s.Accept(1, true), llama.ErrClosed)
	_, err = s.Sample(make([]float32, m.Info().VocabSize), nil)
	require.ErrorIs(t, err, llama.ErrClosed)
	require.False(t, c.SeqRemove(0, 0, -1))
	c.Clear()
	c.SeqCopy(0, 1, 0, -1)
	c.Abort(true)
	require.Empty(t, c.Memory())
	require.Empty(t, m.ChatTemplate())
}

func TestTheOrderOfClosingDoesNotMatter(t *testing.T) {
	before := llama.Live()
	m, err := llama.Open(llama.ModelParams{Path: modelFile})
	require.NoError(t, err)
	pool, err := llama.NewPool(1)
	require.NoError(t, err)
	c, err := llama.NewContext(m, pool, smallContext())
	require.NoError(t, err)
	require.NoError(t, m.Close())
	require.NoError(t, pool.Close())
	require.Equal(t, before.Models+1, llama.Live().Models, "the context still needs the model")
	out, err := c.Decode(sequence(0, 3), false)
	require.NoError(t, err)
	require.Len(t, out.Logits(0), m.Info().VocabSize)
	require.NoError(t, c.Close())
	require.Equal(t, before, llama.Live())
}

func TestLostObjectsAreFreed(t *testing.T) {
	before := llama.Live()
	func() {
		m, err := llama.Open(llama.ModelParams{Path: modelFile, VocabOnly: true})
		require.NoError(t, err)
		require.Equal(t, before.Models+1, llama.Live().Models)
		runtime.KeepAlive(m)
	}()
	require.Eventually(t, func() bool {
		runtime.GC()
		return llama.Live() == before
	}, 10*time.Second, 10*time.Millisecond)
}

func TestDecodeRefusesWhatWouldStopTheProcess(t *testing.T) {
	m := openModel(t)
	c := newContext(t, m)
	one := func(tok llama.Token, pos, seq int32) *llama.Batch {
		b := &llama.Batch{}
		b.Add(tok, pos, seq, true)
		return b
	}
	manyRows := sequence(0, 64)
	for i := range manyRows.Rows {
		manyRows.Rows[i] = 1
	}
	for name, b := range map[string]*llama.Batch{
		"empty":             {},
		"too many tokens":   sequence(0, 65),
		"too many rows":     manyRows,
		"token too large":   one(llama.Token(m.Info().VocabSize), 0, 0),
		"token negative":    one(-1, 0, 0),
		"sequence too high": one(1, 0, 4),
		"sequence negative": one(1, 0, -1),
		"position negative": one(1, -1, 0),
		"lengths differ":    {Tokens: []llama.Token{1}},
	} {
		_, err := c.Decode(b, false)
		require.Error(t, err, name)
	}
	out, err := c.Decode(sequence(0, 5), false)
	require.NoError(t, err, "the context goes on")
	require.Equal(t, 1, out.N)
}

func TestAbortLeavesTheCacheAsItWas(t *testing.T) {
	c := newContext(t, openModel(t))
	_, err := c.Decode(sequence(0, 5), false)
	require.NoError(t, err)
	c.Abort(true)
	_, err = c.Decode(sequence(1, 60), false)
	require.ErrorIs(t, err, llama.ErrAborted)
	c.Abort(false)
	_, last := c.SeqRange(0)
	require.EqualValues(t, 4, last)
	_, last = c.SeqRange(1)
	require.EqualValues(t, -1, last)
	_, err = c.Decode(sequence(1, 60), false)
	require.NoError(t, err)
}

func TestAFullCacheIsATypedError(t *testing.T) {
	c := newContext(t, openModel(t))
	for seq := range int32(4) {
		_, err := c.Decode(sequence(seq, 64), false)
		require.NoError(t, err)
	}
	more := &llama.Batch{}
	more.Add(1, 64, 0, true)
	_, err := c.Decode(more, false)
	require.ErrorIs(t, err, llama.ErrNoKVSpace)
	require.True(t, c.SeqRemove(3, 0, -1))
	_, err = c.Decode(more, false)
	require.NoError(t, err)
}

func TestSequencesShareCells(t *testing.T) {
	c := newContext(t, openModel(t))
	out, err := c.Decode(sequence(0, 10), false)
	require.NoError(t, err)
	want := append([]float32{}, out.Logits(0)...)
	c.SeqCopy(0, 1, 0, 9)
	b := &llama.Batch{}
	b.Add(109, 9, 1, true)
	out, err = c.Decode(b, false)
	require.NoError(t, err)
	for i, v := range out.Logits(0) {
		require.InDelta(t, want[i], v, 0.05)
	}
}

func TestHiddenStatesComeOnRequest(t *testing.T) {
	m := openModel(t)
	c := newContext(t, m)
	out, err := c.Decode(sequence(0, 10), true)
	require.NoError(t, err)
	require.Equal(t, 10, out.N)
	require.Len(t, out.Hidden(9), m.Info().EmbeddingOut)
	require.Len(t, out.Logits(9), m.Info().VocabSize)
	out, err = c.Decode(sequence(1, 10), false)
	require.NoError(t, err)
	require.Equal(t, 1, out.N)
	require.Nil(t, out.Hidden(0))
}

func TestLoadingFromADescriptorAtAnOffset(t *testing.T) {
	model, err := os.ReadFile(modelFile)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "padded")
	const offset = 64
	require.NoError(t, os.WriteFile(path, append(make([]byte, offset), model...), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	m, err := llama.Open(llama.ModelParams{File: f, Offset: offset, LoadMode: llama.LoadMmap})
	require.NoError(t, err)
	defer func() { _ = m.Close() }()
	require.Equal(t, openModel(t).Info(), m.Info())
}

func TestProgressCanStopALoad(t *testing.T) {
	before := llama.Live()
	calls := 0
	_, err := llama.Open(llama.ModelParams{Path: modelFile, Progress: func(float32) bool { calls++; return false }})
	require.Error(t, err)
	require.Positive(t, calls)
	_, err = llama.Open(llama.ModelParams{Path: modelFile, Progress: func(float32) bool { panic("in a callback") }})
	require.Error(t, err, "a panic does not unwind through C")
	require.Equal(t, before, llama.Live())
}

func TestErrorsNameTheirCause(t *testing.T) {
	_, err := llama.Open(llama.ModelParams{Path: "no such file"})
	require.ErrorContains(t, err, "no such file")
	_, err = llama.Open(llama.ModelParams{Path: modelFile, Devices: []string{"GPU99"}})
	require.ErrorIs(t, err, llama.ErrUnknownDevice)
	require.ErrorContains(t, err, "GPU99")
	m := openModel(t)
	_, err = m.OpenAdapter("no such adapter")
	require.ErrorContains(t, err, "no such adapter")
	_, err = llama.NewSampler(m, llama.SamplerParams{Grammar: "not a grammar"})
	require.ErrorContains(t, err, "grammar")
	for _, n := range []int{0, -1, llama.MaxThreads + 1} {
		_, err = llama.NewPool(n)
		require.Error(t, err)
	}
	bad := smallContext()
	bad.Seqs = llama.MaxSequences + 1
	_, err = llama.NewContext(m, newPool(t, 1), bad)
	require.ErrorContains(t, err, "sequences")
}

func TestSamplerFollowsItsSettings(t *testing.T) {
	m := openModel(t)
	row := make([]float32, m.Info().VocabSize)
	row[7], row[8], row[9] = 5, 4, 3
	pick := func(p llama.SamplerParams, banned ...llama.Token) llama.Token {
		s, err := llama.NewSampler(m, p)
		require.NoError(t, err)
		defer func() { _ = s.Close() }()
		got, err := s.Sample(row, banned)
		require.NoError(t, err)
		return got
	}
	off := llama.SamplerParams{TopP: 1, TypicalP: 1, PenaltyRepeat: 1}
	require.EqualValues(t, 7, pick(off))
	require.EqualValues(t, 8, pick(off, 7))
	require.EqualValues(t, 9, pick(off, 7, 8))
	bias := off
	bias.Bias = map[llama.Token]float32{100: 50}
	require.EqualValues(t, 100, pick(bias))
	one := off
	one.Temp, one.TopK, one.Seed = 5, 1, 1
	require.EqualValues(t, 7, pick(one))
	seeded := off
	seeded.Temp, seeded.Seed = 1, 42
	require.Equal(t, pick(seeded), pick(seeded))

	s, err := llama.NewSampler(m, llama.SamplerParams{TopP: 1, TypicalP: 1, PenaltyLast: 4, PenaltyRepeat: 10})
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	require.NoError(t, s.Accept(7, true))
	got, err := s.Sample(row, nil)
	require.NoError(t, err)
	require.EqualValues(t, 8, got, "a penalised token falls behind")

	_, err = s.Sample(row[:5], nil)
	require.Error(t, err)
	_, err = s.Sample(row, []llama.Token{-1})
	require.ErrorIs(t, err, llama.ErrToken)
	all := make([]llama.Token, len(row))
	for i := range all {
		all[i] = llama.Token(i)
	}
	_, err = s.Sample(row, all)
	require.ErrorContains(t, err, "no token left")
}

func TestQuantizeRows(t *testing.T) {
	src := make([]float32, 64)
	for i := range src {
		src[i] = float32(math.Sin(float64(i)))
	}
	q8, err := llama.ParseTensorType("q8_0")
	require.NoError(t, err)
	require.Equal(t, "q8_0", q8.String())
	require.EqualValues(t, 34, q8.RowSize(32))
	require.EqualValues(t, -1, q8.RowSize(33))
	dst := make([]byte, 68)
	require.NoError(t, llama.QuantizeRows(q8, src, 32, dst))
	require.NotEqual(t, make([]byte, 68), dst)
	require.Error(t, llama.QuantizeRows(q8, src, 32, dst[:60]))
	require.Error(t, llama.QuantizeRows(q8, src, 30, dst))
	require.Error(t, llama.QuantizeRows(llama.TensorType(9999), src, 32, dst))
	_, err = llama.ParseTensorType("q17")
	require.ErrorContains(t, err, "q17")
}

func TestLogTextDoesNotLeakIntoTheNextError(t *testing.T) {
	_, err := llama.Open(llama.ModelParams{Path: "first"})
	require.ErrorContains(t, err, "first")
	_, err = llama.Open(llama.ModelParams{Path: "second"})
	require.False(t, strings.Contains(err.Error(), "first"))
}
