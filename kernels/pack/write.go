package pack

import "math/bits"

// numbers are what is to be coded: of each, the difference to base. It is below 1<<15,
// unless they are wide.
type numbers struct {
	narrow []uint16
	base   uint16
	wide   []uint32 // instead of narrow and base, where not nil
}

func (x *numbers) len() int { return max(len(x.narrow), len(x.wide)) }

// part gives the differences from at on.
func (x *numbers) part(at int, part []uint32) {
	for i := range part {
		if x.wide != nil {
			part[i] = x.wide[at+i]
		} else {
			part[i] = uint32(x.narrow[at+i] - x.base)
		}
	}
}

// numberWriter appends numbers: first the prefixes of all, then the remainders of all.
type numberWriter struct{ prefixes, remainders bitWriter }

// begin begins after the bytes of buf.
func (w *numberWriter) begin(buf []byte) {
	w.prefixes.reset(buf)
	w.remainders.reset(w.remainders.buf[:0])
}

// end gives all bytes. Prefixes and remainders fill whole ones.
func (w *numberWriter) end() []byte { return append(w.prefixes.bytes(), w.remainders.bytes()...) }

// numbers appends x.
func (w *numberWriter) numbers(x numbers, a adaptive) {
	k, unit, block := x.len(), a.pace.unit(), a.pace.size()
	w.prefixes.reserve(k * maxPrefixBytes)
	w.remainders.reserve(k)
	base := uint64(x.base) * lanes
	var b uint
	var n uint64
	for at := 0; at < k; at += unit {
		if at&(block-1) == 0 {
			b, n = a.next(n, b), 0
		}
		if x.wide == nil && unit == 8 && k-at >= 8 {
			if m, ok := w.eight((*[8]uint16)(x.narrow[at:]), base, b); ok {
				n += m
				continue
			}
		}
		var part [maxUnit]uint32
		size := min(unit, k-at)
		x.part(at, part[:size])
		w.remainders.reserve(size*maxRemainderBytes + k - at)
		n += w.unit(part[:size], b)
	}
}

// unit appends numbers that share their b, and gives the bits of their prefixes. This
// is the definition, which eight shortens.
func (w *numberWriter) unit(x []uint32, b uint) (n uint64) {
	p, r := &w.prefixes, &w.remainders
	for _, v := range x {
		q := uint(min(v>>b, escape))
		p.put(1<<q, q+1)
		n += uint64(q) + 1
		r.put(uint64(v&(1<<b-1)), b)
	}
	for _, v := range x {
		if q := uint64(v >> b); q >= escape {
			z := q - escape + 1
			e := uint(bits.Len64(z)) - 1
			r.put(1<<e-1, e+1)
			r.put(z&(1<<e-1), e)
		}
	}
	return n
}

// maxFold is the largest b that eight takes in lanes: eight times that can be put.
const maxFold = 7

// folding has masks for eight: of low bits and of q in each of four lanes of 16 bits, of
// two numbers' low bits in each of two lanes of 32 bits, and of those of four.
type folding struct{ low, q, two, four uint64 }

// lanes is a one in each of four lanes.
const lanes = 0x0001000100010001

var foldings = func() (t [maxFold + 1]folding) {
	for b := range t {
		t[b] = folding{(1<<b - 1) * lanes, (0xffff >> b) * lanes, (1<<(2*b) - 1) * (1<<32 + 1), 1<<(4*b) - 1}
	}
	return t
}()

// eight is unit for eight numbers, less what base has in each lane. It computes in four
// lanes at once, and appends nothing where numbers are not as most are: where b is large,
// one escapes, or the prefixes are too many bits.
func (w *numberWriter) eight(x *[8]uint16, base uint64, b uint) (n uint64, ok bool) {
	if b > maxFold {
		return 0, false
	}
	v := uint64(x[0]) | uint64(x[1])<<16 | uint64(x[2])<<32 | uint64(x[3])<<48
	u := uint64(x[4]) | uint64(x[5])<<16 | uint64(x[6])<<32 | uint64(x[7])<<48
	v, u = v-base, u-base
	m := &foldings[b&maxFold]
	b &= 15 // spares the shifts their check
	s, t := v>>b&m.q+lanes, u>>b&m.q+lanes
	if (s|t)&(0xffff&^escape*lanes) != 0 {
		return 0, false
	}
	// Now each lane becomes the sum of those up to it: where a prefix ends.
	s *= lanes
	t *= lanes
	half := s >> 48
	n = half + t>>48
	if n > maxPut {
		return 0, false
	}
	first := uint64(1)<<(s&63) | 1<<(s>>16&63) | 1<<(s>>32&63) | 1<<(half&63)
	second := uint64(1)<<(t&63) | 1<<(t>>16&63) | 1<<(t>>32&63) | 1<<(t>>48&63)
	w.prefixes.put((first|second<<(half&63))>>1, uint(n))
	v, u = v&m.low, u&m.low
	v, u = (v|v>>(16-b))&m.two, (u|u>>(16-b))&m.two
	v, u = (v|v>>((32-2*b)&63))&m.four, (u|u>>((32-2*b)&63))&m.four
	w.remainders.put(v|u<<((4*b)&63), 8*b)
	return n, true
}
