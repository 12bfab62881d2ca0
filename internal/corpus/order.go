package corpus

import (
	"math/bits"
	"math/rand/v2"
)

// order is the order in which the slots of an epoch are drawn.
type order struct {
	permutation
	shift, slot int64 // bytes: where the first slot begins, and the size of each
}

// newOrder divides total bytes into slots. The shift makes every byte a slot's
// first one with the same probability.
func newOrder(seed, epoch uint64, total, slot int64) order {
	keys := rand.NewPCG(seed, epoch)
	shift, _ := bits.Mul64(keys.Uint64(), uint64(min(slot, total)))
	n := (total - int64(shift) + slot - 1) / slot
	return order{newPermutation(keys, uint64(n)), int64(shift), slot}
}

// start is the byte at which the i-th slot of the order begins.
func (o *order) start(i uint64) int64 { return o.shift + int64(o.at(i))*o.slot }

const (
	// rounds are twice those after which a Feistel network of random functions cannot be
	// told from a random permutation (Luby and Rackoff, 1988): half of them make up
	// for functions that are not random.
	rounds = 8
	// minHalf makes small permutations of larger ones: halves of a bit or two leave
	// functions little to choose from.
	minHalf = 4
)

// permutation orders the numbers below size without a table: a Feistel network
// permutes the numbers of an even number of bits, and is walked along until it
// meets one below size (Black and Rogaway, "Ciphers with Arbitrary Finite
// Domains", CT-RSA 2002, cycle-walking). That takes 4 steps at most on
// average, or 256 / size. It hides nothing: keys follow from the seed.
type permutation struct {
	size uint64
	half int // bits
	keys [rounds]uint64
}

func newPermutation(keys rand.Source, size uint64) permutation {
	p := permutation{size: size, half: max(minHalf, (bits.Len64(size-1)+1)/2)}
	for i := range p.keys {
		p.keys[i] = keys.Uint64()
	}
	return p
}

// at gives the i-th number, i < size.
func (p *permutation) at(i uint64) uint64 {
	for {
		if i = p.step(i); i < p.size {
			return i
		}
	}
}

func (p *permutation) step(i uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := i>>p.half, i&mask
	for _, key := range p.keys {
		left, right = right, left^mix(right^key)&mask
	}
	return left<<p.half | right
}

// mix spreads every bit over all: the last step of SplitMix64 (Steele, Lea and Flood,
// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// share is a number in [0, 1) that belongs to a seed and an index.
func share(seed, index uint64) float64 {
	return float64(mix(mix(seed)+index)>>11) / (1 << 53)
}
