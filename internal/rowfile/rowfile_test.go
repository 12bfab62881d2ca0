package rowfile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/kernels/pack"
)

// testHeader is that of a text of 60 tokens: 59 rows in chunks of at most 8.
func testHeader() *Header {
	return &Header{
		Model: "test", Fingerprint: "sha256:00", Vocab: 300, K: 5, Mode: pack.Float32.String(),
		Window: 16, Overlap: 4, BOS: -1, ChunkRows: 8,
		Text: "text", TextBytes: 123, Tokens: 60, FirstToken: 7, TokensHash: "sha256:11", Tool: "test",
	}
}

// testRow is the same for the same header and number.
func testRow(h *Header, row uint64) Row {
	rng := rand.New(rand.NewPCG(uint64(h.Vocab), row))
	r := Row{Position: row, Target: Target{Token: int32(rng.IntN(h.Vocab)), LogProb: -8 * rng.Float32()}}
	mass := 0.0
	for i := range h.K {
		l := -rng.Float32() - float32(math.Log(float64(h.K))) - 0.1
		r.Top.Entries = append(r.Top.Entries, kernels.Entry{Index: int32(i*h.Vocab/h.K + rng.IntN(h.Vocab/h.K)), Value: l})
		mass += math.Exp(float64(l))
	}
	r.Top.Rest = float32(math.Log1p(-mass))
	return r
}

// appendRows writes the rows that w lacks below end.
func appendRows(t testing.TB, w *Writer, end uint64) {
	h := w.Header()
	p, err := h.Params()
	require.NoError(t, err)
	enc, err := pack.NewEncoder(p)
	require.NoError(t, err)
	for w.Next() < end {
		var targets []Target
		win := h.WindowOf(w.Next())
		for row := w.Next(); row < min(win.EndRow, end) && len(targets) < h.ChunkRows; row++ {
			r := testRow(h, row)
			require.NoError(t, enc.Add(r.Top))
			targets = append(targets, r.Target)
		}
		require.NoError(t, w.Append(targets, enc.Batch(nil)))
	}
}

// testFile is a finished file.
func testFile(t testing.TB, h *Header) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	require.NoError(t, err)
	appendRows(t, w, h.Rows())
	require.False(t, w.Finished())
	require.NoError(t, w.Finish())
	require.NoError(t, w.Finish(), "once more does nothing")
	require.True(t, w.Finished())
	return b.Bytes()
}

// readAll reads rows from a reader's place on and checks each of them.
func readAll(t testing.TB, r *Reader, from uint64) (next uint64, err error) {
	var row Row
	for next = from; ; next++ {
		if err := r.Read(&row); err != nil {
			return next, err
		}
		require.Equal(t, testRow(r.Header(), next), row)
	}
}

// pipe hides that a reader can seek.
type pipe struct{ io.Reader }

func TestWhatWasWrittenIsRead(t *testing.T) {
	h := testHeader()
	h.Settings = map[string]string{"lora": "x"}
	data := testFile(t, h)
	for _, src := range []io.Reader{bytes.NewReader(data), pipe{bytes.NewReader(data)}} {
		r, err := NewReader(src)
		require.NoError(t, err)
		require.Equal(t, h, r.Header())
		n, err := readAll(t, r, 0)
		require.Equal(t, io.EOF, err)
		require.Equal(t, h.Rows(), n)
		require.Equal(t, int64(len(data)), r.Offset())
		require.Equal(t, io.EOF, r.Read(new(Row)), "and again")
	}
}

func TestAFileMayBeginWithinAnother(t *testing.T) {
	data := append([]byte("before"), testFile(t, testHeader())...)
	src := bytes.NewReader(data)
	_, err := src.Seek(6, io.SeekStart)
	require.NoError(t, err)
	r, err := NewReader(src)
	require.NoError(t, err)
	require.NoError(t, r.Seek(30))
	_, err = readAll(t, r, 30)
	require.Equal(t, io.EOF, err)
}

func TestQuantisedRows(t *testing.T) {
	h := testHeader()
	h.Mode, h.KL, h.MaxStep = pack.Quantised.String(), 1e-4, 0.5
	r, err := NewReader(bytes.NewReader(testFile(t, h)))
	require.NoError(t, err)
	var row Row
	for i := range h.Rows() {
		require.NoError(t, r.Read(&row))
		want := testRow(h, i)
		require.Equal(t, want.Target, row.Target)
		for k, e := range want.Top.Entries {
			require.Equal(t, e.Index, row.Top.Entries[k].Index)
			require.InDelta(t, e.Value, row.Top.Entries[k].Value, 0.3)
		}
	}
	require.Equal(t, io.EOF, r.Read(&row))
}

