package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// reader walks the metadata front to back. The first fault sticks: later calls
// return zeros, so that the parser reads like the format and asks once per item.
type reader struct {
	r    *bufio.Reader
	pos  int64
	size int64
	// what is being read, for the message.
	what string
	err  error
	buf  [8]byte
}

func newReader(r io.ReaderAt, size int64) *reader {
	return &reader{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10), size: size}
}

func (r *reader) remaining() uint64 { return uint64(r.size - r.pos) }

func (r *reader) fail(kind error, hint, format string, args ...any) {
	if r.err == nil {
		text := fmt.Sprintf(format, args...)
		r.err = &Error{Offset: r.pos, Kind: kind, Text: text, Hint: hint}
	}
}

// need checks that n more items of at least each bytes can follow.
func (r *reader) need(n, each uint64) bool {
	if r.err != nil {
		return false
	}
	if n > r.remaining()/each {
		r.fail(ErrTruncated, hintDownload, "%s at byte %d needs %s, but the file ends at byte %d",
			r.what, r.pos, amount(n, each), r.size)
		return false
	}
	return true
}

func amount(n, each uint64) string {
	if each == 1 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d items of at least %d bytes", n, each)
}

// full fills b, which need has allowed.
func (r *reader) full(b []byte) bool {
	n, err := io.ReadFull(r.r, b)
	r.pos += int64(n)
	if err == nil {
		return true
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.fail(ErrTruncated, hintDownload, "%s ends at byte %d", r.what, r.pos)
		return false
	}
	r.fail(err, "check the disk", "cannot read %s at byte %d", r.what, r.pos)
	return false
}

func (r *reader) bytes(n uint64) []byte {
	if !r.need(n, 1) || !r.full(r.buf[:n]) {
		return make([]byte, n)
	}
	return r.buf[:n]
}

func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.bytes(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.bytes(8)) }

// length reads and bounds the length of a string.
func (r *reader) length() uint64 {
	n := r.u64()
	if r.err == nil && n > maxString {
		r.fail(ErrAbsurd, hintDownload, "%s at byte %d is %d bytes long, more than %d", r.what, r.pos-8, n, maxString)
	}
	if !r.need(n, 1) {
		return 0
	}
	return n
}

func (r *reader) text() string {
	b := make([]byte, r.length())
	if r.err != nil || !r.full(b) {
		return ""
	}
	return string(b)
}

// texts reads n strings into one block of memory: a vocabulary has a quarter of
// a million of them, and one allocation each would cost more than their bytes.
func (r *reader) texts(n uint64) []string {
	if !r.need(n, 8) {
		return nil
	}
	ends := make([]int, n)
	block := make([]byte, 0, min(16*n, r.remaining()-8*n))
	for i := range ends {
		size := int(r.length())
		start := len(block)
		block = grow(block, size)
		if r.err != nil || !r.full(block[start:]) {
			return nil
		}
		ends[i] = len(block)
	}
	return cut(string(block), ends)
}

// grow lengthens b by n bytes, doubling where it must.
func grow(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

func cut(block string, ends []int) []string {
	out := make([]string, len(ends))
	start := 0
	for i, end := range ends {
		out[i] = block[start:end]
		start = end
	}
	return out
}

// numbers reads n fixed-size values in small steps, without a second copy of the whole.
func numbers[T any](r *reader, n, size uint64) []T {
	if !r.need(n, size) {
		return nil
	}
	const step = 4096
	out := make([]T, n)
	buf := make([]byte, min(n, step)*size)
	for at := uint64(0); at < n; at += step {
		k := min(step, n-at)
		b := buf[:k*size]
		if !r.full(b) {
			return nil
		}
		// Cannot fail: T has a fixed size and b holds k of them.
		_, _ = binary.Decode(b, binary.LittleEndian, out[at:at+k])
	}
	return out
}
