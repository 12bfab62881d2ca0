package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWindowsAreDisjoint(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.txt", count(0, 3000))
	write(t, folder, "b/c.md", count(3000, 3100))
	write(t, folder, "d.jsonl", fmt.Sprintf("{\"text\": %q}\n\n{\"id\": [1], \"text\": %q}", count(3100, 4000), count(4000, 4500)))
	c := open(t, Options{Paths: []string{folder}, Length: 10})
	require.Equal(t, 3, c.Size().Files)
	for number := range uint64(20) {
		windows := epoch(t, c, number)
		require.Greater(t, len(windows), int(c.Size().Windows)*9/10)
		require.LessOrEqual(t, len(windows), int(c.Size().Windows))
		requireDisjoint(t, windows)
	}
	require.NotEqual(t, epoch(t, c, 0), epoch(t, c, 1))
}

func TestResume(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.txt", count(0, 900))
	write(t, folder, "b.jsonl", fmt.Sprintf("{\"text\": %q}\n", count(1000, 2000)))
	o := Options{Paths: []string{folder}, Length: 10, Seed: 3}
	all := draw(t, open(t, o), 500) // some epochs
	r := random(t, 1)
	var windows [][]int32
	for p := (Position{}); len(windows) < len(all); {
		w, next, err := open(t, o).Draw(t.Context(), p, min(r.IntN(9), len(all)-len(windows)))
		require.NoError(t, err)
		windows = append(windows, w...)

		written, err := json.Marshal(next)
		require.NoError(t, err)
		p = Position{}
		require.NoError(t, json.Unmarshal(written, &p))
		require.Equal(t, next, p)
	}
	require.Equal(t, all, windows)
}

func TestSeedsGiveOtherOrders(t *testing.T) {
	path := write(t, t.TempDir(), "a.txt", count(0, 5000))
	a := open(t, Options{Paths: []string{path}, Length: 10})
	b := open(t, Options{Paths: []string{path}, Length: 10, Seed: 1})
	require.NotEqual(t, draw(t, a, 10), draw(t, b, 10))
	require.NotEqual(t, a.Fingerprint(), b.Fingerprint())
}

// What is drawn first comes from all parts of the text, in proportion to their size.
func TestFirstWindowsAreASample(t *testing.T) {
	folder := t.TempDir()
	const numbers, parts, drawn = 60_000, 12, 3000
	bounds := []int{0, 5_000, 6_000, 30_000, 30_300, 50_000, numbers}
	for i := range len(bounds) - 1 {
		var text strings.Builder
		for n := bounds[i]; n < bounds[i+1]; n++ {
			fmt.Fprintf(&text, "%07d ", n)
		}
		write(t, folder, fmt.Sprintf("%d.txt", i), text.String())
	}
	for seed := range uint64(5) {
		hits := make([]int, parts)
		for _, w := range draw(t, open(t, Options{Paths: []string{folder}, Length: 5, Seed: seed, Tokenizer: numbersOf{}}), drawn) {
			hits[int(w[0])*parts/numbers]++
		}
		requireUniform(t, hits, drawn)
	}
}

// numbersOf is numbers, for those that begin with zeros.
type numbersOf struct{}

func (numbersOf) Tokenize(text string) ([]int32, error) {
	words := strings.Fields(text)
	tokens := make([]int32, len(words))
	for i, w := range words {
		for _, digit := range w {
			tokens[i] = tokens[i]*10 + digit - '0'
		}
	}
	return tokens, nil
}

// Every place at which a window can begin is as likely as any other, also where
// documents are short and slots end with them.
func TestEveryPlaceIsAsLikely(t *testing.T) {
	folder := t.TempDir()
	var plain, line strings.Builder
	for n := range 50 {
		fmt.Fprintf(&plain, " %05d", n)
		fmt.Fprintf(&line, " %05d", 50+n)
	}
	write(t, folder, "a.txt", plain.String())
	write(t, folder, "b.jsonl", fmt.Sprintf("{\"meta\": \"nothing\", \"text\": %q}\n", line.String()))
	const length, drawn = 10, 20_000
	hits := make([]int, 100)
	for _, w := range draw(t, open(t, Options{Paths: []string{folder}, Length: length, Seed: 9, Tokenizer: numbersOf{}}), drawn) {
		hits[w[0]]++
	}
	places := 50 - length + 1
	for n := places; n < 50; n++ {
		require.Zero(t, hits[n]+hits[50+n])
	}
	requireUniform(t, append(hits[:places:places], hits[50:50+places]...), drawn)
}

