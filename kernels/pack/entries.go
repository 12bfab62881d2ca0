package pack

import (
	"encoding/binary"
	"math/bits"

	"axon/kernels"
)

// pair is an entry in whole numbers: how many indices lie between it and the one
// before, and how many levels it lies above the row's lowest.
type pair struct{ gap, level uint32 }

// entry appends both prefixes, then both remainders: this is the definition, which
// the loops below shorten where neither value escapes.
func (w *bitWriter) entry(e pair, bg, bl uint) {
	w.prefix(uint64(e.gap), bg)
	w.prefix(uint64(e.level), bl)
	w.remainder(uint64(e.gap), bg)
	w.remainder(uint64(e.level), bl)
}

// entry reads what the writer's appended.
func (r *bitReader) entry(bg, bl uint) (gap, level uint64) {
	q, s := r.prefix(), r.prefix()
	gap = r.remainder(q, bg)
	return gap, r.remainder(s, bl)
}

// prefixes of two values that do not escape, by q<<2|s: the bits, and from bit 8 on
// their number.
var prefixes = func() (t [escape * escape]uint16) {
	for q := range uint(escape) {
		for s := range uint(escape) {
			t[q*escape+s] = uint16(1<<q-1|(1<<s-1)<<(q+1)) | uint16(q+s+2)<<8
		}
	}
	return t
}()

// entries appends all pairs of a row.
func (w *bitWriter) entries(pairs []pair, gaps adaptive) {
	levels, p := newLevels(), paceOf(len(pairs))
	size := 1 << p.block
	for ; len(pairs) > 0; pairs = pairs[min(size, len(pairs)):] {
		w.reserve(size * maxEntryBytes)
		g, l := w.block(pairs[:min(size, len(pairs))], gaps.lowBits(), levels.lowBits())
		gaps.learn(g, p)
		levels.learn(l, p)
	}
}

// block appends pairs with the same low bits and sums them up, clipped, for learn.
func (w *bitWriter) block(pairs []pair, bg, bl uint) (gaps, levels uint64) {
	bg, bl = bg&63, bl&63 // spares the shifts their check
	maskG, maskL := uint32(1)<<bg-1, uint32(1)<<bl-1
	clipG, clipL := uint32(8)<<bg, uint32(4)<<bl
	buf, pos, acc, n := w.buf, w.pos, w.acc, w.n
	for _, e := range pairs {
		gaps += uint64(min(e.gap, clipG))
		levels += uint64(min(e.level, clipL))
		q, s := e.gap>>bg, e.level>>bl
		if q|s >= escape {
			w.pos, w.acc, w.n = pos, acc, n
			w.entry(e, bg, bl)
			pos, acc, n = w.pos, w.acc, w.n
			continue
		}
		pre := prefixes[(q<<2|s)&15]
		m := uint(pre >> 8)
		low := uint64(e.gap&maskG) | uint64(e.level&maskL)<<bg
		acc |= (uint64(pre&0xff) | low<<(m&63)) << (n & 63)
		n += m + bg + bl
		binary.LittleEndian.PutUint64(buf[pos:], acc)
		pos += int(n >> 3)
		acc >>= n &^ 7 & 63
		n &= 7
	}
	w.pos, w.acc, w.n = pos, acc, n
	return gaps, levels
}

// header is what the low 8 bits of an entry say of its prefixes: their values, each
// at most escape, and their number of bits.
type header struct{ q, s, n uint8 }

var headers = func() (t [256]header) {
	for i := range t {
		q := min(bits.TrailingZeros(^uint(i)), escape)
		n := min(q+1, escape)
		s := min(bits.TrailingZeros(^uint(i>>n)), escape)
		t[i] = header{uint8(q), uint8(s), uint8(n + min(s+1, escape))}
	}
	return t
}()

// scale is how a row's levels are to be read.
type scale struct {
	levels []level
	first  uint64 // index of the level that the row calls 0
	zero   uint64 // index it stands for: first, or 0 in a row with −Inf
}

// newScale interprets the number that offset gave.
func newScale(g *grid, lowest uint64) scale {
	first := lowest >> 1
	switch {
	case lowest&1 == 0:
		return scale{g.levels, first, first}
	case first == 0: // there is no finite level
		return scale{g.levels, uint64(len(g.levels)), 0}
	}
	return scale{g.levels, first - 1, 0}
}

