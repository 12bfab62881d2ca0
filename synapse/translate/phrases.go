package translate

import "unicode/utf8"

// Phrase is a token of the server spelt in standard tokens. Its bytes are those of
// the token, also where they are a part of a character: such tokens are spelt in
// the longest standard tokens that fit. The token that ends the server's texts is
// the one that ends standard texts; other control tokens are spelt by their names,
// and one that stands for nothing as U+FFFD, since the reference's client cannot
// read a phrase without tokens.
// A token outside the vocabulary has no phrase, and none has one where
// [Pair.Warm] fails. The slice is shared and must not be changed.
func (p *Pair) Phrase(token int32) []int32 {
	s, err := p.phrases()
	if err != nil {
		return nil
	}
	return s.of(token)
}

func (p *Pair) spellExactly() (sequences, error) {
	pieces := newPieces(p.standard)
	return spell(p.server.Size(), func(t int32) ([]int32, error) {
		switch {
		case p.Identical():
			return []int32{t}, nil
		case t == p.server.EndOfText() && p.standard.EndOfText() >= 0:
			return []int32{p.standard.EndOfText()}, nil
		}
		piece := p.server.Piece(t)
		if !utf8.Valid(piece) {
			if tokens, ok := pieces.longest(piece); ok {
				return tokens, nil
			}
		}
		if tokens, err := p.standard.Tokenize(validUTF8(piece)); err != nil || len(tokens) > 0 {
			return tokens, err
		}
		return p.standard.Tokenize(replacement)
	})
}

// pieces finds tokens by their bytes.
type pieces struct {
	tokens map[string]int32
	width  int // of the longest
}

func newPieces(v Vocabulary) pieces {
	p := pieces{tokens: make(map[string]int32, v.Size())}
	for t := range int32(v.Size()) {
		if v.IsControl(t) {
			continue
		}
		piece := v.Piece(t)
		if _, known := p.tokens[string(piece)]; !known {
			p.tokens[string(piece)] = t
		}
		p.width = max(p.width, len(piece))
	}
	return p
}

// longest spells bytes from left to right in the longest pieces that fit, which
// is what byte-level BPE makes of nearly all that is not text. It reports whether
// that was possible.
func (p pieces) longest(b []byte) (tokens []int32, ok bool) {
	for len(b) > 0 {
		n := min(len(b), p.width)
		for ; n > 0; n-- {
			if t, known := p.tokens[string(b[:n])]; known {
				tokens = append(tokens, t)
				break
			}
		}
		if n == 0 {
			return nil, false
		}
		b = b[n:]
	}
	return tokens, true
}
