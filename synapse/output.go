package synapse

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"axon/synapse/wire"
)

// output is an answer in the making: the array as MSGPACK sends it, whose numbers
// any number of goroutines write at their places.
type output struct {
	array  Tensor // its Data are the end of buffer
	buffer []byte
}

func newOutput(d DType, shape ...int) *output {
	n, _ := Elements(shape)
	o := &output{array: Tensor{DType: d, Shape: shape}}
	o.buffer = appendHead(make([]byte, 0, n*d.Size()+headRoom), o.array, n*d.Size())
	start := len(o.buffer)
	o.buffer = o.buffer[:start+n*d.Size()]
	o.array.Data = o.buffer[start:]
	return o
}

// headRoom is more than what comes before an array's numbers.
const headRoom = 128

func (o *output) putFloat(i int, v float32) {
	binary.LittleEndian.PutUint32(o.array.Data[4*i:], math.Float32bits(v))
}

func (o *output) putInt(i int, v int64) {
	binary.LittleEndian.PutUint64(o.array.Data[8*i:], uint64(v))
}

// finish makes the message. The output must not be written to any more.
func (o *output) finish(s wire.Serializer) (*wire.Tensor, error) {
	if s == wire.Serializer_SERIALIZER_MSGPACK {
		return message(o.array, o.buffer, s), nil
	}
	return Encode(o.array, s)
}

// arrivals are the parts of an answer, such as positions, of which each comes
// once.
type arrivals []atomic.Bool

// claim notes that a part comes. Whoever claims a part may write its place.
func (a arrivals) claim(part int) error {
	if a[part].Swap(true) {
		return Faultf(wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, "part %d of %d came twice", part, len(a))
	}
	return nil
}

// check refuses an answer that is not whole.
func (a arrivals) check() error {
	n := 0
	for i := range a {
		if a[i].Load() {
			n++
		}
	}
	switch {
	case n == 0:
		return Faultf(wire.ReturnCode_RETURN_CODE_EMPTY_RESPONSE, "Synapse response shape exception with error: Empty Response")
	case n < len(a):
		return Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "%d of %d parts of the answer came", n, len(a))
	}
	return nil
}

// claimPosition claims a position of a text of a batch and returns its number
// among all positions.
func (a arrivals) claimPosition(b Batch, text, pos int) (int, error) {
	if pos < 0 || pos >= b.Length {
		return 0, Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "position %d of a text of %d tokens", pos, b.Length)
	}
	row := text*b.Length + pos
	return row, a.claim(row)
}