// entries reads a row of pairs into dst and sums up its mass.
func (r *bitReader) entries(dst []kernels.Entry, sc scale, vocab int, gaps adaptive) (mass float64, err error) {
	levels, p := newLevels(), paceOf(len(dst))
	next := uint64(0) // the least index that is still possible
	for i := 0; i < len(dst); i += 1 << p.block {
		part := dst[i:min(i+1<<p.block, len(dst))]
		b := readBlock{scale: sc, bg: gaps.lowBits(), bl: levels.lowBits(), next: next}
		if !r.block(part, &b) {
			return 0, corrupt("level outside the grid in entries %d to %d", i, i+len(part)-1)
		}
		if b.next > uint64(vocab) {
			return 0, corrupt("index beyond the vocabulary of %d in entries %d to %d", vocab, i, i+len(part)-1)
		}
		next = b.next
		mass += b.mass
		gaps.learn(b.gaps, p)
		levels.learn(b.sum, p)
	}
	return mass, nil
}

// readBlock goes into a block and comes out of it.
type readBlock struct {
	scale
	bg, bl    uint
	next      uint64  // the least index that is possible
	gaps, sum uint64  // of the clipped gaps and levels
	mass      float64 // of the entries
}

// block reads entries with the same low bits; false means a level that is none.
func (r *bitReader) block(dst []kernels.Entry, b *readBlock) bool {
	bg, bl := b.bg&63, b.bl&63
	maskG, maskL := uint64(1)<<bg-1, uint64(1)<<bl-1
	clipG, clipL := uint64(8)<<bg, uint64(4)<<bl
	buf, pos := r.buf, r.pos
	next, levels, first, zero := b.next, b.levels, b.first, b.zero
	var gaps, sum uint64
	mass := 0.0
	for i := range dst {
		var gap, lev uint64
		at := pos >> 3
		var h header
		var w uint64
		if at+8 <= uint(len(buf)) {
			w = binary.LittleEndian.Uint64(buf[at:]) >> (pos & 7)
			h = headers[w&0xff]
		} else {
			h.q = escape
		}
		if h.q|h.s >= escape {
			r.pos = pos
			gap, lev = r.entry(bg, bl)
			pos = r.pos
		} else {
			w >>= h.n & 63
			gap = uint64(h.q)<<bg | w&maskG
			lev = uint64(h.s)<<bl | w>>bg&maskL
			pos += uint(h.n) + bg + bl
		}
		gaps += min(gap, clipG)
		sum += min(lev, clipL)
		at2 := first + lev
		if lev == 0 {
			at2 = zero
		}
		if at2 >= uint64(len(levels)) {
			return false
		}
		l := levels[at2]
		mass += float64(l.mass)
		next += gap
		dst[i] = kernels.Entry{Index: int32(next), Value: l.log}
		next++
	}
	r.pos = pos
	b.next, b.gaps, b.sum, b.mass = next, gaps, sum, mass
	return true
}

// indices appends the gaps alone, as rows with verbatim values have them.
func (w *bitWriter) indices(pairs []pair, gaps adaptive) {
	p := paceOf(len(pairs))
	size := 1 << p.block
	for ; len(pairs) > 0; pairs = pairs[min(size, len(pairs)):] {
		w.reserve(size * maxEntryBytes)
		b, sum := gaps.lowBits(), uint64(0)
		for _, e := range pairs[:min(size, len(pairs))] {
			w.prefix(uint64(e.gap), b)
			w.remainder(uint64(e.gap), b)
			sum += min(uint64(e.gap), 1<<(b+gaps.clip))
		}
		gaps.learn(sum, p)
	}
}

// indices reads them into the entries of a row.
func (r *bitReader) indices(dst []kernels.Entry, vocab int, gaps adaptive) error {
	p := paceOf(len(dst))
	next, b, sum := uint64(0), uint(0), uint64(0)
	for i := range dst {
		if i&(1<<p.block-1) == 0 {
			if i > 0 {
				gaps.learn(sum, p)
			}
			b, sum = gaps.lowBits(), 0
		}
		gap := r.remainder(r.prefix(), b)
		sum += min(gap, 1<<(b+gaps.clip))
		if next += gap; next >= uint64(vocab) {
			return corrupt("index of entry %d beyond the vocabulary of %d", i, vocab)
		}
		dst[i].Index = int32(next)
		next++
	}
	return nil
}
