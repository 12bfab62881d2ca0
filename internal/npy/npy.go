// Package npy writes arrays as files that numpy.load reads: version 1.0 of its format. It
// knows nothing of what the numbers are.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// ErrArray is returned for data that are no array of the stated type and shape.
var ErrArray = errors.New("not an array")

const (
	magic     = "\x93NUMPY\x01\x00" // version 1.0
	alignment = 64                  // of the numbers in the file
)

// Write writes an array in C order. descr is the type of its numbers in numpy's notation,
// such as <f4, of which the last digits are the bytes of a number.
func Write(w io.Writer, descr string, shape []int, data []byte) error {
	if err := check(descr, shape, len(data)); err != nil {
		return err
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, tuple(shape))
	start := len(magic) + 2
	length := len(dict) + 1
	length += (alignment - (start+length)%alignment) % alignment
	if length > math.MaxUint16 {
		return fmt.Errorf("%w: a shape of %d dimensions", ErrArray, len(shape))
	}
	head := binary.LittleEndian.AppendUint16([]byte(magic), uint16(length))
	head = fmt.Appendf(head, "%-*s\n", length-1, dict)
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// tuple writes a shape as Python does.
func tuple(shape []int) string {
	words := make([]string, len(shape))
	for i, d := range shape {
		words[i] = fmt.Sprint(d)
	}
	if len(shape) == 1 {
		return "(" + words[0] + ",)"
	}
	return "(" + strings.Join(words, ", ") + ")"
}

func check(descr string, shape []int, size int) error {
	var order, kind rune
	var bytes int
	if n, err := fmt.Sscanf(descr, "%c%c%d", &order, &kind, &bytes); n != 3 || err != nil || bytes < 1 || !strings.ContainsRune("<|", order) {
		return fmt.Errorf("%w: numbers of type %q", ErrArray, descr)
	}
	want := bytes
	for _, d := range shape {
		if d < 0 || d > 0 && want > math.MaxInt/d {
			return fmt.Errorf("%w: a shape of %v", ErrArray, shape)
		}
		want *= d
	}
	if size != want {
		return fmt.Errorf("%w: %d bytes where the shape %v of %s takes %d", ErrArray, size, shape, descr, want)
	}
	return nil
}
