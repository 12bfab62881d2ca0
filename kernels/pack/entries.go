package pack

import "axon/kernels"

// indices reads gaps into the entries of a row. Their prefixes are the first.
func (r *numberReader) indices(dst []kernels.Entry, vocab int) error {
	gaps := newGaps(vocab, len(dst))
	unit, block := gaps.pace.unit(), gaps.pace.size()
	next := uint64(0) // the least index that is still possible
	var b uint
	var n uint64
	for at := 0; at < len(dst); at += unit {
		if at&(block-1) == 0 {
			b, n = gaps.next(n, b), 0
		}
		part := dst[at:min(at+unit, len(dst))]
		if low, q, ok := r.eight(at, len(part), b); ok {
			n += sumOf(q) + 8
			next = place8((*[8]kernels.Entry)(part), low, (*[8]uint8)(r.q[at:]), b, next)
		} else {
			var x [maxUnit]uint32
			m, err := r.unit(x[:len(part)], at, b)
			if err != nil {
				return err
			}
			n += m
			next = place(part, &x, next)
		}
		if next > uint64(vocab) {
			return corrupt("index beyond the vocabulary of %d", vocab)
		}
	}
	return nil
}

// place turns gaps into indices.
func place(dst []kernels.Entry, gaps *[maxUnit]uint32, next uint64) (end uint64) {
	for i := range dst {
		next += uint64(gaps[i&(maxUnit-1)])
		dst[i].Index = int32(next)
		next++
	}
	return next
}

// place8 is place of eight gaps that are in parts.
//
//go:noinline
func place8(dst *[8]kernels.Entry, low uint64, q *[8]uint8, b uint, next uint64) (end uint64) {
	b &= 31 // spares the shifts their check
	mask := uint64(1)<<b - 1
	for i := range dst {
		next += low&mask + uint64(q[i])<<b
		low >>= b
		dst[i].Index = int32(next)
		next++
	}
	return next
}

// scale is how a row's levels are to be read.
type scale struct {
	levels []level
	first  uint32 // index of the level that the row calls 0
	holes  bool   // 0 is −Inf instead
}

// newScale interprets the number in front of the entries.
func newScale(g *grid, lowest uint32) scale {
	sc := scale{g.levels, lowest >> 1, lowest&1 != 0}
	if sc.holes {
		sc.first--
	}
	return sc
}

// values reads levels into the entries of a row and sums up their mass. Their prefixes
// are behind those of the gaps.
func (r *numberReader) values(dst []kernels.Entry, sc *scale) (mass float64, err error) {
	levels := newLevels(len(dst))
	unit, block := levels.pace.unit(), levels.pace.size()
	plain := 1
	if sc.holes {
		plain = 0 // only value knows of −Inf
	}
	var b uint
	var n uint64
	for at := 0; at < len(dst); at += unit {
		if at&(block-1) == 0 {
			b, n = levels.next(n, b), 0
		}
		part := dst[at:min(at+unit, len(dst))]
		from := len(dst) + at
		var m float32
		var valid bool
		if low, q, ok := r.eight(from, len(part)*plain, b); ok {
			n += sumOf(q) + 8
			m, valid = value8((*[8]kernels.Entry)(part), sc.levels[sc.first:], low, (*[8]uint8)(r.q[from:]), b)
		} else {
			var x [maxUnit]uint32
			bits, err := r.unit(x[:len(part)], from, b)
			if err != nil {
				return 0, err
			}
			n += bits
			m, valid = sc.value(part, &x)
		}
		if !valid {
			return 0, corrupt("level outside the grid")
		}
		mass += float64(m)
	}
	return mass, nil
}

// value looks up levels and sums up their mass; false means a level that is none.
func (sc *scale) value(dst []kernels.Entry, x *[maxUnit]uint32) (mass float32, ok bool) {
	for i := range dst {
		at := sc.first + x[i&(maxUnit-1)]
		if sc.holes && at == sc.first {
			at = 0
		}
		if uint64(at) >= uint64(len(sc.levels)) {
			return 0, false
		}
		mass += sc.levels[at].mass
		dst[i].Value = sc.levels[at].log
	}
	return mass, true
}

// value8 is value of eight levels that are in parts, in a row without −Inf.
//
//go:noinline
func value8(dst *[8]kernels.Entry, levels []level, low uint64, q *[8]uint8, b uint) (mass float32, ok bool) {
	b &= 31 // spares the shifts their check
	mask := uint64(1)<<b - 1
	for i := range dst {
		at := low&mask + uint64(q[i])<<b
		low >>= b
		if at >= uint64(len(levels)) {
			return 0, false
		}
		mass += levels[at].mass
		dst[i].Value = levels[at].log
	}
	return mass, true
}
