package pack

import "math/bits"

// A number x is coded in two parts: q = x>>b in unary, and its b low bits. What is in
// unary is called the prefix: q zeros and a one, or fifteen zeros and a one for any q of
// fifteen and more. What the prefix leaves open is called the remainder: the low bits,
// and behind those of a unit, for each escape, q−15 in Exp-Golomb: of z = q−14, one 1 for each bit
// but the first, a zero, and those bits.
const escape = 15

// maxExponent bounds z: no gap and no level has more bits. It bounds b, too.
const maxExponent = 24

// maxUnit is the most numbers whose remainders lie together.
const maxUnit = 8

// Bytes that a number's parts take at most.
const (
	maxPrefixBytes    = (escape + 1) / 8
	maxRemainderBytes = (maxExponent + 2*maxExponent + 1 + 7) / 8
)

// pace is how often the coder looks back and how much it then believes.
type pace struct {
	block  uint  // log2 of the numbers between two looks, which share their b
	shift  uint  // the weight of a block is 2^−shift
	weight int64 // b is the bitlen of so many sixteenths of the mean
}

// paceOf is measured: short rows gain from more looks, long ones from slower averages.
func paceOf(k int) pace {
	switch {
	case k < 512:
		return pace{2, 1, 10}
	case k < 4096:
		return pace{3, 1, 9}
	}
	return pace{4, 2, 9}
}

// size is the number of numbers between two looks.
func (p pace) size() int { return 1 << (p.block & 7) }

// unit is how many numbers have their remainders together.
func (p pace) unit() int { return min(p.size(), maxUnit) }

// adaptive knows how large numbers have been and so how many low bits are best.
type adaptive struct {
	mean int64 // with 8 fractional bits
	pace pace
}

// newGaps expects a thirty-second of the mean gap: tokens that are likely lie closer.
func newGaps(vocab, k int) adaptive { return adaptive{int64(8 * vocab / max(k, 1)), paceOf(k)} }

func newLevels(k int) adaptive { return adaptive{8 << 8, paceOf(k)} }

// next is the b for a block, after one whose prefixes had n bits, with b low bits each;
// n is 0 where there was none.
func (a *adaptive) next(n uint64, b uint) uint {
	if n > 0 {
		a.learn(n, b)
	}
	return min(uint(bits.Len64(uint64(a.mean*a.pace.weight>>12))), maxExponent)
}

// learn takes every x of a block for (q + 3/8)·2^b: prefixes alone say their mean well
// enough, and a reader has them long before the low bits.
func (a *adaptive) learn(n uint64, b uint) {
	block := a.pace.block & 7
	sum := (8*int64(n) - 5<<block) << ((b + 5) & 63) // 256 times that of the block
	a.mean += (sum>>block - a.mean) >> (a.pace.shift & 7)
}
