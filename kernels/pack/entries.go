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

// beyond stands for any gap and any level that is too large to be one.
const beyond = 1 << 30

// entry reads what the writer's appended.
func (r *bitReader) entry(bg, bl uint) pair {
	q, s := r.prefix(), r.prefix()
	gap := r.remainder(q, bg)
	level := r.remainder(s, bl)
	return pair{uint32(min(gap, beyond)), uint32(min(level, beyond))}
}

// maxBlock is the most entries of a block, see paceOf.
const maxBlock = 16

// entries appends all pairs of a row, their levels less base.
func (w *bitWriter) entries(pairs []pair, base uint32, gaps adaptive) {
	levels, p := newLevels(), paceOf(len(pairs))
	for len(pairs) > 0 {
		size := min(1<<p.block, len(pairs))
		block := pairs[:size]
		pairs = pairs[size:]
		bg, bl := gaps.lowBits(), levels.lowBits()
		var codes [maxBlock]code
		codesOf(&codes, block, base, bg, bl)
		w.reserve(maxBlock * maxEntryBytes)
		w.codes(codes[:size], block, bg, bl)
		g, l := clipped(block, uint32(1)<<(bg+gaps.clip), uint32(1)<<(bl+levels.clip))
		gaps.learn(g, p)
		levels.learn(l, p)
	}
}

// clipped sums up what learn is to know of a block.
func clipped(block []pair, clipG, clipL uint32) (gaps, levels uint64) {
	for _, e := range block {
		gaps += uint64(min(e.gap, clipG))
		levels += uint64(min(e.level, clipL))
	}
	return gaps, levels
}

// code is an entry's bits, and their number: more than can be put where the prefixes are long.
type code struct{ bits, n uint64 }

// shortPrefixes is the most bits that two prefixes have in the loops below, which leave
// longer ones, and escapes, to the definition. It is as many as a small table allows.
const shortPrefixes = 11

// prefixes are those of two values below escape, by q<<3|s: the bits, and from bit 16
// on their number, or more than can be put.
var prefixes = func() (t [escape * escape]uint32) {
	for q := range uint(escape) {
		for s := range uint(escape) {
			n := q + 1 + s + 1
			t[q*escape+s] = uint32(1<<q - 1 | (1<<s-1)<<(q+1) | n<<16)
			if n > shortPrefixes {
				t[q*escape+s] = (maxPut + 1) << 16
			}
		}
	}
	return t
}()

// codesOf subtracts base from the levels and finds the codes.
func codesOf(codes *[maxBlock]code, block []pair, base uint32, bg, bl uint) {
	bg, bl = bg&31, bl&31 // spares the shifts their check
	maskG, maskL := uint32(1)<<bg-1, uint32(1)<<bl-1
	both := uint64(bg + bl)
	for i := range block {
		gap, level := block[i].gap, block[i].level-base
		block[i].level = level
		q, s := gap>>bg, level>>bl
		at := q*escape + s
		if q|s >= escape {
			at = escape*escape - 1
		}
		p := uint64(prefixes[at&(escape*escape-1)])
		low := uint64(level&maskL)<<bg | uint64(gap&maskG)
		n := p >> 16
		codes[i&(maxBlock-1)] = code{p&0xffff | low<<(n&31), n + both}
	}
}

// codes appends the codes of a block, four at once where they are short.
func (w *bitWriter) codes(codes []code, block []pair, bg, bl uint) {
	for len(codes) >= 4 {
		w.four((*[4]code)(codes), (*[4]pair)(block), bg, bl)
		codes, block = codes[4:], block[4:]
	}
	for i, c := range codes {
		w.one(c, block[i], bg, bl)
	}
}

func (w *bitWriter) four(c *[4]code, e *[4]pair, bg, bl uint) {
	n1 := c[0].n
	n2 := n1 + c[1].n
	n3 := n2 + c[2].n
	if n4 := n3 + c[3].n; n4 <= maxPut {
		w.put(c[0].bits|c[1].bits<<(n1&63)|c[2].bits<<(n2&63)|c[3].bits<<(n3&63), uint(n4))
		return
	}
	for i := range c {
		w.one(c[i], e[i], bg, bl)
	}
}

func (w *bitWriter) one(c code, e pair, bg, bl uint) {
	if c.n <= maxPut {
		w.put(c.bits, uint(c.n))
		return
	}
	w.entry(e, bg, bl)
}