// A mean over windows is the whole text's, within what chance allows.
func TestMeanOverWindows(t *testing.T) {
	r := random(t, 4)
	folder := t.TempDir()
	sum, n := 0.0, 0
	for file := range 7 {
		var text strings.Builder
		for range 1000 * (file + 1) {
			value := r.IntN(100) + 50*file + n/100 // a trend
			fmt.Fprintf(&text, "%07d ", value)
			sum, n = sum+float64(value), n+1
		}
		write(t, folder, fmt.Sprintf("%d.txt", file), text.String())
	}
	windows := draw(t, open(t, Options{Paths: []string{folder}, Length: 16, Seed: 2, Tokenizer: numbersOf{}}), 400)
	mean, square := 0.0, 0.0
	for _, w := range windows {
		m := 0.0
		for _, value := range w {
			m += float64(value) / float64(len(w))
		}
		mean += m / float64(len(windows))
		square += m * m / float64(len(windows))
	}
	deviation := math.Sqrt((square - mean*mean) / float64(len(windows)))
	t.Logf("%.1f ± %.1f, of the whole text %.1f", mean, deviation, sum/float64(n))
	require.InDelta(t, sum/float64(n), mean, 3*deviation)
}

func TestFolders(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.txt", count(0, 500))
	write(t, folder, "sub/deep/b", count(1000, 1500))
	write(t, folder, "marked.txt", "\ufeff"+count(2000, 2500))
	write(t, folder, "empty.txt", "")
	write(t, folder, ".hidden", count(9000, 9500))
	write(t, folder, ".git/objects", count(9000, 9500))
	write(t, folder, "binary", "\x7fELF\x00"+count(9000, 9500))
	outside := write(t, t.TempDir(), "c.txt", count(3000, 3500))
	for link, target := range map[string]string{
		"loop": folder, "self": filepath.Join(folder, "self"), "gone": filepath.Join(folder, "nothing"),
		"linked.txt": outside, "same.txt": filepath.Join(folder, "a.txt"),
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(folder, link)))
	}
	socket, err := net.Listen("unix", filepath.Join(folder, "s"))
	if err == nil { // where temporary folders have short names
		t.Cleanup(func() { socket.Close() })
	}

	c := open(t, Options{Paths: []string{folder, outside, filepath.Join(folder, "loop", "a.txt")}, Length: 10})
	require.Equal(t, 4, c.Size().Files)
	require.Equal(t, int64(len(count(0, 500))+3*len(count(1000, 1500))), c.Size().Bytes)
	require.GreaterOrEqual(t, c.Size().Skipped, 7)
	windows := epoch(t, c, 0)
	requireDisjoint(t, windows)
	from := map[int32]bool{}
	for _, w := range windows {
		require.Less(t, w[0], int32(4000))
		from[w[0]/1000] = true
	}
	require.Len(t, from, 4)
}

func TestHiddenIfNamed(t *testing.T) {
	path := write(t, t.TempDir(), ".config/notes", count(0, 500))
	requireDisjoint(t, draw(t, open(t, Options{Paths: []string{path}, Length: 10}), 3))
	requireDisjoint(t, draw(t, open(t, Options{Paths: []string{filepath.Dir(path)}, Length: 10}), 3))
}

func TestFingerprint(t *testing.T) {
	folder := t.TempDir()
	path := write(t, folder, "a.txt", count(0, 500))
	printOf := func(change func(o *Options)) string {
		o := Options{Paths: []string{folder}, Length: 10}
		change(&o)
		return open(t, o).Fingerprint()
	}
	same := func(*Options) {}
	first := printOf(same)
	require.Equal(t, first, printOf(same))
	require.NotEqual(t, first, printOf(func(o *Options) { o.Length = 11 }))
	require.NotEqual(t, first, printOf(func(o *Options) { o.Field = "body" }))
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)))
	touched := printOf(same)
	require.NotEqual(t, first, touched)
	write(t, folder, "b.txt", "1")
	require.NotEqual(t, touched, printOf(same))
}

func TestNoText(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "empty", "")
	write(t, folder, "mark", "\ufeff")
	binary := write(t, folder, "binary", "a\x00b")
	for _, test := range []struct {
		path string
		want error
	}{
		{folder, ErrNoText},
		{filepath.Join(folder, "empty"), ErrNoText},
		{binary, ErrNotText},
		{os.DevNull, ErrNotText},
		{filepath.Join(folder, "nothing"), fs.ErrNotExist},
		{write(t, t.TempDir(), "a", "1 2 3"), ErrTooShort},
	} {
		_, err := Open(t.Context(), Options{Paths: []string{test.path}, Length: 10, Tokenizer: numbers{}})
		require.ErrorIs(t, err, test.want)
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("everything can be read by root")
	}
	folder := t.TempDir()
	require.NoError(t, os.Chmod(write(t, folder, "a.txt", count(0, 500)), 0))
	_, err := Open(t.Context(), Options{Paths: []string{folder}, Length: 10, Tokenizer: numbers{}})
	require.ErrorIs(t, err, fs.ErrPermission)
}

