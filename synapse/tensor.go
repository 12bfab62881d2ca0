package synapse

import (
	"encoding/binary"
	"fmt"
	"math"

	"axon/synapse/wire"
)

// DType is the type of a tensor's numbers.
type DType uint8

// The types. Those after Float16 can be written but not read by peers: the
// protocol has no names for them.
const (
	Float32 DType = iota + 1
	Float64
	Int32
	Int64
	Float16
	Uint8
	Bool
)

// dtypes says of each type how many bytes a number has, what it is called in
// the array format, and what in messages.
var dtypes = map[DType]struct {
	size int
	name string
	wire wire.DataType
}{
	Float32: {4, "<f4", wire.DataType_DATA_TYPE_FLOAT32},
	Float64: {8, "<f8", wire.DataType_DATA_TYPE_FLOAT64},
	Int32:   {4, "<i4", wire.DataType_DATA_TYPE_INT32},
	Int64:   {8, "<i8", wire.DataType_DATA_TYPE_INT64},
	Float16: {2, "<f2", wire.DataType_DATA_TYPE_FLOAT16},
	Uint8:   {1, "|u1", wire.DataType_DATA_TYPE_UNKNOWN},
	Bool:    {1, "|b1", wire.DataType_DATA_TYPE_UNKNOWN},
}

// Size is the number of bytes of one number, 0 for what is no type.
func (d DType) Size() int { return dtypes[d].size }

// String is the name as the array format has it, such as <f4.
func (d DType) String() string {
	if t, ok := dtypes[d]; ok {
		return t.name
	}
	return fmt.Sprintf("type %d", uint8(d))
}

func (d DType) floating() bool { return d == Float32 || d == Float64 || d == Float16 }

// fromWire is the type that a message names, and false where it names none.
func fromWire(w wire.DataType) (DType, bool) {
	for d, t := range dtypes {
		if t.wire == w && w != wire.DataType_DATA_TYPE_UNKNOWN {
			return d, true
		}
	}
	return 0, false
}

// Tensor is an array of numbers in C order.
type Tensor struct {
	DType        DType
	Shape        []int  // none: a single number
	Data         []byte // little-endian
	RequiresGrad bool
}

// Elements is the number of elements of a shape, and false when it is negative
// somewhere or more than fits.
func Elements(shape []int) (int, bool) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, false
		}
	}
	for _, d := range shape {
		if d == 0 {
			return 0, true
		}
		if n > math.MaxInt32/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// NewFloat32 makes a tensor of float32.
func NewFloat32(values []float32, shape ...int) Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return Tensor{DType: Float32, Shape: shape, Data: data}
}

// NewInt64 makes a tensor of int64.
func NewInt64(values []int64, shape ...int) Tensor {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return Tensor{DType: Int64, Shape: shape, Data: data}
}

// Len is the number of elements.
func (t Tensor) Len() int {
	if t.DType.Size() == 0 {
		return 0
	}
	return len(t.Data) / t.DType.Size()
}

// Float32s are the numbers as float32, rounded where they have more digits.
func (t Tensor) Float32s() []float32 {
	out := make([]float32, t.Len())
	get := t.float()
	for i := range out {
		out[i] = float32(get(i))
	}
	return out
}

// Int64s are the numbers as int64, without their fractions. What int64 cannot
// hold, and NaN, becomes the smallest int64, as it does in the reference.
func (t Tensor) Int64s() []int64 {
	out := make([]int64, t.Len())
	if t.DType.floating() {
		get := t.float()
		for i := range out {
			out[i] = truncate(get(i))
		}
		return out
	}
	get := t.integer()
	for i := range out {
		out[i] = get(i)
	}
	return out
}

func truncate(v float64) int64 {
	if v >= -(1<<63) && v < 1<<63 {
		return int64(v)
	}
	return math.MinInt64
}
