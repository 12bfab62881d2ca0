package rowfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"axon/kernels/pack"
)

// Reader reads a file of rows from front to back, and forward in leaps where its
// source can seek. It holds one chunk at a time. It belongs to one goroutine.
type Reader struct {
	src    *source
	header *Header
	params pack.Params
	body   place // behind the header

	place
	err error // once set, reading is over

	chunk Chunk
	buf   []byte
	batch *pack.Batch // of chunk; nil: not parsed
	at    int         // the next row of chunk
}

// place is a point between two chunks.
type place struct {
	offset int64
	next   uint64 // row
	sum    uint32 // over the checksums before
}

// Chunk is a run of rows as they lie in the file. It is valid until the next call.
type Chunk struct {
	First   uint64   // the first row
	Targets []Target // the token that came after the position of each row
	Batch   []byte   // the rows, for package pack
}

// Row is the distribution after one token of the text.
type Row struct {
	// Position is that of the last token that the row was computed from; the row is
	// about the token behind it.
	Position uint64
	Target   Target
	Top      pack.Row
}

// NewReader reads the header. The source may be a pipe; one that can seek is not
// read where rows are passed over.
func NewReader(r io.Reader) (*Reader, error) {
	src := newSource(r)
	h, sum, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	params, err := h.Params()
	if err != nil {
		return nil, err
	}
	start := place{offset: src.offset, sum: chain(0, binary.LittleEndian.AppendUint32(nil, sum))}
	return &Reader{src: src, header: h, params: params, body: start, place: start}, nil
}

// Header is the file's, which must not be changed.
func (r *Reader) Header() *Header { return r.header }

// Offset is the number of bytes of the header and the whole chunks read so far.
func (r *Reader) Offset() int64 { return r.offset }

// Next reads the next chunk without looking into its batch. At the end of a
// finished file it returns io.EOF; any other error is one of the system's, or an
// [*Error].
func (r *Reader) Next() (*Chunk, error) {
	if r.err != nil {
		return nil, r.err
	}
	r.clear()
	var err error
	if _, err = r.advance(func(head) bool { return true }); err != nil {
		r.err = err
		return nil, err
	}
	return &r.chunk, nil
}

// clear forgets the current chunk and keeps its memory.
func (r *Reader) clear() {
	r.batch, r.chunk, r.at = nil, Chunk{First: r.next, Targets: r.chunk.Targets[:0]}, 0
}

// advance goes over one chunk, into r.chunk if it is wanted. The place changes only
// when the chunk is whole.
func (r *Reader) advance(want func(head) bool) (taken bool, err error) {
	b, err := r.src.grow(r.buf[:0], headLen)
	if err != nil {
		return false, r.cut(err, len(b) == 0)
	}
	r.buf = b
	c, ok := decodeHead(b)
	if !ok {
		return false, r.corrupt("checksum of a chunk's head does not match")
	}
	if fault := c.fault(r.header, r.next); fault != "" {
		return false, r.corrupt(fault)
	}
	if c.kind == kindEnd {
		return false, r.end()
	}
	if taken = want(c); !taken {
		return false, r.pass(c)
	}
	return true, r.take(c)
}

// pass leaps over a chunk's contents; its checksum is only taken into that of all.
func (r *Reader) pass(c head) error {
	if err := r.src.skip(int64(c.size)); err != nil {
		return r.cut(err, false)
	}
	crc, err := r.src.grow(r.buf[:0], crcLen)
	if err != nil {
		return r.cut(err, false)
	}
	r.moveOn(c, crc)
	return nil
}

