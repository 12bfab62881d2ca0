package engine

import (
	"strings"
	"unicode/utf8"
)

// textStream turns pieces into text that may be shown: whole UTF-8 characters,
// nothing that may yet become a stop string, nothing from a stop string on.
type textStream struct {
	stops []string
	held  []byte // not shown yet
	text  strings.Builder
}

// push adds a piece and returns what may be shown now, and whether a stop
// string was completed.
func (t *textStream) push(piece []byte) (show string, stopped bool) {
	t.held = append(t.held, piece...)
	if i := t.stopAt(); i >= 0 {
		show = string(t.held[:i])
		t.held = nil
		t.text.WriteString(show)
		return show, true
	}
	n := len(t.held) - max(t.partialStop(), incompleteRune(t.held))
	show = string(t.held[:n])
	t.held = append(t.held[:0], t.held[n:]...)
	t.text.WriteString(show)
	return show, false
}

// flush shows what was held back, at the end of a generation.
func (t *textStream) flush() string {
	show := string(t.held)
	t.held = nil
	t.text.WriteString(show)
	return show
}

// stopAt is where the first stop string starts, or -1.
func (t *textStream) stopAt() int {
	first := -1
	for _, s := range t.stops {
		if i := strings.Index(string(t.held), s); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

// partialStop is the length of the longest end of the text that starts a stop
// string.
func (t *textStream) partialStop() int {
	longest := 0
	for _, s := range t.stops {
		for n := min(len(s)-1, len(t.held)); n > longest; n-- {
			if string(t.held[len(t.held)-n:]) == s[:n] {
				longest = n
			}
		}
	}
	return longest
}

// incompleteRune is the number of bytes at the end that begin a UTF-8
// character and do not finish it.
func incompleteRune(b []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(b)); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