func TestSeek(t *testing.T) {
	h := testHeader()
	data := testFile(t, h)
	r, err := NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	for range 200 {
		from := uint64(rand.IntN(int(h.Rows())))
		require.NoError(t, r.Seek(from))
		for row := from; row < min(from+uint64(rand.IntN(12)), h.Rows()); row++ {
			var got Row
			require.NoError(t, r.Read(&got))
			require.Equal(t, testRow(h, row), got)
		}
	}
	for range 2 {
		require.NoError(t, r.Seek(h.Rows()))
		require.Equal(t, io.EOF, r.Read(new(Row)))
	}
	require.Equal(t, io.EOF, r.Seek(h.Rows()+1))
	require.NoError(t, r.Seek(0))
	_, err = readAll(t, r, 0)
	require.Equal(t, io.EOF, err, "the checksum over all chunks is that of the second time too")
}

func TestSeekInAPipe(t *testing.T) {
	r, err := NewReader(pipe{bytes.NewReader(testFile(t, testHeader()))})
	require.NoError(t, err)
	require.NoError(t, r.Seek(40))
	require.NoError(t, r.Read(new(Row)))
	require.ErrorIs(t, r.Seek(3), errors.ErrUnsupported)
	_, err = readAll(t, r, 41)
	require.Equal(t, io.EOF, err, "chunks that were passed over count")
}

// countingReader counts what is read of a source that can seek.
type countingReader struct {
	*bytes.Reader
	n int
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

func TestSeekReadsLittle(t *testing.T) {
	h := testHeader()
	h.Vocab, h.K, h.Tokens, h.Window, h.Overlap, h.ChunkRows = 50000, 20000, 200, 50, 1, 50
	data := testFile(t, h)
	src := &countingReader{Reader: bytes.NewReader(data)}
	r, err := NewReader(src)
	require.NoError(t, err)
	require.NoError(t, r.Seek(190))
	require.NoError(t, r.Read(new(Row)))
	require.Less(t, src.n, len(data)/2)
}

// TestEveryCut reads each beginning of a file: all whole chunks, and then that it is
// unfinished.
func TestEveryCut(t *testing.T) {
	data := testFile(t, testHeader())
	last := uint64(0)
	for n := range data {
		r, err := NewReader(bytes.NewReader(data[:n]))
		if err != nil {
			require.ErrorIs(t, err, ErrUnfinished, "%d bytes", n)
			continue
		}
		rows, err := readAll(t, r, 0)
		require.ErrorIs(t, err, ErrUnfinished, "%d bytes", n)
		var at *Error
		require.ErrorAs(t, err, &at)
		require.Equal(t, rows, at.Row)
		require.LessOrEqual(t, at.Offset, int64(n))
		require.GreaterOrEqual(t, rows, last)
		last = rows
		if rows > 0 {
			require.NoError(t, r.Seek(0), "an error is not for ever where one can go back")
		}

		skip, err := NewReader(bytes.NewReader(data[:n]))
		require.NoError(t, err)
		require.ErrorIs(t, skip.Seek(rows), ErrUnfinished, "%d bytes", n)
	}
	require.Equal(t, testHeader().Rows(), last)
}

// TestEveryDamagedByte changes each byte of a file: no row is ever wrong, and the
// damage is always noticed.
func TestEveryDamagedByte(t *testing.T) {
	data := testFile(t, testHeader())
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= byte(1 + rand.IntN(255))
		r, err := NewReader(bytes.NewReader(bad))
		if err == nil {
			_, err = readAll(t, r, 0)
		}
		require.NotEqual(t, io.EOF, err, "byte %d", i)
		var at *Error
		require.ErrorAs(t, err, &at, "byte %d", i)
		require.LessOrEqual(t, at.Offset, int64(i))
	}
	for _, more := range [][]byte{{0}, data} {
		r, err := NewReader(bytes.NewReader(append(bytes.Clone(data), more...)))
		require.NoError(t, err)
		_, err = readAll(t, r, 0)
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

// brokenReader fails in the middle, as a disk does.
type brokenReader struct {
	io.Reader
	err error
}

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestErrorsOfTheSystemStayWhatTheyAre(t *testing.T) {
	data, broken := testFile(t, testHeader()), errors.New("input/output error")
	for n := 0; n < len(data); n += 7 {
		r, err := NewReader(brokenReader{bytes.NewReader(data[:n]), broken})
		if err == nil {
			_, err = readAll(t, r, 0)
		}
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, ErrUnfinished)
	}
}

func TestOtherFiles(t *testing.T) {
	for _, text := range []string{"GGUF", "x", "AXLOGITx", "a longer text, which is no file of rows at all"} {
		_, err := NewReader(bytes.NewReader([]byte(text)))
		require.ErrorIs(t, err, ErrFormat, text)
	}
	data := testFile(t, testHeader())
	data[len(magic)]++
	_, err := NewReader(bytes.NewReader(data))
	require.ErrorIs(t, err, ErrVersion)
}

func TestHeadersAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Header){
		"vocabulary": func(h *Header) { h.Vocab = 0 },
		"vocab":      func(h *Header) { h.Vocab = pack.MaxVocab + 1 },
		"top":        func(h *Header) { h.K = 0 },
		"top 301":    func(h *Header) { h.K = 301 },
		"mode":       func(h *Header) { h.Mode = "nonsense" },
		"KL":         func(h *Header) { h.KL = 2 },
		"MaxStep":    func(h *Header) { h.MaxStep = -1 },
		"windows":    func(h *Header) { h.Window = 1 },
		"share":      func(h *Header) { h.Overlap = 16 },
		"share 0":    func(h *Header) { h.Overlap = 0 },
		"beginning":  func(h *Header) { h.BOS = 300 },
		"chunks":     func(h *Header) { h.ChunkRows = 0 },
		"chunks of":  func(h *Header) { h.ChunkRows = maxChunkRows + 1 },
		"tokens":     func(h *Header) { h.Tokens = 1 },
		"1 … ":       func(h *Header) { h.Tokens = 1 << 60 },
		"first":      func(h *Header) { h.FirstToken = -1 },
		"bytes":      func(h *Header) { h.TextBytes = -1 },
	} {
		h := testHeader()
		change(h)
		_, err := NewWriter(io.Discard, h)
		require.ErrorIs(t, err, ErrHeader, name)
	}
	h := testHeader()
	h.Text = string(make([]byte, maxHeader))
	_, err := NewWriter(io.Discard, h)
	require.ErrorIs(t, err, ErrHeader)
}