// headers say of the first bits of an entry what its prefixes are: from bit 0 their
// number of bits, from bit 4 the gap's and from bit 8 the level's; or longPrefix.
var headers = func() (t [1 << shortPrefixes]uint16) {
	for i := range t {
		q := bits.TrailingZeros(^uint(i))
		s := bits.TrailingZeros(^uint(i >> (q + 1)))
		t[i] = uint16(q + 1 + s + 1 | q<<4 | s<<8)
		if q >= escape || s >= escape || q+1+s+1 > shortPrefixes {
			t[i] = longPrefix
		}
	}
	return t
}()

const longPrefix = 1 << 12

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

// entries reads a row of pairs into dst and sums up its mass.
func (r *bitReader) entries(dst []kernels.Entry, sc scale, vocab int, gaps adaptive) (mass float64, err error) {
	levels, p := newLevels(), paceOf(len(dst))
	next := uint32(0) // the least index that is still possible
	for len(dst) > 0 {
		size := min(1<<p.block, len(dst))
		bg, bl := gaps.lowBits(), levels.lowBits()
		var block [maxBlock]pair
		r.block(block[:size], bg, bl)
		g, l := clipped(block[:size], uint32(1)<<(bg+gaps.clip), uint32(1)<<(bl+levels.clip))
		gaps.learn(g, p)
		levels.learn(l, p)
		if next = place(dst[:size], block[:size], next); next > uint32(vocab) {
			return 0, corrupt("index beyond the vocabulary of %d", vocab)
		}
		if sc.holes {
			fill(block[:size], sc.first)
		}
		m, ok := sc.value(dst[:size], block[:size])
		if !ok {
			return 0, corrupt("level outside the grid")
		}
		mass += m
		dst = dst[size:]
	}
	return mass, nil
}

// block reads pairs with the same low bits, two a load where they surely fit into it.
// Values out of all bounds come as beyond.
func (r *bitReader) block(block []pair, bg, bl uint) {
	const most = 57 // bits of a load
	for len(block) >= 2 && 2*(shortPrefixes+bg+bl) <= most {
		block = block[r.twos(block, bg&15, bl&15):]
		if len(block) > 0 {
			block[0] = r.entry(bg, bl)
			block = block[1:]
		}
	}
	for i := range block {
		block[i] = r.entry(bg, bl)
	}
}

// twos reads pairs of pairs while their prefixes are short and bytes are left for a
// load, and gives the number of pairs.
func (r *bitReader) twos(block []pair, bg, bl uint) int {
	const mask = 1<<shortPrefixes - 1
	maskG, maskL := uint32(1)<<bg-1, uint32(1)<<bl-1
	both := bg + bl
	buf, pos, i := r.buf, r.pos, 0
	for ; i+1 < len(block); i += 2 {
		at := pos >> 3
		if at+8 > uint(len(buf)) {
			break
		}
		v := binary.LittleEndian.Uint64(buf[at:]) >> (pos & 7)
		g := uint(headers[v&mask])
		v >>= g & 15
		w := v >> both
		h := uint(headers[w&mask])
		if g|h >= longPrefix {
			break
		}
		w >>= h & 15
		pos += g&15 + h&15 + 2*both
		block[i] = pair{uint32(g>>4&15<<bg) | uint32(v)&maskG, uint32(g>>8<<bl) | uint32(v>>bg)&maskL}
		block[i+1] = pair{uint32(h>>4&15<<bg) | uint32(w)&maskG, uint32(h>>8<<bl) | uint32(w>>bg)&maskL}
	}
	r.pos = pos
	return i
}

// place turns gaps into indices from next on; sums that exceed beyond stay there.
func place(dst []kernels.Entry, block []pair, next uint32) uint32 {
	sum := uint64(next)
	for i := range dst {
		sum += uint64(block[i].gap)
		dst[i].Index = int32(sum)
		sum++
	}
	return uint32(min(sum, beyond))
}

// fill makes the levels of −Inf such that they lead to the grid's index 0.
func fill(block []pair, first uint32) {
	for i := range block {
		if block[i].level == 0 {
			block[i].level = -first
		}
	}
}

// value looks up levels and sums up their mass; false means a level that is none.
func (sc *scale) value(dst []kernels.Entry, block []pair) (mass float64, ok bool) {
	levels, first := sc.levels, sc.first
	for i := range dst {
		at := first + block[i].level
		if int(at) >= len(levels) {
			return 0, false
		}
		mass += float64(levels[at].mass)
		dst[i].Value = levels[at].log
	}
	return mass, true
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
