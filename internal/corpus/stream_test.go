package corpus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func stdinOf(r io.Reader) Options {
	return Options{Paths: []string{"-"}, Stdin: r, Length: 10}
}

// rest gives all windows that follow a position.
func rest(t testing.TB, c Corpus, p Position) [][]int32 {
	t.Helper()
	windows, _, err := c.Draw(context.Background(), p, 1<<30)
	require.ErrorIs(t, err, io.EOF)
	return windows
}

func TestStream(t *testing.T) {
	text := count(0, 1000)
	c := open(t, stdinOf(iotest.OneByteReader(strings.NewReader("\ufeff"+text))))
	require.Equal(t, "stream", c.Fingerprint())
	require.Zero(t, c.Size())
	windows := rest(t, c, Position{})
	require.Len(t, windows, (len(text)-40)/144+1)
	requireDisjoint(t, windows)
	for i, w := range windows[1:] {
		require.Greater(t, w[0], windows[i][0], "in order")
	}
	require.Equal(t, int32(0), windows[0][0])
	_, next, err := c.Draw(t.Context(), Position{Slot: 1000}, 1)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, Position{Slot: 1000}, next)
}

// A stream is divided as a file would be that is drawn in order.
func TestStreamHasTheSlotsOfAFile(t *testing.T) {
	text := []byte(count(0, 3000))
	windows := rest(t, open(t, stdinOf(strings.NewReader(string(text)))), Position{})
	c := cutter{numbers{}, 10}
	for i, from := 0, 0; from < len(text); i, from = i+1, from+144 {
		want, err := c.window(text, from, min(from+144, len(text)))
		require.NoError(t, err)
		if want == nil {
			require.Len(t, windows, i)
			return
		}
		require.Equal(t, want, windows[i])
	}
}

func TestStreamGoesOn(t *testing.T) {
	text := count(0, 2000)
	all := rest(t, open(t, stdinOf(strings.NewReader(text))), Position{})
	c := open(t, stdinOf(strings.NewReader(text)))
	p := Position{}
	for i := range 5 { // the same stream
		windows, next, err := c.Draw(t.Context(), p, 2)
		require.NoError(t, err)
		require.Equal(t, all[2*i:2*i+2], windows)
		p = next
	}
	_, _, err := c.Draw(t.Context(), Position{Slot: 9}, 1)
	require.ErrorIs(t, err, ErrPassed)
	_, _, err = c.Draw(t.Context(), Position{Epoch: 1}, 1)
	require.ErrorIs(t, err, ErrPassed)
	require.Equal(t, all[10:], rest(t, open(t, stdinOf(strings.NewReader(text))), p)) // another process
	require.Equal(t, all[30:], rest(t, c, Position{Slot: 30}))
}

func TestRate(t *testing.T) {
	text := count(100_000, 300_000)
	all := rest(t, open(t, stdinOf(strings.NewReader(text))), Position{})
	o := stdinOf(strings.NewReader(text))
	o.Rate, o.Seed = 0.3, 7
	some := rest(t, open(t, o), Position{})
	require.InDelta(t, 0.3, float64(len(some))/float64(len(all)), 0.02)
	requireDisjoint(t, some)
	hits := make([]int, 10)
	for _, w := range some {
		hits[(w[0]-100_000)/20_000]++
	}
	requireUniform(t, hits, len(some))
	o.Stdin, o.Seed = strings.NewReader(text), 8
	require.NotEqual(t, some, rest(t, open(t, o), Position{}))
}

func TestStreamOfLines(t *testing.T) {
	text := fmt.Sprintf("{\"text\": %q}\n\n{\"text\": %q}\n{\"text\": \"\"}\n{\"text\": %q}", count(0, 500), count(500, 502), count(502, 1000))
	o := stdinOf(iotest.HalfReader(strings.NewReader("\ufeff" + text)))
	o.Field = "text"
	windows := rest(t, open(t, o), Position{})
	requireDisjoint(t, windows)
	require.Greater(t, len(windows), 20)

	bad := "{\"text\": \"1 2 3\"}\nnonsense\n"
	o.Stdin = strings.NewReader("\ufeff" + bad + text)
	c := open(t, o)
	_, next, err := c.Draw(t.Context(), Position{}, 1)
	require.ErrorIs(t, err, ErrLine)
	require.ErrorContains(t, err, fmt.Sprintf("line at byte %d:", 3+strings.Index(bad, "nonsense")))
	requireDisjoint(t, rest(t, c, next))
}