func TestDifferences(t *testing.T) {
	h := testHeader()
	same := testHeader()
	same.Model, same.Text, same.TextBytes, same.Tool, same.ChunkRows = "x", "y", 1, "z", 3
	require.Empty(t, h.Differences(same))
	for words, change := range map[string]func(*Header){
		"other weights": func(h *Header) { h.Fingerprint = "x" },
		"its text":      func(h *Header) { h.TokensHash = "x" },
		"vocabulary":    func(h *Header) { h.Vocab = 299 },
		"top-k":         func(h *Header) { h.K = 4 },
		"mode":          func(h *Header) { h.Mode = "float16" },
		"kl":            func(h *Header) { h.KL = 0.1 },
		"max-step":      func(h *Header) { h.MaxStep = 0.1 },
		"window":        func(h *Header) { h.Window = 17 },
		"overlap":       func(h *Header) { h.Overlap = 5 },
		"beginning":     func(h *Header) { h.BOS = 5 },
		"lora is the":   func(h *Header) { h.Settings = map[string]string{"lora": "x"} },
	} {
		other := testHeader()
		change(other)
		list := h.Differences(other)
		require.Len(t, list, 1, words)
		require.Contains(t, list[0], words)
	}
}

func TestTheWriterRefuses(t *testing.T) {
	var b bytes.Buffer
	h := testHeader()
	w, err := NewWriter(&b, h)
	require.NoError(t, err)
	before := b.Len()
	require.ErrorIs(t, w.Append(nil, nil), ErrRows)
	require.ErrorIs(t, w.Append(make([]Target, 9), nil), ErrRows, "more than a chunk may have")
	require.ErrorIs(t, w.Append([]Target{{Token: 300}}, nil), ErrRows)
	require.ErrorIs(t, w.Append([]Target{{LogProb: float32(math.NaN())}}, nil), ErrRows)
	require.ErrorIs(t, w.Append([]Target{{LogProb: 1}}, nil), ErrRows)
	require.ErrorIs(t, w.Append(make([]Target, 1), make([]byte, maxChunk)), ErrRows)
	require.ErrorIs(t, w.Finish(), ErrRows, "not all rows are there")
	require.Equal(t, before, b.Len())
	appendRows(t, w, h.Rows())
	require.ErrorIs(t, w.Append(make([]Target, 1), nil), ErrRows, "more than all")
	require.NoError(t, w.Finish())
	require.ErrorIs(t, w.Append(make([]Target, 1), nil), ErrRows)
}

// fullDisk takes so many bytes.
type fullDisk int

func (f *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), int(*f))
	if *f -= fullDisk(n); n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func TestAfterAnErrorNothingIsWritten(t *testing.T) {
	disk := fullDisk(1 << 20)
	w, err := NewWriter(&disk, testHeader())
	require.NoError(t, err)
	disk = 10
	require.ErrorIs(t, w.Append(make([]Target, 1), nil), io.ErrShortWrite)
	disk = 1 << 20
	require.ErrorIs(t, w.Append(make([]Target, 1), nil), io.ErrShortWrite)
	require.ErrorIs(t, w.Finish(), io.ErrShortWrite)
	require.Equal(t, fullDisk(1<<20), disk)
	require.Zero(t, w.Next())
}

// TestWindowsAreThoseOfTheEngine compares with the loop that engine.Score uses.
func TestWindowsAreThoseOfTheEngine(t *testing.T) {
	for range 2000 {
		h := &Header{Window: 2 + rand.IntN(20), Tokens: uint64(2 + rand.IntN(100))}
		h.Overlap = 1 + rand.IntN(h.Window-1)
		count := uint64(0)
		for start, first := uint64(0), uint64(1); first < h.Tokens; count++ {
			end := min(start+uint64(h.Window), h.Tokens)
			for target := first; target < end; target++ {
				require.Equal(t, Window{start, end, first - 1, end - 1}, h.WindowOf(target-1), "%+v", h)
			}
			first = end
			start = end - uint64(h.Overlap)
		}
		require.Equal(t, count, h.Windows())
	}
}
