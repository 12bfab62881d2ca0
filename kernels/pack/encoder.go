package pack

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	"axon/internal/float16"
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
	params        Params
	sp            spacing
	grids         grids
	gaps, levels  []uint16
	wide, wider   []uint32  // gaps and levels of rows where 16 bits are too few
	halves, roots []float32 // of log-probabilities: half of them, and exp of that
	holes         bool      // a value is −Inf
	far           bool      // a gap has more than 15 bits
	out           numberWriter
	rows          []byte
	lengths       []byte // the directory: of each row, what differs from the last one's k, and its bytes
	count         int
	lastK         int
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
	start := len(e.rows)
	if err := e.split(row); err != nil {
		return err
	}
	var err error
	if e.params.Mode == Quantised {
		err = e.quantised(row)
	} else {
		err = e.verbatim(row)
	}
	if err != nil {
		e.rows = e.rows[:start]
		return err
	}
	e.lengths = binary.AppendVarint(e.lengths, int64(len(row.Entries)-e.lastK))
	e.lengths = binary.AppendUvarint(e.lengths, uint64(len(e.rows)-start))
	e.lastK = len(row.Entries)
	e.count++
	return nil
}

// split refuses what no mode can express, and turns indices into gaps and values into
// their halves, as if all were between Floor and 0.
func (e *Encoder) split(row Row) error {
	k := len(row.Entries)
	if k > e.params.Vocab {
		return badRow("%d entries exceed the vocabulary of %d", k, e.params.Vocab)
	}
	if !(row.Rest <= Slack) {
		return badRow("rest %v is not the log of a mass", row.Rest)
	}
	e.gaps, e.halves = resize(e.gaps, k), resize(e.halves, k)
	gaps, halves := e.gaps[:len(row.Entries)], e.halves[:len(row.Entries)]
	e.holes = false
	floorBits := math.Float32bits(-Floor)
	all := uint32(0)
	next, vocab := uint32(0), uint32(e.params.Vocab)
	for i := range row.Entries {
		index, l := uint32(row.Entries[i].Index), row.Entries[i].Value
		gap := index - next
		if gap >= vocab || index >= vocab { // also when it is below next: the difference wraps
			return e.badIndex(row.Entries, i)
		}
		if math.Float32bits(l)-1<<31 > floorBits { // above 0 or, also +0, below Floor
			if !(l <= Slack) {
				return badRow("log-probability %v of entry %d is not one", l, i)
			}
			e.holes = e.holes || l < -math.MaxFloat32
			l = max(min(l, 0), Floor)
		}
		gaps[i], halves[i] = uint16(gap), l*0.5
		all |= gap
		next = index + 1
	}
	e.far = all >= 1<<15
	return nil
}

// resize gives n elements of any value.
func resize[T any](x []T, n int) []T { return slices.Grow(x[:0], n)[:n] }

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
	k := len(row.Entries)
	e.roots = resize(e.roots, k)
	kernels.Exp(e.roots, e.halves, 0)
	levels, lowest, mass := e.levelsOf(e.grids.get(k), row.Entries)
	rest := float64(row.Rest)
	if off := mass + math.Exp(rest) - 1; math.Abs(off) > e.params.MassTolerance() {
		return badRow("its mass is off by %.3g: entries have %.4g, the rest %.4g", off, mass, math.Exp(rest))
	}
	e.rows = binary.LittleEndian.AppendUint16(e.rows, restCode(rest))
	if k == 0 {
		return nil
	}
	e.rows = binary.AppendUvarint(e.rows, lowest)
	e.out.begin(e.rows)
	e.out.numbers(e.gapsOf(row.Entries), newGaps(e.params.Vocab, k))
	e.out.numbers(levels, newLevels(k))
	e.rows = e.out.end()
	return nil
}

// gapsOf are those of the row that was split.
func (e *Encoder) gapsOf(entries []kernels.Entry) numbers {
	if !e.far {
		return numbers{narrow: e.gaps}
	}
	e.wide = resize(e.wide, len(entries))
	next := int32(0)
	for i := range entries {
		e.wide[i] = uint32(entries[i].Index - next)
		next = entries[i].Index + 1
	}
	return numbers{wide: e.wide}
}

// levelsOf are those of the row that was split, with the number that says what they are
// relative to, and the mass of the row.
func (e *Encoder) levelsOf(g *grid, entries []kernels.Entry) (x numbers, lowest uint64, mass float64) {
	if g.narrow() {
		e.levels = resize(e.levels, len(entries))
		mass, lowest := quantise(g, e.levels, e.halves, e.roots)
		number, base := uint64(lowest)<<1, uint16(lowest)
		if e.holes {
			number, base = dig(e.levels, entries)
		}
		return numbers{narrow: e.levels, base: base}, number, mass
	}
	e.wider = resize(e.wider, len(entries))
	mass, low := quantise(g, e.wider, e.halves, e.roots)
	number, base := uint64(low)<<1, low
	if e.holes {
		number, base = dig(e.wider, entries)
	}
	for i := range e.wider {
		e.wider[i] -= base
	}
	return numbers{wide: e.wider}, number, mass
}

// dig puts −Inf right below the lowest of the other levels, at base. Where there is no
// other, that wraps.
func dig[T uint16 | uint32](levels []T, entries []kernels.Entry) (number uint64, base T) {
	lowest := ^T(0)
	for i, x := range entries {
		if x.Value >= -math.MaxFloat32 {
			lowest = min(lowest, levels[i])
		}
	}
	if lowest == ^T(0) {
		lowest = 0
	}
	for i, x := range entries {
		if x.Value < -math.MaxFloat32 {
			levels[i] = lowest - 1
		}
	}
	return uint64(lowest)<<1 | 1, lowest - 1
}

// verbatim appends rest, values, and then the gaps.
func (e *Encoder) verbatim(row Row) error {
	buf := binary.LittleEndian.AppendUint32(e.rows, math.Float32bits(row.Rest))
	for i, en := range row.Entries {
		if e.params.Mode == Float32 {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(en.Value))
			continue
		}
		h := float16.From(en.Value)
		if h == 0xfc00 && !math.IsInf(float64(en.Value), -1) {
			return badRow("log-probability %v of entry %d is beyond float16", en.Value, i)
		}
		buf = binary.LittleEndian.AppendUint16(buf, h)
	}
	e.out.begin(buf)
	e.out.numbers(e.gapsOf(row.Entries), newGaps(e.params.Vocab, len(row.Entries)))
	e.rows = e.out.end()
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
	dst = append(dst, e.rows...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	e.rows, e.lengths, e.count, e.lastK = e.rows[:0], e.lengths[:0], 0, 0
	return dst
}
