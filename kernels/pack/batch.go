package pack

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"axon/internal/float16"
	"axon/kernels"
)

// Limits are what a caller is ready to take; a batch that exceeds one is refused with
// ErrLimit before anything is allocated for it. Zero is no limit beyond the format's.
type Limits struct {
	Vocab   int // tokens of the vocabulary
	Rows    int // rows of a batch
	Entries int // entries of a row
}

// Batch is a parsed batch. Rows decode one by one, in any order; one goroutine at a
// time, since tables are built as they are needed.
type Batch struct {
	params Params
	sp     spacing
	grids  grids
	data   []byte // the rows, and the checksum behind them
	rows   []extent
	reader numberReader
}

// extent is where a row lies in data, and its number of entries.
type extent struct{ from, to, k int }

// Parse checks a batch's header, row lengths and checksum and decodes no row. The batch
// refers to data, which must not change. Errors wrap ErrCorrupt, ErrVersion or ErrLimit.
//
// It allocates at most 24 bytes for each row, of which each has at least 4 in data.
func Parse(data []byte, limits Limits) (*Batch, error) {
	b := new(Batch)
	if err := b.Reset(data, limits); err != nil {
		return nil, err
	}
	return b, nil
}

// Reset is Parse into a batch whose memory and tables are used again. After an error
// the batch has no rows.
func (b *Batch) Reset(data []byte, limits Limits) error {
	b.rows, b.data = b.rows[:0], nil
	if len(data) < len(magic)+2+checkLen || string(data[:len(magic)]) != magic {
		return corrupt("no batch begins like this")
	}
	body := data[:len(data)-checkLen]
	if sum := crc32.Checksum(body, castagnoli); sum != binary.LittleEndian.Uint32(data[len(body):]) {
		return corrupt("checksum does not match")
	}
	if v := body[len(magic)]; v != version {
		return fmt.Errorf("%w: %d, known is %d", ErrVersion, v, version)
	}
	r := fields{rest: body[len(magic)+1:]}
	if err := b.header(&r, limits); err != nil {
		return err
	}
	if err := b.directory(&r, limits); err != nil {
		b.rows = b.rows[:0]
		return err
	}
	b.data = data[len(body)-len(r.rest) : len(data) : len(data)]
	return nil
}

// header reads up to the number of rows.
func (b *Batch) header(r *fields, limits Limits) error {
	mode := Mode(r.byte())
	vocab := r.uvarint()
	sp := Params{}.spacing()
	if mode == Quantised {
		sp = spacing{uint32(min(r.uvarint(), math.MaxUint32)), uint32(min(r.uvarint(), math.MaxUint32))}
	}
	switch {
	case r.bad:
		return corrupt("header is cut off or not minimal")
	case mode >= modes:
		return corrupt("%v is unknown", mode)
	case vocab < 1 || vocab > MaxVocab:
		return corrupt("vocabulary of %d is outside 1 … %d", vocab, MaxVocab)
	case !sp.valid():
		return corrupt("spacing of %d µnat, %d/64 nat is out of range", sp.kl, sp.step)
	case limits.Vocab > 0 && vocab > uint64(limits.Vocab):
		return fmt.Errorf("%w: vocabulary of %d exceeds %d", ErrLimit, vocab, limits.Vocab)
	}
	b.sp = sp
	b.grids.reset(sp)
	b.params = Params{Vocab: int(vocab), Mode: mode}
	if mode == Quantised {
		b.params.KL = float64(sp.kl) / klUnit
		b.params.MaxStep = float64(sp.step) / stepUnit
	}
	return nil
}

// directory reads the rows' extents; what is left must be their bytes, exactly.
func (b *Batch) directory(r *fields, limits Limits) error {
	const least = 4 // bytes: two of the directory, two of a rest
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)/least) {
		return corrupt("%d rows cannot fit into %d bytes", n, len(r.rest))
	}
	if limits.Rows > 0 && n > uint64(limits.Rows) {
		return fmt.Errorf("%w: %d rows exceed %d", ErrLimit, n, limits.Rows)
	}
	b.rows = slices.Grow(b.rows, int(n))
	k, at := 0, 0
	for i := range int(n) {
		delta, size := r.varint(), r.uvarint()
		if r.bad || size > uint64(len(r.rest)) || delta > MaxVocab || delta < -MaxVocab {
			return corrupt("row %d: lengths are cut off, not minimal or too large", i)
		}
		k += int(delta)
		if k < 0 || k > b.params.Vocab || k > b.capacity(int(size)) {
			return corrupt("row %d: %d bytes cannot hold %d of %d tokens", i, size, k, b.params.Vocab)
		}
		if limits.Entries > 0 && k > limits.Entries {
			return fmt.Errorf("%w: row %d has %d entries, more than %d", ErrLimit, i, k, limits.Entries)
		}
		b.rows = append(b.rows, extent{at, at + int(size), k})
		at += int(size)
	}
	if at != len(r.rest) {
		return corrupt("%d bytes of rows where lengths say %d", len(r.rest), at)
	}
	return nil
}

// capacity is the most entries that a row of so many bytes can have, below 0 if it
// cannot be a row.
func (b *Batch) capacity(size int) int {
	const rest16, rest32, lowest = 2, 4, 1 // bytes in front of the entries
	switch {
	case b.params.Mode == Quantised && size <= rest16:
		return size - rest16
	case b.params.Mode == Quantised: // two bits an entry
		return (size - rest16 - lowest) * 4
	case size < rest32:
		return -1
	case b.params.Mode == Float16: // two bytes and a bit
		return (size - rest32) * 8 / 17
	}
	return (size - rest32) * 8 / 33
}