// take reads a chunk, whose head is in the buffer.
func (r *Reader) take(c head) error {
	b, err := r.src.grow(r.buf, int(c.size)+crcLen)
	if err != nil {
		return r.cut(err, false)
	}
	r.buf = b
	body, crc := b[:len(b)-crcLen], b[len(b)-crcLen:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(crc) {
		return r.corrupt("checksum of a chunk does not match")
	}
	n := int(c.rows)
	targets := decodeTargets(slices.Grow(r.chunk.Targets[:0], n), body[headLen:], n)
	for _, t := range targets {
		if fault := t.fault(r.header.Vocab); fault != "" {
			return r.corrupt(fault)
		}
	}
	r.chunk = Chunk{First: c.first, Targets: targets, Batch: body[headLen+targetLen*n:]}
	r.moveOn(c, crc)
	return nil
}

func (r *Reader) moveOn(c head, crc []byte) {
	r.place = place{offset: r.src.offset, next: r.next + uint64(c.rows), sum: chain(r.sum, crc)}
}

// end checks the last chunk, whose head is in the buffer, and that nothing follows.
func (r *Reader) end() error {
	b, err := r.src.grow(r.buf, 2*crcLen)
	if err != nil {
		return r.cut(err, false)
	}
	body := b[:headLen+crcLen]
	switch {
	case crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]):
		return r.corrupt("checksum of the end does not match")
	case binary.LittleEndian.Uint32(body[headLen:]) != r.sum:
		return r.corrupt("checksum over all chunks does not match")
	}
	offset := r.src.offset
	if n, err := r.src.fill(make([]byte, 1)); n > 0 {
		return r.corrupt("bytes follow the end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	r.offset = offset
	return io.EOF
}

func (r *Reader) corrupt(text string) error {
	return &Error{Kind: ErrCorrupt, Offset: r.offset, Row: r.next, Text: text}
}

// cut is the error for a source that ended, or failed, before a chunk was whole.
func (r *Reader) cut(err error, between bool) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	text := "it ends within a chunk"
	if between && errors.Is(err, io.EOF) {
		text = "it ends without the last chunk"
	}
	return &Error{Kind: ErrUnfinished, Offset: r.offset, Row: r.next, Text: text}
}

// Read decodes the next row into dst, whose memory is used again. At the end of a
// finished file it returns io.EOF; any other error is one of the system's, or an
// [*Error].
func (r *Reader) Read(dst *Row) error {
	for r.at >= len(r.chunk.Targets) {
		if _, err := r.Next(); err != nil {
			return err
		}
	}
	if err := r.parse(); err != nil {
		return err
	}
	dst.Position, dst.Target = r.chunk.First+uint64(r.at), r.chunk.Targets[r.at]
	if err := r.batch.Row(r.at, &dst.Top); err != nil {
		return r.badBatch(dst.Position, err.Error())
	}
	r.at++
	return nil
}

// parse looks into the batch of the current chunk.
func (r *Reader) parse() error {
	if r.batch != nil {
		return nil
	}
	limits := pack.Limits{Vocab: r.header.Vocab, Rows: len(r.chunk.Targets), Entries: r.header.K}
	b, err := pack.Parse(r.chunk.Batch, limits)
	switch {
	case err != nil:
		return r.badBatch(r.chunk.First, err.Error())
	case b.Len() != len(r.chunk.Targets):
		return r.badBatch(r.chunk.First, fmt.Sprintf("a batch of %d rows for %d tokens", b.Len(), len(r.chunk.Targets)))
	case b.Params().Vocab != r.params.Vocab || b.Params().Mode != r.params.Mode:
		return r.badBatch(r.chunk.First, "a batch of another vocabulary or mode than the file's")
	}
	r.batch = b
	return nil
}

func (r *Reader) badBatch(row uint64, text string) error {
	r.err = &Error{Kind: ErrCorrupt, Offset: r.offset - int64(headLen+targetLen*len(r.chunk.Targets)+len(r.chunk.Batch)+crcLen), Row: row, Text: text}
	return r.err
}

// Seek makes row the next that Read gives. It looks at the heads of the chunks
// between, and goes back only where the source can. Seek to the number of rows of a
// finished file makes Read return io.EOF.
func (r *Reader) Seek(row uint64) error {
	if from := r.chunk.First; row >= from && row < from+uint64(len(r.chunk.Targets)) {
		r.at = int(row - from)
		return nil
	}
	if row < r.next {
		if err := r.rewind(); err != nil {
			return err
		}
	}
	if errors.Is(r.err, io.EOF) && row == r.next {
		return nil
	}
	if r.err != nil {
		return r.err
	}
	r.clear()
	for r.next <= row {
		taken, err := r.advance(func(c head) bool { return row < c.first+uint64(c.rows) })
		if errors.Is(err, io.EOF) && row == r.next {
			r.err = err
			return nil
		}
		if err != nil {
			r.err = err
			return err
		}
		if taken {
			r.at = int(row - r.chunk.First)
		}
	}
	return nil
}

func (r *Reader) rewind() error {
	if r.src.seeker == nil {
		return fmt.Errorf("cannot go back in a pipe: %w", errors.ErrUnsupported)
	}
	if err := r.src.seek(r.body.offset); err != nil {
		return err
	}
	r.place, r.err, r.chunk, r.batch, r.at = r.body, nil, Chunk{}, nil, 0
	return nil
}
