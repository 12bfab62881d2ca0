package synapse

import (
	"encoding/binary"
	"fmt"
	"math"

	"axon/internal/float16"
)

// float reads a number as float64. Integers beyond 2^53 are rounded.
func (t Tensor) float() func(i int) float64 {
	b := t.Data
	switch t.DType {
	case Float32:
		return func(i int) float64 {
			return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case Float64:
		return func(i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])) }
	case Float16:
		return func(i int) float64 { return float64(float16.To(binary.LittleEndian.Uint16(b[2*i:]))) }
	}
	get := t.integer()
	return func(i int) float64 { return float64(get(i)) }
}

// integer reads a number of an integer type.
func (t Tensor) integer() func(i int) int64 {
	b := t.Data
	switch t.DType {
	case Int32:
		return func(i int) int64 { return int64(int32(binary.LittleEndian.Uint32(b[4*i:]))) }
	case Int64:
		return func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	}
	return func(i int) int64 { return int64(b[i]) }
}

// Cast converts the numbers to another type: floats are rounded to the nearest,
// integers made of floats lose their fractions, see [Tensor.Int64s]. Data is
// shared when there is nothing to convert.
func (t Tensor) Cast(to DType) (Tensor, error) {
	if to == t.DType {
		return t, nil
	}
	out := Tensor{DType: to, Shape: t.Shape, RequiresGrad: t.RequiresGrad, Data: make([]byte, 0, t.Len()*to.Size())}
	switch to {
	case Float32:
		for _, v := range t.Float32s() {
			out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(v))
		}
	case Float16:
		for _, v := range t.Float32s() {
			out.Data = binary.LittleEndian.AppendUint16(out.Data, float16.From(v))
		}
	case Float64:
		get := t.float()
		for i := range t.Len() {
			out.Data = binary.LittleEndian.AppendUint64(out.Data, math.Float64bits(get(i)))
		}
	case Int64:
		for _, v := range t.Int64s() {
			out.Data = binary.LittleEndian.AppendUint64(out.Data, uint64(v))
		}
	case Int32:
		for _, v := range t.Int64s() {
			out.Data = binary.LittleEndian.AppendUint32(out.Data, uint32(v))
		}
	default:
		return Tensor{}, fmt.Errorf("no conversion from %v to %v", t.DType, to)
	}
	return out, nil
}
