package rowfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels/pack"
)

// repair makes the checksums of what looks like a file right, so that what they
// protect is looked at.
func repair(b []byte) {
	put := func(from, to int) {
		if from >= 0 && to+crcLen <= len(b) {
			binary.LittleEndian.PutUint32(b[to:], crc32.Checksum(b[from:to], castagnoli))
		}
	}
	if len(b) < prefixLen {
		return
	}
	at := prefixLen + int(min(binary.LittleEndian.Uint32(b[len(magic)+4:]), maxHeader))
	put(0, at)
	sum := uint32(0)
	for at += crcLen; at+headLen <= len(b); {
		if at+crcLen <= len(b) {
			sum = chain(sum, b[at-crcLen:at])
		}
		put(at, at+headLen-crcLen)
		c, _ := decodeHead(b[at:])
		end := at + headLen + int(c.size)
		if c.size > maxChunk || end+crcLen > len(b) {
			return
		}
		if c.kind == kindEnd && c.size == crcLen {
			binary.LittleEndian.PutUint32(b[at+headLen:], sum)
		} else if batch := at + headLen + targetLen*int(min(c.rows, 1<<20)); end-crcLen > batch {
			put(batch, end-crcLen)
		}
		put(at, end)
		at = end + crcLen
	}
}

// FuzzRead reads anything: it ends with io.EOF or a typed error, in memory bounded by
// what there is to read, and what it gives is what a writer could have written.
func FuzzRead(f *testing.F) {
	for _, mode := range []pack.Mode{pack.Float32, pack.Float16, pack.Quantised} {
		h := testHeader()
		h.Mode, h.Tokens = mode.String(), 20
		data := testFile(f, h)
		f.Add(data, uint16(7))
		f.Add(data[:len(data)-20], uint16(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, seek uint16) {
		b := bytes.Clone(data)
		repair(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			requireTyped(t, err)
			return
		}
		rows, err := checkRows(t, r, 0)
		requireTyped(t, err)
		if errors.Is(err, io.EOF) {
			require.Equal(t, r.Header().Rows(), rows)
		}
		if err := r.Seek(uint64(seek)); err == nil {
			_, err = checkRows(t, r, uint64(seek))
			requireTyped(t, err)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20+1000*len(b)))
	})
}

func checkRows(t *testing.T, r *Reader, next uint64) (uint64, error) {
	var row Row
	for ; ; next++ {
		if err := r.Read(&row); err != nil {
			return next, err
		}
		require.Equal(t, next, row.Position)
		require.Empty(t, row.Target.fault(r.Header().Vocab))
		require.LessOrEqual(t, len(row.Top.Entries), r.Header().K)
		last := int32(-1)
		for _, e := range row.Top.Entries {
			require.Greater(t, e.Index, last)
			require.Less(t, int(e.Index), r.Header().Vocab)
			last = e.Index
		}
	}
}

func requireTyped(t *testing.T, err error) {
	var at *Error
	if !errors.Is(err, io.EOF) {
		require.ErrorAs(t, err, &at)
	}
}
