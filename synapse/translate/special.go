package translate

import (
	"strings"
	"unicode/utf8"
)

// twin is a text and what the server is to read in its place: the token that ends
// standard texts is written as the one that ends the server's. Spans are of these
// names, in characters.
type twin struct {
	text, server string
	from, to     []span // in text, in server
	padded       []span // in text with the wider name of both
}

// newTwin makes one; the names are empty unless both vocabularies have such a token.
func newTwin(text, name, serverName string) twin {
	wide := name
	if utf8.RuneCountInString(serverName) > utf8.RuneCountInString(name) {
		wide = serverName
	}
	t := twin{text: text, from: spansOf(text, name)}
	t.server, t.to = replaceAt(text, t.from, serverName)
	_, t.padded = replaceAt(text, t.from, wide)
	return t
}

// spansOf finds a string in a text, where it does not overlap itself.
func spansOf(text, s string) (found []span) {
	at, width := 0, utf8.RuneCountInString(s)
	for s != "" {
		before, after, ok := strings.Cut(text, s)
		if !ok {
			break
		}
		at += utf8.RuneCountInString(before)
		found = append(found, span{at, at + width})
		at += width
		text = after
	}
	return found
}

// replaceAt writes s in place of each of the spans and says where it then stands.
func replaceAt(text string, at []span, s string) (replaced string, where []span) {
	in, with := []rune(text), []rune(s)
	out := make([]rune, 0, len(in))
	from := 0
	for _, a := range at {
		out = append(out, in[from:a.left]...)
		where = append(where, span{len(out), len(out) + len(with)})
		out = append(out, with...)
		from = a.right
	}
	return string(append(out, in[from:]...)), where
}

// pad widens the spans that are among the sources, in order, to the padded ones
// and moves what follows. As in the reference, padded spans are moved by what was
// added before them although they allow for that already: from the second one
// that is widened on, a text no longer fits its twin.
func pad(spans, sources, padded []span) []span {
	out := make([]span, len(spans))
	moved, next := 0, 0
	for i, s := range spans {
		to, wider := s, 0
		if next < len(sources) && s == sources[next] {
			to, wider = padded[next], padded[next].right-s.right
			next++
		}
		out[i] = span{to.left + moved, to.right + moved}
		moved += wider
	}
	return out
}