// Slots are counted through all texts of a stream, so that windows begin at all places of
// short ones, and not only where those do.
func TestStreamOfShortLines(t *testing.T) {
	var lines strings.Builder
	const texts, length = 6000, 100
	for range texts {
		var text strings.Builder
		for n := range length {
			fmt.Fprintf(&text, " %04d", n)
		}
		fmt.Fprintf(&lines, "{\"text\": %q}\n", text.String()+"\n")
	}
	o := stdinOf(strings.NewReader(lines.String()))
	o.Field, o.Tokenizer, o.Length = "text", numbersOf{}, 71 // a slot has 632 bytes, a text 501
	hits := make([]int, length-o.Length+1)
	windows := rest(t, open(t, o), Position{})
	for _, w := range windows {
		hits[w[0]]++
	}
	requireUniform(t, hits, len(windows))
}

// repeat is text without an end.
type repeat string

func (r repeat) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = r[i%len(r)]
	}
	return len(b), nil
}

// watched is a reader that looks now and then at how much memory is in use.
type watched struct {
	io.Reader
	read, peak uint64
}

func (w *watched) Read(b []byte) (int, error) {
	const interval = 8 << 20
	n, err := w.Reader.Read(b)
	if w.read/interval != (w.read+uint64(n))/interval {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak = max(w.peak, m.HeapAlloc)
	}
	w.read += uint64(n)
	return n, err
}

// Streams without lines or words take no more memory than others.
func TestStreamsOfAnyShape(t *testing.T) {
	const size, limit = 32 << 20, 16 << 20
	for name, text := range map[string]string{"blanks": " ", "letters": "x", "NUL": "\x00", "broken": "\xff", "blank lines": "\n"} {
		input := &watched{Reader: io.LimitReader(repeat(text), size)}
		c := open(t, stdinOf(input))
		_, _, err := c.Draw(t.Context(), Position{}, 1)
		require.ErrorIs(t, err, ErrTooShort, name)
		require.ErrorIs(t, err, io.EOF, name)
		require.NotZero(t, input.peak)
		require.Less(t, input.peak, uint64(limit), name)
	}
}

func TestStreamOfALongLine(t *testing.T) {
	long := &watched{Reader: io.LimitReader(repeat("x"), 8*maxLine)}
	o := stdinOf(io.MultiReader(long, strings.NewReader(fmt.Sprintf("\n{\"text\": %q}", count(0, 100)))))
	o.Field = "text"
	c := open(t, o)
	_, next, err := c.Draw(t.Context(), Position{}, 1)
	require.ErrorIs(t, err, ErrLine)
	require.ErrorContains(t, err, "line at byte 0")
	require.ErrorContains(t, err, fmt.Sprint(maxLine))
	require.NotEmpty(t, rest(t, c, next))
	require.Less(t, long.peak, uint64(4*maxLine))
}

func TestStreamFails(t *testing.T) {
	fault := errors.New("the wire is cut")
	for _, field := range []string{"", "text"} {
		o := stdinOf(io.MultiReader(strings.NewReader(fmt.Sprintf("{\"text\": %q}\n", count(1, 500))), iotest.ErrReader(fault)))
		o.Field, o.Tokenizer = field, letters{}
		c := open(t, o)
		windows, p, err := c.Draw(t.Context(), Position{}, 1000)
		require.ErrorIs(t, err, fault)
		require.NotEmpty(t, windows)
		_, _, err = c.Draw(t.Context(), p, 1)
		require.ErrorIs(t, err, fault, "a cut stream is no stream that ended")
	}
}

// Who waits for a stream can stop waiting, and go on later.
func TestStreamThatWaits(t *testing.T) {
	r, w := io.Pipe()
	c := open(t, stdinOf(r))
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error)
	go func() {
		_, _, err := c.Draw(ctx, Position{Slot: 2}, 1)
		waits <- err
	}()
	cancel()
	require.ErrorIs(t, <-waits, context.Canceled)
	_, next, err := c.Draw(ctx, Position{Slot: 2}, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, Position{Slot: 2}, next, "a position on the way to another is that one")
	go func() {
		_, err := io.WriteString(w, count(0, 1000))
		waits <- err
	}()
	windows, _, err := c.Draw(t.Context(), Position{Slot: 2}, 1)
	require.NoError(t, err)
	require.Len(t, windows, 1)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, _, err = c.Draw(t.Context(), Position{Slot: 100}, 1)
	require.ErrorIs(t, err, os.ErrClosed)
	require.NoError(t, r.Close())
	<-waits
	for range c.(*stream).pieces { // until the goroutine that reads has ended
	}
}