// What is too short is said, however that comes about, and soon.
func TestTooShort(t *testing.T) {
	short := strings.Repeat("{\"text\": \"1 2 3 4 5 6 7 8 9\"}\n", 5000)
	for name, text := range map[string]string{
		"few.txt": "1 2 3 4 5 6 7 8 9 ", "short.jsonl": short, "blank.jsonl": strings.Repeat("\n", 1<<20),
		"blanks.txt": strings.Repeat(" ", 1<<20), "unbroken.txt": strings.Repeat("1", 1<<20),
		"latin1.txt": strings.Repeat("1 2 3 \xe4 4 ", 10000),
		"broken.txt": strings.Repeat("\x80", 1<<20),
	} {
		path := write(t, t.TempDir(), name, text)
		c := open(t, Options{Paths: []string{path}, Length: 10})
		_, _, err := c.Draw(t.Context(), Position{}, int(c.Size().Windows)+1)
		require.ErrorIs(t, err, ErrTooShort, name)
		require.ErrorContains(t, err, fmt.Sprint(len(text)))
	}
}

// A text that is just long enough is found, though most slots do not begin where it does.
func TestJustLongEnough(t *testing.T) {
	for seed := range uint64(20) {
		path := write(t, t.TempDir(), "a.txt", strings.TrimSpace(count(100, 200)))
		windows := draw(t, open(t, Options{Paths: []string{path}, Length: 100, Seed: seed}), 2)
		require.Equal(t, int32(100), windows[0][0])
		require.Equal(t, windows[0], windows[1])
	}
}

func TestBadTextIsPassedOver(t *testing.T) {
	bad := count(3000, 3100)
	path := write(t, t.TempDir(), "a.txt", count(0, 3000)+bad[:200]+"\x00"+bad[200:300]+"\xff"+bad[300:]+count(3100, 5000))
	c := open(t, Options{Paths: []string{path}, Length: 10})
	windows := epoch(t, c, 0)
	requireDisjoint(t, windows)
	require.InDelta(t, c.Size().Windows, len(windows), 4)
}

func TestChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"gone":    os.Remove,
		"longer":  func(path string) error { return os.WriteFile(path, []byte(count(0, 600)), 0o644) },
		"cut":     func(path string) error { return os.Truncate(path, 10) },
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)) },
	} {
		path := write(t, t.TempDir(), "a.txt", count(0, 500))
		c := open(t, Options{Paths: []string{path}, Length: 10})
		draw(t, c, 3)
		require.NoError(t, change(path))
		windows, next, err := c.Draw(t.Context(), Position{Slot: 3}, 3)
		require.ErrorIs(t, err, ErrChanged, name)
		require.ErrorContains(t, err, path)
		require.Empty(t, windows)
		require.Equal(t, Position{Slot: 4}, next)
	}
}

func TestCancel(t *testing.T) {
	path := write(t, t.TempDir(), "a.txt", count(0, 500))
	c := open(t, Options{Paths: []string{path}, Length: 10})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, next, err := c.Draw(ctx, Position{Slot: 3}, 3)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, Position{Slot: 3}, next)
	_, err = Open(ctx, Options{Paths: []string{filepath.Dir(path)}, Length: 10, Tokenizer: numbers{}})
	require.ErrorIs(t, err, context.Canceled)
}

// Positions may come from anywhere.
func TestAnyPosition(t *testing.T) {
	path := write(t, t.TempDir(), "a.txt", count(0, 500))
	c := open(t, Options{Paths: []string{path}, Length: 10})
	for _, p := range []Position{{0, math.MaxUint64}, {math.MaxUint64, 0}, {math.MaxUint64, math.MaxUint64}} {
		windows, _, err := c.Draw(t.Context(), p, 2)
		require.NoError(t, err)
		require.Len(t, windows, 2)
	}
}

func TestTokenizerFails(t *testing.T) {
	path := write(t, t.TempDir(), "a.txt", strings.Repeat("word ", 100))
	_, _, err := open(t, Options{Paths: []string{path}, Length: 10}).Draw(t.Context(), Position{}, 1)
	require.ErrorContains(t, err, "tokenize")
}

func TestOptions(t *testing.T) {
	_, err := Open(t.Context(), Options{Paths: []string{"-", "a"}, Length: 1<<20 + 1, Rate: math.NaN()})
	require.ErrorIs(t, err, ErrOptions)
	for _, fault := range []string{"mixed with 1 other", "1048577 tokens", "rate NaN", "no tokenizer"} {
		require.ErrorContains(t, err, fault)
	}
	for _, o := range []Options{
		{}, {Paths: []string{"-"}}, {Paths: []string{"a"}, Rate: 0.5}, {Paths: []string{"-"}, Rate: 1.5}, {Paths: []string{"-"}, Rate: -1},
	} {
		o.Tokenizer, o.Length = letters{}, 1
		require.ErrorIs(t, o.Validate(), ErrOptions)
	}
}

// Many goroutines may draw from files.
func TestConcurrently(t *testing.T) {
	path := write(t, t.TempDir(), "a.txt", count(0, 5000))
	c := open(t, Options{Paths: []string{path}, Length: 10})
	want := draw(t, c, 20)
	results := make(chan error)
	for range 8 {
		go func() {
			windows, _, err := c.Draw(context.Background(), Position{}, 20)
			if err == nil && fmt.Sprint(windows) != fmt.Sprint(want) {
				err = errors.New("other windows")
			}
			results <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-results)
	}
}
