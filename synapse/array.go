package synapse

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The array format is one msgpack map of five entries, as the reference's
// library writes it: nd (true), type (such as <f4), kind (empty), shape and
// data. Keys are binary strings.

// Bytes of msgpack.
const (
	msgTrue    = 0xc3
	msgFalse   = 0xc2
	msgBin8    = 0xc4
	msgBin16   = 0xc5
	msgBin32   = 0xc6
	msgUint8   = 0xcc
	msgUint16  = 0xcd
	msgUint32  = 0xce
	msgUint64  = 0xcf
	msgStr8    = 0xd9
	msgArray16 = 0xdc
	msgMap     = 0x80 // up to 15 entries
	msgArray   = 0x90 // up to 15 items
	msgStr     = 0xa0 // up to 31 bytes
)

// maxRank is the most dimensions of an array: numpy has no more.
const maxRank = 64

// appendArray appends the array format of t.
func appendArray(dst []byte, t Tensor) []byte {
	return append(appendHead(dst, t, len(t.Data)), t.Data...)
}

// appendHead appends what comes before the numbers, which take that many bytes.
func appendHead(dst []byte, t Tensor, bytes int) []byte {
	dst = append(dst, msgMap|5)
	dst = append(appendBin(dst, []byte("nd")), msgTrue)
	name := t.DType.String()
	dst = append(appendBin(dst, []byte("type")), msgStr|byte(len(name)))
	dst = append(dst, name...)
	dst = appendBin(appendBin(dst, []byte("kind")), nil)
	dst = appendBin(dst, []byte("shape"))
	if len(t.Shape) < 16 {
		dst = append(dst, msgArray|byte(len(t.Shape)))
	} else {
		dst = binary.BigEndian.AppendUint16(append(dst, msgArray16), uint16(len(t.Shape)))
	}
	for _, d := range t.Shape {
		dst = appendUint(dst, uint64(d))
	}
	return appendBinLen(appendBin(dst, []byte("data")), bytes)
}

func appendBin(dst, b []byte) []byte { return append(appendBinLen(dst, len(b)), b...) }

func appendBinLen(dst []byte, n int) []byte {
	switch {
	case n < 1<<8:
		return append(dst, msgBin8, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, msgBin16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, msgBin32), uint32(n))
}

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<7:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, msgUint8, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, msgUint16), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, msgUint32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, msgUint64), n)
}

// array is what the format holds. data lies within the bytes it was read from.
type array struct {
	dtype string
	shape []int
	data  []byte
}

// parseArray reads the array format: any order of entries, kind may be missing.
// Errors wrap ErrShape where bytes are missing or left over, as the
// reference's server sorts them, and ErrDecode otherwise.
func parseArray(b []byte) (array, error) {
	r := msgReader{rest: b}
	var a array
	n := r.mapLen()
	var seen [5]bool
	for range n {
		if r.err != nil {
			break
		}
		r.entry(&a, &seen)
	}
	switch {
	case r.err != nil:
		return array{}, r.err
	case len(r.rest) > 0:
		return array{}, fmt.Errorf("%w: %d bytes after the array", ErrShape, len(r.rest))
	}
	for i, name := range arrayKeys {
		if !seen[i] && name != "kind" {
			return array{}, fmt.Errorf("%w: an array without %q", ErrDecode, name)
		}
	}
	return a, nil
}

var arrayKeys = [5]string{"nd", "type", "kind", "shape", "data"}

// msgReader reads msgpack. After its first error it reads nothing more.
type msgReader struct {
	rest []byte
	err  error
}

// entry reads one entry of the map.
func (r *msgReader) entry(a *array, seen *[5]bool) {
	key := string(r.bin())
	for i, name := range arrayKeys {
		if key != name || r.err != nil {
			continue
		}
		if seen[i] {
			r.fail(ErrDecode, "%q comes twice", name)
		}
		seen[i] = true
		switch name {
		case "nd":
			if r.byte() != msgTrue {
				r.fail(ErrDecode, "not an array of numbers")
			}
		case "type":
			a.dtype = string(r.text())
		case "kind":
			if len(r.text()) > 0 {
				r.fail(ErrDecode, "not an array of plain numbers")
			}
		case "shape":
			a.shape = r.ints()
		case "data":
			a.data = r.bin()
		}
		return
	}
	r.fail(ErrDecode, "unknown entry %.20q", key)
}

func (r *msgReader) fail(kind error, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))
		r.rest = nil
	}
}

// take cuts n bytes off.
func (r *msgReader) take(n uint64) []byte {
	if uint64(len(r.rest)) < n {
		r.fail(ErrShape, "%d bytes where %d are needed", len(r.rest), n)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *msgReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint reads a big-endian number of that many bytes.
func (r *msgReader) uint(bytes int) uint64 {
	n := uint64(0)
	for _, b := range r.take(uint64(bytes)) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (r *msgReader) mapLen() int {
	if b := r.byte(); r.err == nil && b&0xf0 == msgMap {
		return int(b & 0x0f)
	}
	r.fail(ErrDecode, "not a map")
	return 0
}

func (r *msgReader) bin() []byte {
	switch b := r.byte(); b {
	case msgBin8, msgBin16, msgBin32:
		return r.take(r.uint(1 << (b - msgBin8)))
	}
	r.fail(ErrDecode, "not binary")
	return nil
}

// text reads a string or a binary one.
func (r *msgReader) text() []byte {
	if len(r.rest) == 0 {
		r.fail(ErrShape, "the array ends early")
		return nil
	}
	switch b := r.rest[0]; {
	case b&0xe0 == msgStr:
		return r.take(uint64(r.byte() & 0x1f))
	case b == msgStr8:
		r.byte()
		return r.take(r.uint(1))
	}
	return r.bin()
}

func (r *msgReader) ints() []int {
	n := 0
	switch b := r.byte(); {
	case b&0xf0 == msgArray:
		n = int(b & 0x0f)
	case b == msgArray16:
		n = int(r.uint(2))
	default:
		r.fail(ErrDecode, "the shape is not a list")
	}
	if n > maxRank {
		r.fail(ErrDecode, "%d dimensions exceed %d", n, maxRank)
		return nil
	}
	var list []int
	for range n {
		list = append(list, r.int())
	}
	return list
}

func (r *msgReader) int() int {
	b := r.byte()
	n := uint64(b)
	switch {
	case b < 0x80:
	case b >= msgUint8 && b <= msgUint64:
		n = r.uint(1 << (b - msgUint8))
	default:
		r.fail(ErrDecode, "a dimension is not a number")
	}
	if n > math.MaxInt32 {
		r.fail(ErrDecode, "a dimension of %d", n)
		return 0
	}
	return int(n)
}
