package corpus

import (
	"bytes"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// cutter makes windows out of slots.
type cutter struct {
	tokenizer Tokenizer
	length    int // tokens
}

const (
	// reach is how far before a slot the word is looked for in which it begins, in bytes.
	reach = 64
	// around is what the cutter has to see on both sides of a slot.
	around = reach + utf8.UTFMax
)

// window gives the first tokens of a slot, the bytes from … to of a text. The text
// is the whole document, or as much of it as has some bytes around on both sides of
// the slot unless it ends before. A slot that does not hold a window gives nil.
//
// What a slot holds begins with the word in which the slot begins, and ends before
// that in which the next one does; so every word is as likely as it is long, and
// no two slots share one.
func (c *cutter) window(text []byte, from, to int) ([]int32, error) {
	begin := lastBreak(text, max(0, from-reach), from)
	if begin < 0 {
		begin = firstBreak(text, from, to)
	}
	text = text[begin:max(begin, lastBreak(text, begin, to))]
	if len(text) < c.length || bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return nil, nil
	}
	tokens, err := c.tokenizer.Tokenize(string(text))
	if err != nil {
		return nil, fmt.Errorf("tokenize a window: %w", err)
	}
	if len(tokens) < c.length {
		return nil, nil
	}
	return slices.Clone(tokens[:c.length]), nil // without what is behind it
}

// lastBreak is the last break of text in from … to, -1 if there is none.
func lastBreak(text []byte, from, to int) int {
	for ; to >= from; to-- {
		if isBreak(text, to) {
			return to
		}
	}
	return -1
}

// firstBreak is the first break of text in from … to, to if there is none.
func firstBreak(text []byte, from, to int) int {
	for from < to && !isBreak(text, from) {
		from++
	}
	return from
}

// isBreak reports whether a token begins at a byte whatever stands around, or the text
// begins or ends there.
func isBreak(text []byte, at int) bool {
	if at == 0 || at == len(text) {
		return true
	}
	if c := text[at]; !utf8.RuneStart(c) || c > ' ' && c < utf8.RuneSelf { // most characters
		return false
	}
	next, _ := utf8.DecodeRune(text[at:])
	before, _ := utf8.DecodeLastRune(text[:at])
	return breaks(before, next)
}

// breaks reports whether a token begins between two characters. GPT-2's tokenizer first
// divides text into words, each with one blank before it, then those into tokens;
// so no token holds white space behind anything else. Nor does one hold punctuation
// behind letters, but only that of scripts without blanks is made use of, where
// blanks are missed.
func breaks(before, next rune) bool {
	if unicode.IsSpace(next) {
		return !unicode.IsSpace(before)
	}
	return next > ideographicSpace && unicode.IsPunct(next) && unicode.IsLetter(before)
}

// ideographicSpace is the first character of the block of Chinese and Japanese punctuation.
const ideographicSpace = '\u3000'
