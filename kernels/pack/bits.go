package pack

import (
	"encoding/binary"
	"slices"
)

// bitWriter appends bits to bytes, the first into the lowest bit of a byte.
type bitWriter struct {
	buf []byte // its length is what is reserved, not what is written
	pos int    // whole bytes written
	acc uint64 // fewer than 8 bits that are not
	n   uint
}

// reset continues after the bytes of buf.
func (w *bitWriter) reset(buf []byte) { *w = bitWriter{buf: buf, pos: len(buf)} }

// reserve makes room for n bytes and for what a put of less writes too much.
func (w *bitWriter) reserve(n int) {
	if need := w.pos + n + 8; need > len(w.buf) {
		w.buf = slices.Grow(w.buf, need-len(w.buf))
		w.buf = w.buf[:cap(w.buf)]
	}
}

// maxPut is the most bits of a put: up to 7 wait already.
const maxPut = 56

// put appends the n lowest bits of v, which has no others; n is at most maxPut.
func (w *bitWriter) put(v uint64, n uint) {
	acc, have, pos := w.acc|v<<(w.n&63), w.n+n, w.pos
	binary.LittleEndian.PutUint64(w.buf[pos:], acc)
	w.acc, w.n, w.pos = acc>>(have&^7&63), have&7, pos+int(have>>3)
}

// bytes are all bits, the last byte filled up with zeros.
func (w *bitWriter) bytes() []byte {
	if w.n > 0 {
		w.pos++ // put has stored it
		w.acc, w.n = 0, 0
	}
	return w.buf[:w.pos]
}

// bitReader reads what a bitWriter wrote. Beyond the end it reads zeros.
type bitReader struct {
	buf []byte
	pos uint // bits read
}

// maxGet is the most bits that a load gives.
const maxGet = 57

// peek gives the next maxGet bits, and some more.
func (r *bitReader) peek() uint64 {
	at := r.pos >> 3
	if at+8 <= uint(len(r.buf)) {
		return binary.LittleEndian.Uint64(r.buf[at:]) >> (r.pos & 7)
	}
	var last [8]byte
	if at < uint(len(r.buf)) {
		copy(last[:], r.buf[at:])
	}
	return binary.LittleEndian.Uint64(last[:]) >> (r.pos & 7)
}

// get reads n bits, at most maxGet.
func (r *bitReader) get(n uint) uint64 {
	v := r.peek() & (1<<n - 1)
	r.pos += n
	return v
}

// align skips what fills up a byte, which must be zeros.
func (r *bitReader) align() bool { return r.get(-r.pos&7) == 0 }
