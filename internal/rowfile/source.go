package rowfile

import (
	"bufio"
	"io"
	"slices"
)

// source reads on, counts bytes, and passes over those that nobody wants: by
// seeking where that is possible and saves reading.
type source struct {
	buf    *bufio.Reader
	raw    io.Reader
	seeker io.Seeker // nil: a pipe
	begin  int64     // where the seeker stood at offset 0
	offset int64
}

const (
	// bufferSize is small: what lies behind a head is read past the buffer or leapt over.
	bufferSize = 4 << 10
	// growStep bounds how much is allocated for bytes that have not been seen yet.
	growStep = 1 << 20
)

func newSource(r io.Reader) *source {
	s := &source{buf: bufio.NewReaderSize(r, bufferSize), raw: r}
	if seeker, ok := r.(io.Seeker); ok {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil { // that of a pipe fails
			s.seeker, s.begin = seeker, at
		}
	}
	return s
}

// fill reads len(b) bytes. The error is io.EOF when there was none, and
// io.ErrUnexpectedEOF when there were not all.
func (s *source) fill(b []byte) (int, error) {
	n, err := io.ReadFull(s.buf, b)
	s.offset += int64(n)
	return n, err
}

// grow appends n bytes to b, and allocates for them as they come.
func (s *source) grow(b []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, growStep)
		at := len(b)
		b = slices.Grow(b, step)[:at+step]
		if _, err := s.fill(b[at:]); err != nil {
			return b[:at], err
		}
		n -= step
	}
	return b, nil
}

// skip passes over n bytes. Bytes that a seekable source lacks are missed by
// whoever reads on.
func (s *source) skip(n int64) error {
	if s.seeker == nil || n <= int64(s.buf.Buffered()) {
		m, err := io.CopyN(io.Discard, s.buf, n)
		s.offset += m
		return err
	}
	return s.seek(s.offset + n)
}

// seek goes to an offset of the file.
func (s *source) seek(offset int64) error {
	if _, err := s.seeker.Seek(s.begin+offset, io.SeekStart); err != nil {
		return err
	}
	s.buf.Reset(s.raw)
	s.offset = offset
	return nil
}
