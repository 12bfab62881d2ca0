// Package float16 converts between float32 and IEEE 754 half precision.
package float16

import "math"

// From rounds to the nearest float16, to the even one of two. What is too large
// becomes an infinity.
func From(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	b &= 1<<31 - 1
	switch {
	case b > 0x7f800000: // not a number
		return sign | 0x7e00
	case b >= 0x47800000: // 65536 and above
		return sign | 0x7c00
	case b < 0x38800000: // subnormal as float16: 0.5 in front pushes the bits in place
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
	}
	b += 0xfff + b>>13&1 // rounds; a carry into the exponent is right, and so is one to infinity
	return sign | uint16(b>>13-(127-15)<<10)
}

// To is exact.
func To(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	b := uint32(h&0x7fff) << 13
	switch h & 0x7c00 {
	case 0x7c00:
		b |= 0x7f800000
	case 0: // subnormal: 2^-24 each
		return math.Float32frombits(sign | math.Float32bits(float32(h&0x3ff)*0x1p-24))
	default:
		b += (127 - 15) << 23
	}
	return math.Float32frombits(sign | b)
}
