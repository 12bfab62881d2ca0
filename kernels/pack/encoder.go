package pack

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	"axon/kernels"
)

// A batch begins with magic and version and ends with the checksum, in any version.
const (
	magic    = "AXPK"
	version  = 1
	checkLen = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encoder packs rows into batches, one at a time. It may be used for any number of
// batches, by one goroutine at a time; what it allocates it keeps.
type Encoder struct {
	params  Params
	sp      spacing
	grids   grids
	pairs   []pair
	rows    bitWriter
	lengths []byte // the directory: of each row, what differs from the last one's k, and its bytes
	count   int
	lastK   int
}

// NewEncoder returns an encoder of batches with these parameters, or ErrParams.
func NewEncoder(p Params) (*Encoder, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	e := &Encoder{params: p, sp: p.spacing()}
	e.grids.reset(e.sp)
	return e, nil
}

// Len is the number of rows added since the last batch.
func (e *Encoder) Len() int { return e.count }

// Add appends a row to the batch that is being built. It does not keep the row. A row
// that is refused, with ErrRow, leaves the batch as it was.
//
// The indices must ascend strictly within the vocabulary; log-probabilities and rest
// must be numbers of at most Slack, which count as 0 above it. A quantised row must
// have a mass of 1, entries and rest together, to within what [MassTolerance] gives.
func (e *Encoder) Add(row Row) error {
	start := len(e.rows.buf)
	if err := e.check(row); err != nil {
		return err
	}
	var err error
	if e.params.Mode == Quantised {
		err = e.quantised(row)
	} else {
		err = e.verbatim(row)
	}
	if err != nil {
		e.rows.buf = e.rows.buf[:start]
		return err
	}
	e.lengths = binary.AppendVarint(e.lengths, int64(len(row.Entries)-e.lastK))
	e.lengths = binary.AppendUvarint(e.lengths, uint64(len(e.rows.buf)-start))
	e.lastK = len(row.Entries)
	e.count++
	return nil
}

// check refuses what no mode can express, and turns indices into gaps.
func (e *Encoder) check(row Row) error {
	if k := len(row.Entries); k > e.params.Vocab {
		return badRow("%d entries exceed the vocabulary of %d", k, e.params.Vocab)
	}
	if !(row.Rest <= Slack) {
		return badRow("rest %v is not the log of a mass", row.Rest)
	}
	e.pairs = slices.Grow(e.pairs[:0], len(row.Entries))[:len(row.Entries)]
	pairs := e.pairs
	next, vocab := uint32(0), uint32(e.params.Vocab)
	for i := range row.Entries {
		index := uint32(row.Entries[i].Index)
		gap := index - next
		if gap >= vocab || index >= vocab { // also when it is below next: the difference wraps
			return e.badIndex(row.Entries, i)
		}
		pairs[i].gap = gap
		next = index + 1
	}
	return nil
}

func (e *Encoder) badIndex(entries []kernels.Entry, i int) error {
	index := entries[i].Index
	if index < 0 || int(index) >= e.params.Vocab {
		return badRow("index %d of entry %d is outside the vocabulary of %d", index, i, e.params.Vocab)
	}
	return badRow("index %d of entry %d follows %d: indices must ascend", index, i, entries[i-1].Index)
}

// MassTolerance is how far the mass of a quantised row may be from 1: two hundredths,
// and what the quantiser itself may change.
func (p Params) MassTolerance() float64 {
	t := float64(p.spacing().kl) / klUnit
	return 0.02 + 1.25*math.Sqrt(6*t) + 3*t
}

func (e *Encoder) quantised(row Row) error {
	q, err := e.quantise(e.grids.get(len(row.Entries)), row.Entries)
	if err != nil {
		return err
	}
	rest := float64(row.Rest)
	if off := q.mass + math.Exp(rest) - 1; math.Abs(off) > e.params.MassTolerance() {
		return badRow("its mass is off by %.3g: entries have %.4g, the rest %.4g", off, q.mass, math.Exp(rest))
	}
	buf := binary.LittleEndian.AppendUint16(e.rows.buf, restCode(rest))
	number, base := q.number(e.pairs)
	if len(row.Entries) > 0 {
		buf = binary.AppendUvarint(buf, number)
	}
	e.rows.reset(buf)
	e.rows.entries(e.pairs, base, newGaps(e.params.Vocab, len(row.Entries)))
	e.rows.buf = e.rows.bytes()
	return nil
}

// quantised are the facts about a row's levels.
type quantised struct {
	lowest uint32  // the lowest finite level, 0 if there is none
	holes  bool    // there is −Inf, as level 0
	mass   float64 // what they decode to
}

// quantise sets the pairs' levels, absolute ones so far.
func (e *Encoder) quantise(g *grid, entries []kernels.Entry) (q quantised, err error) {
	pairs, levels := e.pairs[:len(entries)], g.levels
	lowest, mass := ^uint32(0), 0.0
	for i := range entries {
		l := entries[i].Value
		if !(l <= 0 && l >= Floor) {
			if !(l <= Slack) {
				return q, badRow("log-probability %v of entry %d is not one", l, i)
			}
			if l < -math.MaxFloat32 {
				pairs[i].level = 0
				q.holes = true
				continue
			}
			l = max(min(l, 0), Floor)
		}
		lev := g.of(l)
		pairs[i].level = lev
		lowest = min(lowest, lev)
		mass += float64(levels[lev].mass)
	}
	q.mass = mass
	if q.lowest = lowest; lowest == ^uint32(0) {
		q.lowest = 0
	}
	return q, nil
}

// number says what the levels are relative to, and base is what to subtract: the
// lowest one's index, or the one below in a row with −Inf, which takes that place.
func (q quantised) number(pairs []pair) (number uint64, base uint32) {
	if !q.holes {
		return uint64(q.lowest) << 1, q.lowest
	}
	base = q.lowest - 1
	for i := range pairs {
		if pairs[i].level == 0 {
			pairs[i].level = base
		}
	}
	return uint64(q.lowest)<<1 | 1, base
}

// verbatim appends rest, values, and then the gaps.
func (e *Encoder) verbatim(row Row) error {
	buf := binary.LittleEndian.AppendUint32(e.rows.buf, math.Float32bits(row.Rest))
	for i, en := range row.Entries {
		if !(en.Value <= Slack) {
			return badRow("log-probability %v of entry %d is not one", en.Value, i)
		}
		if e.params.Mode == Float32 {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(en.Value))
			continue
		}
		h := toHalf(en.Value)
		if h == 0xfc00 && !math.IsInf(float64(en.Value), -1) {
			return badRow("log-probability %v of entry %d is beyond float16", en.Value, i)
		}
		buf = binary.LittleEndian.AppendUint16(buf, h)
	}
	e.rows.reset(buf)
	e.rows.indices(e.pairs, newGaps(e.params.Vocab, len(row.Entries)))
	e.rows.buf = e.rows.bytes()
	return nil
}

// Batch appends the finished batch to dst and begins another. A batch of no rows is one.
func (e *Encoder) Batch(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, version, byte(e.params.Mode))
	dst = binary.AppendUvarint(dst, uint64(e.params.Vocab))
	if e.params.Mode == Quantised {
		dst = binary.AppendUvarint(dst, uint64(e.sp.kl))
		dst = binary.AppendUvarint(dst, uint64(e.sp.step))
	}
	dst = binary.AppendUvarint(dst, uint64(e.count))
	dst = append(dst, e.lengths...)
	dst = append(dst, e.rows.buf...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	e.rows.buf, e.lengths, e.count, e.lastK = e.rows.buf[:0], e.lengths[:0], 0, 0
	return dst
}
