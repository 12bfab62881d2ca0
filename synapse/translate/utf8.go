package translate

import (
	"strings"
	"unicode/utf8"
)

const replacement = string(utf8.RuneError)

// validUTF8 reads bytes as the reference does: each maximal part of what is not
// UTF-8 becomes one U+FFFD.
func validUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		n, valid := character(b)
		if valid {
			s.Write(b[:n])
		} else {
			s.WriteString(replacement)
		}
		b = b[n:]
	}
	return s.String()
}

// character is the number of bytes of the first character, or of the first
// maximal part of one: the longest start of b that begins some character, at
// least one byte (Unicode 15, section 3.9, table 3-7).
func character(b []byte) (n int, valid bool) {
	if _, n := utf8.DecodeRune(b); n > 1 || b[0] < utf8.RuneSelf {
		return n, true
	}
	low, high, width := byte(0x80), byte(0xBF), 4
	switch c := b[0]; {
	case c < 0xC2 || c > 0xF4:
		return 1, false
	case c == 0xE0:
		low, width = 0xA0, 3
	case c == 0xED:
		high, width = 0x9F, 3
	case c == 0xF0:
		low = 0x90
	case c == 0xF4:
		high = 0x8F
	case c < 0xE0:
		width = 2
	case c < 0xF0:
		width = 3
	}
	for n = 1; n < min(width, len(b)) && low <= b[n] && b[n] <= high; n++ {
		low, high = 0x80, 0xBF
	}
	return n, false
}