// Params are the batch's, with KL and MaxStep as they were rounded.
func (b *Batch) Params() Params { return b.params }

// Len is the number of rows.
func (b *Batch) Len() int { return len(b.rows) }

// RowBytes is the number of bytes that row i has, without its lengths.
func (b *Batch) RowBytes(i int) int { return b.rows[i].to - b.rows[i].from }

// RowLen is the number of entries of row i.
func (b *Batch) RowLen(i int) int { return b.rows[i].k }

// Row decodes row i into dst, whose entries are used again. After an error, which
// wraps ErrCorrupt, dst holds nothing meaningful. i must be below Len.
func (b *Batch) Row(i int, dst *Row) error {
	x := b.rows[i]
	dst.Entries = slices.Grow(dst.Entries[:0], x.k)[:x.k]
	var err error
	if b.params.Mode == Quantised {
		err = b.quantised(x, dst)
	} else {
		err = b.verbatim(x, dst)
	}
	if err != nil {
		return fmt.Errorf("row %d: %w", i, err)
	}
	return nil
}

// quantised reads the rest, the lowest level and the entries.
func (b *Batch) quantised(x extent, dst *Row) error {
	f := fields{rest: b.data[x.from:x.to]} // its capacity has what follows
	rest, share := restOf(f.uint16())
	dst.Rest = float32(rest)
	if x.k == 0 {
		if len(f.rest) != 0 || f.bad {
			return corrupt("a row of no entries has %d bytes", x.to-x.from)
		}
		return nil
	}
	lowest := f.uvarint()
	g := b.grids.get(x.k)
	if f.bad || lowest == 0 || lowest>>1 >= uint64(len(g.levels)) {
		return corrupt("lowest level %d outside the grid", lowest>>1)
	}
	r, err := b.entries(f, 2*x.k)
	if err != nil {
		return err
	}
	if err := r.indices(dst.Entries, b.params.Vocab); err != nil {
		return err
	}
	sc := newScale(g, uint32(lowest))
	mass, err := r.values(dst.Entries, &sc)
	if err != nil {
		return err
	}
	if err := r.end(); err != nil {
		return err
	}
	normalise(dst.Entries, mass, share)
	return nil
}

// leastMass is the least that is scaled; a rest that leaves less has the code for all.
const leastMass = 1e-30

// normalise scales entries of that mass to one of exp(share). No value ends above 0.
func normalise(entries []kernels.Entry, mass, share float64) {
	shift := float32(0)
	if mass > leastMass && !math.IsInf(share, -1) {
		shift = float32(share - math.Log(mass))
		// No entry has more than all, so only rounding could take one above the share.
		if share < -1e-3 {
			add(entries, shift)
			return
		}
	}
	for i := range entries {
		entries[i].Value = min(entries[i].Value+shift, 0)
	}
}

// add adds to all values.
func add(entries []kernels.Entry, shift float32) {
	for ; len(entries) >= 4; entries = entries[4:] {
		e := (*[4]kernels.Entry)(entries)
		e[0].Value += shift
		e[1].Value += shift
		e[2].Value += shift
		e[3].Value += shift
	}
	for i := range entries {
		entries[i].Value += shift
	}
}

// verbatim reads the rest, the values and the indices.
func (b *Batch) verbatim(x extent, dst *Row) error {
	f := fields{rest: b.data[x.from:x.to]} // its capacity has what follows
	dst.Rest = math.Float32frombits(f.uint32())
	worst := dst.Rest <= Slack
	for i := range dst.Entries {
		v := &dst.Entries[i].Value
		if b.params.Mode == Float32 {
			*v = math.Float32frombits(f.uint32())
		} else {
			*v = float16.To(f.uint16())
		}
		worst = worst && *v <= Slack
	}
	if f.bad || !worst {
		return corrupt("a value is no log-probability")
	}
	r, err := b.entries(f, x.k)
	if err != nil {
		return err
	}
	if err := r.indices(dst.Entries, b.params.Vocab); err != nil {
		return err
	}
	return r.end()
}

// entries reads the prefixes of what is left of a row, which are n.
func (b *Batch) entries(f fields, n int) (*numberReader, error) {
	r := &b.reader
	r.bitReader = bitReader{buf: f.rest[:cap(f.rest)]}
	r.size = len(f.rest)
	return r, r.prefixes(n)
}

// end checks that exactly the row's bytes were read, up to bits of zero.
func (r *numberReader) end() error {
	if !r.align() {
		return corrupt("padding is not zero")
	}
	if r.pos != uint(r.size)*8 {
		return corrupt("entries take %d of %d bytes", r.pos/8, r.size)
	}
	return nil
}

// fields reads whole bytes. Once it is bad, because bytes ended or a number was not
// in its shortest form, it stays so and gives zeros.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) take(n int) []byte {
	if len(f.rest) < n {
		f.bad, f.rest = true, nil
		return make([]byte, 4)[:n]
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

func (f *fields) byte() byte     { return f.take(1)[0] }
func (f *fields) uint16() uint16 { return binary.LittleEndian.Uint16(f.take(2)) }
func (f *fields) uint32() uint32 { return binary.LittleEndian.Uint32(f.take(4)) }

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 || n > 1 && f.rest[n-1] == 0 {
		f.bad, f.rest = true, nil
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

func (f *fields) varint() int64 {
	v := f.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}
