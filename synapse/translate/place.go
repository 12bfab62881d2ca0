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
// token is complete.
func (t twin) places(ends []int, spans []Span, name, serverName string) []int {
	out := make([]int, len(ends))
	for i, end := range ends {
		end = t.across(min(end, len(t.text)), name, serverName)
		out[i] = max(0, sort.Search(len(spans), func(k int) bool { return spans[k].Start >= end })-1)
	}
	return out
}

// across is the place in the server's text of a place in the text, both in bytes.
func (t twin) across(place int, name, serverName string) int {
	if len(t.from) == 0 {
		return place
	}
	at, moved := 0, 0
	for {
		n := strings.Index(t.text[at:], name)
		if n < 0 || at+n >= place {
			return place + moved
		}
		if at += n + len(name); at > place { // in the middle of the name
			return at + moved + len(serverName) - len(name)
		}
		moved += len(serverName) - len(name)
	}
}
