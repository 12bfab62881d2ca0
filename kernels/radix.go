package kernels

import "math"

// digits counts entries by one digit of their keys, and then says where the
// next with that digit goes.
type digits [1 << radixWidth]uint32

const (
	radixPasses = 4 // an even number: the last pass leads back to where the first began
	radixWidth  = 8
)

// radix sorts entries by the bits of their values, least digit first.
func (s *sorter) radix(entries []Entry) {
	from, to := entries, s.moved[:len(entries)]
	for p := range radixPasses {
		ends := &s.digits
		*ends = digits{}
		shift := p * radixWidth
		for _, e := range from {
			ends[uint8(^orderedBits(e.Value)>>shift)]++
		}
		next := uint32(0)
		for d, n := range ends {
			ends[d], next = next, next+n
		}
		for _, e := range from {
			at := &ends[uint8(^orderedBits(e.Value)>>shift)]
			to[*at] = e
			*at++
		}
		from, to = to, from
	}
}

// orderedBits maps floats to integers in the same order, −0 and +0 to the
// same.
func orderedBits(v float32) uint32 {
	b := math.Float32bits(v + 0)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// fromOrderedBits is the way back.
func fromOrderedBits(b uint32) float32 {
	return math.Float32frombits(b ^ (uint32(int32(^b)>>31) | 1<<31))
}
