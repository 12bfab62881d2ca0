package rowfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// Writer writes a file of rows from front to back, each chunk in a single Write.
// After an error it writes nothing more. It belongs to one goroutine at a time.
type Writer struct {
	w        io.Writer
	header   *Header
	next     uint64 // row
	sum      uint32 // over the checksums so far
	buf      []byte
	finished bool
	err      error
}

// NewWriter writes the header.
func NewWriter(w io.Writer, h *Header) (*Writer, error) {
	b, err := h.encode()
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	own := *h
	return &Writer{w: w, header: &own, sum: chain(0, b[len(b)-crcLen:])}, nil
}

// chain takes a chunk's checksum into the one over all of them.
func chain(sum uint32, crc []byte) uint32 { return crc32.Update(sum, castagnoli, crc) }

// Header is the file's, which must not be changed. That of a file that [Open]
// found may differ from the wanted one as far as Differences passes over.
func (w *Writer) Header() *Header { return w.header }

// Next is the first row that has not been written.
func (w *Writer) Next() uint64 { return w.next }

// Finished reports whether the file has its end.
func (w *Writer) Finished() bool { return w.finished }

// Append writes the next rows as one chunk: the tokens that came at their
// positions, and a batch of package pack with a row for each.
func (w *Writer) Append(targets []Target, batch []byte) error {
	if w.err != nil {
		return w.err
	}
	c := head{kind: kindRows, rows: uint32(len(targets)), first: w.next, size: uint32(targetLen*len(targets) + len(batch))}
	if fault := c.fault(w.header, w.next); fault != "" || w.finished {
		return fmt.Errorf("%w: %s", ErrRows, fault)
	}
	b := c.encode(w.buf[:0])
	for _, t := range targets {
		if fault := t.fault(w.header.Vocab); fault != "" {
			return fmt.Errorf("%w: %s", ErrRows, fault)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Token))
	}
	for _, t := range targets {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(t.LogProb))
	}
	if err := w.write(append(b, batch...)); err != nil {
		return err
	}
	w.next += uint64(len(targets))
	return nil
}

// Finish writes the end once all rows are there.
func (w *Writer) Finish() error {
	if w.err != nil || w.finished {
		return w.err
	}
	c := head{kind: kindEnd, first: w.next, size: crcLen}
	if fault := c.fault(w.header, w.next); fault != "" {
		return fmt.Errorf("%w: %s", ErrRows, fault)
	}
	if err := w.write(binary.LittleEndian.AppendUint32(c.encode(w.buf[:0]), w.sum)); err != nil {
		return err
	}
	w.finished = true
	return nil
}

// write completes a chunk with its checksum and writes it.
func (w *Writer) write(b []byte) error {
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	w.buf = b
	if _, w.err = w.w.Write(b); w.err == nil {
		w.sum = chain(w.sum, b[len(b)-crcLen:])
	}
	return w.err
}
