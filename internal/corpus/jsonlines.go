package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

const (
	// maxLine bounds a line of JSON, which has to be held whole.
	maxLine = 16 << 20
	// lineStep is how much of a file is read at once in search of a line's ends.
	lineStep = 8 << 10
)

var errLong = fmt.Errorf("%w: longer than the limit of %d bytes; split its text", ErrLine, maxLine)

// lineAt finds the line that holds the byte at an offset, among the bytes of a file from
// begin to end. A line's end belongs to it, and is not part of what is returned. Of a line
// that is too long start may be a byte within.
func lineAt(r io.ReaderAt, begin, end, offset int64) (line []byte, start int64, err error) {
	start, err = lineStart(r, begin, offset)
	if err != nil {
		return nil, start, err
	}
	for at := start; at < end; {
		n := int(min(int64(lineStep+len(line)), int64(maxLine+1-len(line)), end-at)) // doubles
		line = slices.Grow(line, n)
		chunk := line[len(line) : len(line)+n]
		if err := readAt(r, chunk, at); err != nil {
			return nil, start, err
		}
		i := bytes.IndexByte(chunk, '\n')
		if i >= 0 {
			n = i
		}
		if line, at = line[:len(line)+n], at+int64(n); len(line) > maxLine {
			return nil, start, errLong
		}
		if i >= 0 {
			break
		}
	}
	return line, start, nil
}

// lineStart goes back to where the line begins.
func lineStart(r io.ReaderAt, begin, offset int64) (int64, error) {
	chunk := make([]byte, lineStep)
	for at := offset; at > begin; {
		n := min(lineStep, at-begin)
		if err := readAt(r, chunk[:n], at-n); err != nil {
			return at, err
		}
		if i := bytes.LastIndexByte(chunk[:n], '\n'); i >= 0 {
			return at - n + int64(i) + 1, nil
		}
		if at -= n; offset-at > maxLine {
			return at, errLong
		}
	}
	return begin, nil
}

// readAt fills b. A file that ends before has been cut.
func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends at byte %d", ErrChanged, offset+int64(n))
	}
	return err
}

// nextLine reads a line of a stream without its end, and says how many bytes it took with
// it. Of a line that is too long nothing is kept. The error is io.EOF when there is none.
func nextLine(r *bufio.Reader) (line []byte, size int64, err error) {
	for {
		chunk, err := r.ReadSlice('\n')
		size += int64(len(chunk))
		if size <= maxLine+1 {
			line = append(line, chunk...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || size == 0):
			return nil, size, err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if size > maxLine+1 || len(line) > maxLine {
			return nil, size, errLong
		}
		return line, size, nil
	}
}

// lineText gives the text of a line, which is empty for a blank line. All fields are read,
// and one after the other: many of them are no reason to hold many things.
func lineText(line []byte, field string) ([]byte, error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil, nil
	}
	if !utf8.Valid(line) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrLine)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: it is no JSON object", ErrLine)
	}
	value, err := findField(d, field)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLine, err)
	}
	if value == nil {
		return nil, fmt.Errorf("%w: it has no field %q; name the one that holds the text", ErrLine, field)
	}
	var text *string
	if err := json.Unmarshal(value, &text); err != nil || text == nil {
		return nil, fmt.Errorf("%w: its field %q is no string", ErrLine, field)
	}
	return []byte(*text), nil
}

// findField reads the rest of an object and gives the value of a field, nil if there is
// none; the last one if it comes several times, as decoders mostly have it.
func findField(d *json.Decoder, field string) (value json.RawMessage, err error) {
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		if name == field {
			value = v
		}
	}
	if _, err := d.Token(); err != nil { // the object's end
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return value, nil
}
