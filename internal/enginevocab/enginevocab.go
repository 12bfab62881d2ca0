// Package enginevocab shows a model's vocabulary as package translate wants it. It
// adds nothing but the view: what is text, what is not, and which token ends a
// text. It does not import that package, whose tests import this one.
//
// Start reading at [New].
package enginevocab

import (
	"fmt"

	llama "axon/cgo"
	"axon/engine"
)

// noText are the attributes of tokens that are not part of a text.
const noText = llama.AttrControl | llama.AttrUnknown | llama.AttrUnused

// Vocabulary is a view of a model's vocabulary.
type Vocabulary struct {
	v       *engine.Vocab
	control []bool
	end     int32
}

// New shows a vocabulary, whose model has to stay open. Entries at the end of the
// table that only fill it up to a round size are left out: a model's row may be
// wider than the vocabulary. Byte-level BPE and SentencePiece keep a text as it
// is; the pieces of other kinds of tokenizers need not add up to the text that
// was tokenised.
func New(v *engine.Vocab) *Vocabulary {
	size := v.Size
	for size > 0 && isFiller(v, size-1) {
		size--
	}
	w := &Vocabulary{v: v, control: make([]bool, size), end: v.EOS}
	if v.EOS == llama.NoToken {
		w.end = v.EOT
	}
	for t := range w.control {
		w.control[t] = v.Attr(engine.Token(t))&noText != 0 || isFiller(v, t)
	}
	return w
}

// isFiller reports whether an entry stands for nothing. Conversion to GGUF marks
// such entries as unused, formerly only by a name that says its own number.
func isFiller(v *engine.Vocab, t int) bool {
	token := engine.Token(t)
	return v.Attr(token)&llama.AttrUnused != 0 || string(v.Piece(token)) == fmt.Sprintf("[PAD%d]", t)
}

// Size is the number of tokens.
func (w *Vocabulary) Size() int { return len(w.control) }

// Piece is the bytes that a token stands for, which are shared and must not be
// changed; of a control token its name. It is nil for entries that stand for nothing.
func (w *Vocabulary) Piece(token int32) []byte {
	if token < 0 || int(token) >= len(w.control) || w.control[token] && isFiller(w.v, int(token)) {
		return nil
	}
	return w.v.Piece(token)
}

// IsControl reports whether a token is not part of a text.
func (w *Vocabulary) IsControl(token int32) bool {
	return token >= 0 && int(token) < len(w.control) && w.control[token]
}

// EndOfText is the token that ends a text, -1 if there is none.
func (w *Vocabulary) EndOfText() int32 { return w.end }

// Tokenize adds no tokens and takes names of control tokens for text.
func (w *Vocabulary) Tokenize(text string) ([]int32, error) { return w.v.Tokenize(text, false, false) }

// Text is the inverse of Tokenize.
func (w *Vocabulary) Text(tokens []int32) (string, error) { return w.v.Text(tokens) }
