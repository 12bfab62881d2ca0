package translate

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrSpans is returned when a vocabulary changes the text that it tokenises, so
// that its tokens have no places in it.
var ErrSpans = errors.New("the vocabulary does not keep the text as it is")

// Span is a token's place in a text, in bytes: text[Start:End].
type Span struct{ Start, End int }

// Spanner is a [Vocabulary] that says itself where the tokens of a text lie in it.
// Those of others are found by their pieces.
type Spanner interface {
	Spans(text string, tokens []int32) ([]Span, error)
}

// places finds the spans of a text's tokens.
func places(v Vocabulary, text string, tokens []int32) ([]Span, error) {
	if s, ok := v.(Spanner); ok {
		return s.Spans(text, tokens)
	}
	spans := make([]Span, len(tokens))
	at := 0
	for i, t := range tokens {
		n, ok := match(text[at:], v.Piece(t))
		if !ok {
			return nil, fmt.Errorf("%w: token %d (%d, %q) at byte %d", ErrSpans, i, t, v.Piece(t), at)
		}
		spans[i] = Span{at, at + n}
		at += n
	}
	if at != len(text) {
		return nil, fmt.Errorf("%w: tokens end at byte %d of %d", ErrSpans, at, len(text))
	}
	return spans, nil
}

// blank is what SentencePiece writes for a blank; in a text it is taken for one.
const blank = "▁"

// match is the number of bytes of text that a piece stands for. A leading blank may
// be one that the tokenizer put in front of the text.
func match(text string, piece []byte) (n int, ok bool) {
	if n, ok = matchExactly(text, piece); !ok && bytes.HasPrefix(piece, []byte(" ")) {
		return matchExactly(text, piece[1:])
	}
	return n, ok
}

func matchExactly(text string, piece []byte) (n int, ok bool) {
	for _, c := range piece {
		switch {
		case n < len(text) && text[n] == c:
			n++
		case c == ' ' && strings.HasPrefix(text[n:], blank):
			n += len(blank)
		default:
			return 0, false
		}
	}
	return n, true
}

// characters turns spans of bytes into spans of characters: a character belongs to
// every token that has a byte of it.
func characters(text string, bytes []Span) []span {
	index := make([]int, len(text)+1) // of the character that a byte belongs to
	n := 0
	for at, r := range text {
		for i := range utf8.RuneLen(r) {
			index[at+i] = n
		}
		n++
	}
	index[len(text)] = n
	spans := make([]span, len(bytes))
	for i, b := range bytes {
		spans[i] = span{index[b.Start], index[b.Start]}
		if b.End > b.Start {
			spans[i].right = index[b.End-1] + 1
		}
	}
	return spans
}
