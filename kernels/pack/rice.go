package pack

import "math/bits"

// A value x is coded in two parts: q = x>>b in unary, and its b low bits. What is in
// unary is called the prefix: q ones and a zero, or eight ones for any q of 8 and more.
// Then the rest of x begins with q−8 in Exp-Golomb: of z = q−7, one 1 for each bit but
// the first, a zero, and those bits.
const escape = 8

// maxExponent bounds z: no gap and no level has more bits.
const maxExponent = 24

// maxEntryBytes holds two prefixes, two exponents in unary with their bits, and low bits.
const maxEntryBytes = (2*(escape+2*maxExponent+1+maxExponent) + 7) / 8

// pace is how often the coder looks back and how much it then believes.
type pace struct {
	block uint // log2 of the entries between two looks
	shift uint // the weight of a block is 2^−shift
}

// paceOf is measured: longer rows gain from slower averages, and all from fewer looks.
func paceOf(k int) pace {
	switch {
	case k < 512:
		return pace{2, 1}
	case k < 4096:
		return pace{3, 1}
	}
	return pace{4, 2}
}

// adaptive knows how large values have been and so how many low bits are best.
type adaptive struct {
	mean int64 // with 8 fractional bits
	clip uint  // log2 of the largest multiple of 1<<b that counts
}

// newGaps expects a thirty-second of the mean gap: tokens that are likely lie closer.
func newGaps(vocab, k int) adaptive { return adaptive{int64(8 * vocab / max(k, 1)), 3} }

func newLevels() adaptive { return adaptive{6 << 8, 2} }

// lowBits is the b for the next block: bitlen(0.625·mean).
func (a *adaptive) lowBits() uint { return uint(bits.Len64(uint64(a.mean * 10 >> 12))) }

// learn takes in the sum of a whole block's values, each clipped to 1<<(b+clip).
func (a *adaptive) learn(sum uint64, p pace) {
	a.mean += (int64(sum<<8>>p.block) - a.mean) >> p.shift
}

// prefix appends the unary part of x.
func (w *bitWriter) prefix(x uint64, b uint) {
	if q := x >> b; q < escape {
		w.put(1<<q-1, uint(q)+1)
		return
	}
	w.put(1<<escape-1, escape)
}

// remainder appends what the prefix leaves open.
func (w *bitWriter) remainder(x uint64, b uint) {
	if q := x >> b; q >= escape {
		z := q - escape + 1
		e := uint(bits.Len64(z)) - 1
		w.put(1<<e-1, e+1)
		w.put(z&(1<<e-1), e)
	}
	w.put(x&(1<<b-1), b)
}

// prefix reads the unary part, at most escape.
func (r *bitReader) prefix() uint64 {
	q := min(uint(bits.TrailingZeros64(^r.peek())), escape)
	r.pos += min(q+1, escape)
	return uint64(q)
}

// remainder completes a value with that prefix. An exponent out of bounds gives a
// value that is, too.
func (r *bitReader) remainder(q uint64, b uint) uint64 {
	if q == escape {
		e := uint(bits.TrailingZeros64(^r.peek()))
		if e > maxExponent {
			return 1 << 32
		}
		r.pos += e + 1
		q = escape - 1 + (1<<e | r.get(e))
	}
	return q<<b | r.get(b)
}
