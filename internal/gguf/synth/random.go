package synth

import "hash/fnv"

// stream is splitmix64: a counter, scrambled. One multiplication chain per 64
// bits, any starting point as good as another.
type stream uint64

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// newStream gives the block of a tensor its own stream.
func newStream(seed uint64, tensor string, block int) stream {
	h := fnv.New64a()
	_, _ = h.Write([]byte(tensor))
	s := stream(seed ^ h.Sum64())
	s = stream(s.next() ^ uint64(block)*0xd1342543de82ef95)
	s.next()
	return s
}

// normal fills x with numbers of mean 0 and the given standard deviation.
//
// A number is the sum of the four 16-bit quarters of one random word, less its
// mean: the variance of a quarter is (2^32-1)/12, that of the sum four times
// that. The sum ends at 3.46 deviations, which weights do not miss, and costs a
// tenth of an exact normal number.
func (s *stream) normal(x []float32, deviation float32) {
	const mean = 2 * 65535
	// sqrt(3/(2^32-1))
	scale := deviation * 2.6428973e-5
	for i := range x {
		w := s.next()
		pairs := w&0x0000ffff0000ffff + w>>16&0x0000ffff0000ffff
		sum := int32(uint32(pairs) + uint32(pairs>>32))
		x[i] = float32(sum-mean) * scale
	}
}

// signs fills x with +1 and -1.
func (s *stream) signs(x []float32) {
	for i := range x {
		x[i] = float32(int64(s.next()>>63)*2 - 1)
	}
}
