package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// header encodes everything before the tensor data. A bufio.Writer keeps its
// first error, which the caller sees at Flush.
func encodeHeader(w *bufio.Writer, m *Model, offsets []uint64) error {
	_, _ = w.WriteString(magic)
	putU32(w, 3)
	putU64(w, uint64(len(m.Tensors)))
	putU64(w, uint64(len(m.KVs)))
	for _, kv := range m.KVs {
		putString(w, kv.Key)
		if err := putValue(w, kv.Value); err != nil {
			return fmt.Errorf("key %s: %w", kv.Key, err)
		}
	}
	for i, t := range m.Tensors {
		putString(w, t.Name)
		putU32(w, uint32(len(t.Dims)))
		for _, d := range t.Dims {
			putU64(w, uint64(d))
		}
		putU32(w, uint32(t.Type))
		putU64(w, offsets[i])
	}
	return nil
}

func putValue(w *bufio.Writer, v any) error {
	t, elem, ok := TypeOf(v)
	if !ok {
		return fmt.Errorf("%w: GGUF has no type for a Go %T", ErrMalformed, v)
	}
	putU32(w, uint32(t))
	if t == TypeArray {
		putU32(w, uint32(elem))
		putU64(w, uint64(Len(v)))
	}
	switch s := v.(type) {
	case string:
		putString(w, s)
	case []string:
		for _, one := range s {
			putString(w, one)
		}
	default:
		return binary.Write(w, binary.LittleEndian, v)
	}
	return nil
}

func putU32(w *bufio.Writer, v uint32) {
	_, _ = w.Write(binary.LittleEndian.AppendUint32(nil, v))
}

func putU64(w *bufio.Writer, v uint64) {
	_, _ = w.Write(binary.LittleEndian.AppendUint64(nil, v))
}

func putString(w *bufio.Writer, s string) {
	putU64(w, uint64(len(s)))
	_, _ = w.WriteString(s)
}

var zeros [4096]byte

func putZeros(w io.Writer, n int64) error {
	for n > 0 {
		k := min(n, int64(len(zeros)))
		if _, err := w.Write(zeros[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}
