package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"

	llama "axon/cgo"
)

// Span is a token's place in a text, in bytes: text[Start:End].
type Span struct{ Start, End int }

// ErrSpans is returned when a vocabulary changes the text that it tokenises,
// so that its tokens have no places in it.
var ErrSpans = errors.New("the vocabulary does not keep the text as it is")

// Vocab is a model's vocabulary. Its methods may be called from many
// goroutines.
type Vocab struct {
	*llama.Vocab
	pieces func() [][]byte
}

func newVocab(v *llama.Vocab) *Vocab {
	return &Vocab{Vocab: v, pieces: sync.OnceValue(func() [][]byte {
		all := make([][]byte, v.Size)
		for t := range all {
			all[t], _ = v.Piece(Token(t), true)
		}
		return all
	})}
}

// Piece is the text of one token, control tokens spelled out. The bytes are
// shared and must not be changed; they need not be valid UTF-8. A token
// outside the vocabulary has no text.
func (v *Vocab) Piece(t Token) []byte {
	if t < 0 || int(t) >= v.Size || v.Kind == llama.VocabNone {
		return nil
	}
	return v.pieces()[t]
}

// IsControl reports whether the token is one that is not part of a text.
func (v *Vocab) IsControl(t Token) bool { return v.Attr(t)&llama.AttrControl != 0 }

// Text is the inverse of Tokenize without special tokens added. For byte-level
// BPE it is the concatenation of the pieces, which loses nothing; the others
// go through llama.cpp's detokeniser, which knows their blanks.
func (v *Vocab) Text(tokens []Token) (string, error) {
	if v.Kind != llama.VocabBPE {
		return v.Detokenize(tokens, false, true)
	}
	var b strings.Builder
	for _, t := range tokens {
		if t < 0 || int(t) >= v.Size {
			return "", fmt.Errorf("%w: %d, must be below %d", ErrToken, t, v.Size)
		}
		b.Write(v.Piece(t))
	}
	return b.String(), nil
}

// Spans finds where in text each of its tokens lies. Special tokens that are
// not spelled in the text get an empty span. Spans may cut UTF-8 characters.
func (v *Vocab) Spans(text string, tokens []Token) ([]Span, error) {
	spans := make([]Span, len(tokens))
	pos := 0
	for i, t := range tokens {
		n, err := v.match([]byte(text[pos:]), t)
		if err != nil {
			return nil, fmt.Errorf("token %d (%d, %q) at byte %d: %w", i, t, v.Piece(t), pos, err)
		}
		spans[i] = Span{pos, pos + n}
		pos += n
	}
	if pos != len(text) {
		return nil, fmt.Errorf("tokens end at byte %d of %d: %w", pos, len(text), ErrSpans)
	}
	return spans, nil
}

// match is the number of bytes of rest that token t stands for. A leading
// blank of the piece may be one that the tokenizer put there.
func (v *Vocab) match(rest []byte, t Token) (int, error) {
	piece := v.Piece(t)
	switch {
	case bytes.HasPrefix(rest, piece):
		return len(piece), nil
	case v.IsControl(t):
		return 0, nil
	case len(piece) > 0 && piece[0] == ' ' && bytes.HasPrefix(rest, piece[1:]):
		return len(piece) - 1, nil
	}
	return 0, ErrSpans
}
