package pack

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// numberReader reads what a numberWriter wrote.
type numberReader struct {
	bitReader
	q    []uint8 // what the prefixes say, one number a byte
	size int     // bytes of the row; buf has those behind it, too
}

// run says of a byte of prefixes how many end in it, what they say if they begin in it,
// and how many zeros of another one follow.
type run struct {
	q           uint64
	count, tail uint8
}

var runs = func() (t [256]run) {
	for i := range t {
		at := 0
		for v := i; v != 0; v &= v - 1 {
			end := bits.TrailingZeros(uint(v))
			t[i].q |= uint64(end-at) << (8 * t[i].count)
			t[i].count++
			at = end + 1
		}
		t[i].tail = uint8(8 - at)
	}
	return t
}()

// prefixes reads n of them, and moves on to the next byte. What it leaves in q is at
// most escape+7, and may be more than escape in a row that is corrupt.
func (r *numberReader) prefixes(n int) error {
	r.q = slices.Grow(r.q[:0], n+8)[:n+8]
	q, buf := r.q, r.buf[:r.size]
	from := int(r.pos >> 3)
	done, carry := 0, uint64(0)
	for done < n && from < len(buf) {
		t := &runs[buf[from]]
		from++
		if t.count == 0 {
			if carry += 8; carry > escape {
				return corrupt("a prefix is longer than any")
			}
			continue
		}
		binary.LittleEndian.PutUint64(q[done:], t.q+carry)
		done += int(t.count)
		carry = uint64(t.tail)
	}
	r.pos = uint(from) * 8
	if done != n {
		return corrupt("%d prefixes where %d are due", done, n)
	}
	return nil
}

// Of eight bytes of q, as one number: what a byte of 1 in each is, and the bits that q+1
// has in one where q is escape or more.
const (
	each = 0x0101010101010101
	long = each * (0xff &^ escape)
)

// eight gives the q of the numbers from the one at on and their low bits, if there are
// eight, their prefixes say all, and one load has the low bits.
func (r *numberReader) eight(at, size int, b uint) (low, q uint64, ok bool) {
	q = binary.LittleEndian.Uint64(r.q[at:])
	from := r.pos >> 3
	if size != 8 || (q+each)&long != 0 || 8*b > maxGet || from+8 > uint(len(r.buf)) {
		return 0, 0, false
	}
	low = binary.LittleEndian.Uint64(r.buf[from:]) >> (r.pos & 7)
	r.pos += 8 * b
	return low, q, true
}

// sumOf adds up eight bytes; the sum must be below 256.
func sumOf(q uint64) uint64 { return q * each >> 56 }

// beyond stands for any number that is too large to be one.
const beyond = 1 << 30

// unit reads numbers from the one at on, and gives the bits of their prefixes. This is
// the definition, which eight shortens.
func (r *numberReader) unit(x []uint32, at int, b uint) (n uint64, err error) {
	q := r.q[at:]
	for i := range x {
		x[i] = uint32(r.get(b)) + uint32(min(q[i], escape))<<b
	}
	for i := range x {
		n += uint64(q[i]) + 1
		if q[i] < escape {
			continue
		}
		e := uint(bits.TrailingZeros64(^r.peek()))
		if q[i] > escape || e > maxExponent {
			return 0, corrupt("a number is larger than any")
		}
		r.pos += e + 1
		z := 1<<e | r.get(e)
		x[i] = uint32(min(uint64(x[i])+(z-1)<<b, beyond))
	}
	return n, nil
}
