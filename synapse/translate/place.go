package translate

import (
	"sort"
	"strings"
)

// textEnds are the places in the text of tokens at which each of them ends, in
// bytes. The text is that of [validUTF8].
func textEnds(v Vocabulary, tokens []int32) []int {
	var raw []byte
	ends := make([]int, len(tokens))
	for i, t := range tokens {
		raw = append(raw, v.Piece(t)...)
		ends[i] = len(raw)
	}
	toText(raw, ends)
	return ends
}

// toText changes places in bytes, in ascending order, to places in their text. One
// in the middle of what is not UTF-8 moves to its end.
func toText(raw []byte, places []int) {
	at, text := 0, 0
	for i := range places {
		for at < places[i] {
			n, valid := character(raw[at:])
			width := n
			if !valid {
				width = len(replacement)
			} else if places[i] < at+n {
				break
			}
			at += n
			text += width
		}
		// What is left is a start of a character, or nothing, or less than nothing
		// where the end of what is not UTF-8 was moved past.
		places[i] = text + max(0, places[i]-at)
	}
}

// places are the server's tokens, of which spans are given, at which each standard
// token is complete: the last one that begins before the standard token's end.
func (t twin) places(ends []int, spans []Span) []int {
	out := make([]int, len(ends))
	c := newAcross(t)
	for i, end := range ends {
		end = c.place(min(end, len(t.text)))
		out[i] = max(0, sort.Search(len(spans), func(k int) bool { return spans[k].Start >= end })-1)
	}
	return out
}

// across goes from places in a text to those in the server's, in bytes. It goes
// through the text once, so that places have to ascend.
type across struct {
	twin
	next  int // where the next name begins
	moved int // by how much the text before it is longer for the server
}

func newAcross(t twin) *across {
	c := &across{twin: t}
	c.find(0)
	return c
}

func (c *across) find(from int) {
	c.next = len(c.text)
	if n := strings.Index(c.text[from:], c.name); n >= 0 && c.name != "" {
		c.next = from + n
	}
}

func (c *across) place(p int) int {
	longer := len(c.serverName) - len(c.name)
	for c.next < len(c.text) && p >= c.next+len(c.name) {
		c.moved += longer
		c.find(c.next + len(c.name))
	}
	if p > c.next { // in the middle of the name
		p = c.next + len(c.name) + longer
	}
	return p + c.moved
}
