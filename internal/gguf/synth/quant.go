package synth

import (
	"encoding/binary"
	"fmt"
	"math"

	"axon/internal/gguf"
)

// QuantizeFunc converts rows of perRow numbers each into the bytes of type t.
// It is called from several goroutines at once. dst has exactly the right size.
type QuantizeFunc func(t gguf.Type, src []float32, perRow int, dst []byte) error

// Native converts to the types that need no library: f32, f16, bf16, q8_0 and
// q4_0, with the bits that ggml's reference functions give.
func Native(t gguf.Type, src []float32, _ int, dst []byte) error {
	pack, ok := native[t]
	if !ok {
		return fmt.Errorf("%w: %v needs ggml's quantisation", gguf.ErrTensor, t)
	}
	pack(dst, src)
	return nil
}

var native = map[gguf.Type]func(dst []byte, src []float32){
	gguf.F32:  packF32,
	gguf.F16:  packF16,
	gguf.BF16: packBF16,
	gguf.Q8_0: packQ8,
	gguf.Q4_0: packQ4,
}

func packF32(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}

func packF16(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], half(v))
	}
}

func packBF16(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], bfloat(v))
	}
}

// The conversions of products to float32 below keep compilers from fusing them
// with the sum that follows, which would round differently on some processors.

// packQ8 stores blocks of 32: a half-precision step d, then 32 signed multiples of it.
func packQ8(dst []byte, src []float32) {
	for ; len(src) > 0; src, dst = src[32:], dst[34:] {
		x, out := src[:32], dst[:34]
		largest := float32(0)
		for _, v := range x {
			largest = max(largest, abs(v))
		}
		d := largest / 127
		inverse := reciprocal(d)
		binary.LittleEndian.PutUint16(out, half(d))
		for i, v := range x {
			out[2+i] = byte(int8(roundAway(float32(v * inverse))))
		}
	}
}

// packQ4 stores blocks of 32: a half-precision step d, chosen so that the number
// of the largest size becomes −8, then 32 multiples of it, offset by 8, four bits
// each; the second half of the block in the upper bits.
func packQ4(dst []byte, src []float32) {
	for ; len(src) > 0; src, dst = src[32:], dst[18:] {
		x, out := src[:32], dst[:18]
		extreme := float32(0)
		for _, v := range x {
			if abs(v) > abs(extreme) {
				extreme = v
			}
		}
		d := extreme / -8
		inverse := reciprocal(d)
		binary.LittleEndian.PutUint16(out, half(d))
		for i := range 16 {
			out[2+i] = nibble(float32(x[i]*inverse)) | nibble(float32(x[16+i]*inverse))<<4
		}
	}
}

func nibble(v float32) byte { return byte(min(15, int8(v+8.5))) }

func reciprocal(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

func abs(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

// roundAway rounds halves away from zero, like C's roundf. It holds for |v| < 2^22.
func roundAway(v float32) float32 {
	whole := float32(int32(v))
	if rest := v - whole; rest >= 0.5 {
		return whole + 1
	} else if rest <= -0.5 {
		return whole - 1
	}
	return whole
}

// half rounds to IEEE half precision, to nearest, ties to even.
func half(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // not a number
		return sign | 0x7e00
	case b >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case b >= 0x38800000: // a normal half: move the exponent, round 13 bits off
		b += 0xfff + b>>13&1
		return sign | uint16((b-0x38000000)>>13)
	}
	// A subnormal half is a multiple of 2^-24. Adding 2^-1, whose unit in the
	// last place is just that, lets the processor round.
	sum := math.Float32frombits(b) + 0.5
	return sign | uint16(math.Float32bits(sum)-math.Float32bits(0.5))
}

// bfloat rounds to the upper half of a float32, to nearest, ties to even.
func bfloat(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 64
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
