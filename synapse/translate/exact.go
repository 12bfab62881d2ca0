package translate

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// ending are the bytes that stand for the end of a text, in both vocabularies. No
// text has them: 0xFF is never a part of UTF-8.
var ending = []byte("\xffend of text\xff")

const (
	// heavy is the probability from which on it is worth while to ask the standard
	// tokenizer whether it would join a token to the one before.
	heavy = 1e-4
	// maxJoins bounds how many of its answers are remembered.
	maxJoins = 1 << 18
)

// exact translates by bytes. It has what depends on the two vocabularies only.
//
// The probability that a text begins with given bytes is the sum over all ways in
// which the server's tokens cover them: tokens of the text itself up to some
// place, then one token that begins with all the bytes that are left. The quotient
// of two of these sums is the probability of the next standard token.
type exact struct {
	server, standard Vocabulary
	// pieces are the bytes of the server's tokens; none of control tokens.
	pieces, stdPieces [][]byte
	tries             struct{ server, standard trie }
	stdNodes          []int32 // the node of each standard token
	lead              []byte  // what the server's tokenizer puts in front of a text
	control           []int32 // the server's tokens without bytes

	// heads are the first standard tokens of the server's tokens, -1 where there is
	// none; tails those of their ends, token by token and byte by byte, found when
	// first wanted and kept plus one.
	heads []int32
	tails []atomic.Int32
	first []int32 // of each token in tails
	joins struct {
		sync.RWMutex
		known map[uint64]int32
	}
	open        open
	rows, probs sync.Pool // of *[]float32, of each vocabulary's size
}

func newExact(p *Pair) (*exact, error) {
	x := &exact{server: p.server, standard: p.standard}
	// Whether a text can end is only asked where both can say so.
	canEnd := p.server.EndOfText() >= 0 && p.standard.EndOfText() >= 0
	x.pieces, x.stdPieces = spelling(p.server, canEnd), spelling(p.standard, canEnd)
	x.tries.server, x.tries.standard = newTrie(x.pieces), newTrie(x.stdPieces)
	if len(x.tries.server.order) == 0 || len(x.tries.standard.order) == 0 {
		return nil, fmt.Errorf("%w: there is no token that stands for text", ErrVocabulary)
	}
	x.stdNodes = make([]int32, len(x.stdPieces))
	for t, piece := range x.stdPieces {
		x.stdNodes[t] = noNode
		if len(piece) > 0 {
			x.stdNodes[t] = x.tries.standard.find(piece)
		}
	}
	if err := x.findLead(); err != nil {
		return nil, err
	}
	x.rows.New = func() any { row := make([]float32, len(x.pieces)); return &row }
	x.probs.New = func() any { row := make([]float32, len(x.stdPieces)); return &row }
	x.joins.known = make(map[uint64]int32)
	if err := x.findHeads(p); err != nil {
		return nil, err
	}
	x.open = x.findOpen()
	return x, nil
}

// spelling is the bytes of every token; control tokens have none, but for the one
// that ends texts where that is wanted.
func spelling(v Vocabulary, end bool) [][]byte {
	pieces := make([][]byte, v.Size())
	for t := range pieces {
		if !v.IsControl(int32(t)) {
			pieces[t] = v.Piece(int32(t))
		}
	}
	if t := v.EndOfText(); t >= 0 && int(t) < len(pieces) {
		pieces[t] = nil
		if end {
			pieces[t] = ending
		}
	}
	return pieces
}

// findLead sees what the server's tokenizer makes of a text of one letter.
func (x *exact) findLead() error {
	tokens, err := x.server.Tokenize("a")
	if err != nil {
		return fmt.Errorf("tokenize with the server's vocabulary: %w", err)
	}
	if lead, ok := bytes.CutSuffix(x.join(tokens), []byte("a")); ok {
		x.lead = lead
	}
	return nil
}

// join is the bytes of the server's tokens.
func (x *exact) join(tokens []int32) (b []byte) {
	for _, t := range tokens {
		if t >= 0 && int(t) < len(x.pieces) {
			b = append(b, x.pieces[t]...)
		}
	}
	return b
}

func (x *exact) findHeads(p *Pair) error {
	phrases, err := p.phrases()
	if err != nil {
		return err
	}
	x.heads, x.first = make([]int32, len(x.pieces)), make([]int32, len(x.pieces))
	total := 0
	for t, piece := range x.pieces {
		x.first[t] = int32(total)
		total += len(piece)
		x.heads[t] = -1
		if phrase := phrases.of(int32(t)); len(piece) == 0 {
			x.control = append(x.control, int32(t))
		} else if last := piece[len(piece)-1]; len(phrase) == 0 || last < ' ' || !utf8.Valid(piece) {
			x.heads[t] = x.begin(piece)
		} else {
			x.heads[t] = phrase[0]
		}
	}
	x.tails = make([]atomic.Int32, total)
	return nil
}

// begin is the first standard token of some bytes, -1 if there is none: what the
// tokenizer says, or where they do not end with a character the longest token
// that fits.
func (x *exact) begin(b []byte) int32 {
	whole := b[:wholeLength(b)]
	if len(whole) > 0 {
		token, rest := x.tokenize(whole)
		// Of a last token nobody knows yet whether it takes in the start of a character.
		if token >= 0 && (rest || len(whole) == len(b)) {
			return token
		}
	}
	return x.tries.standard.longest(b)
}

// tokenize is the first token of a text, and whether there are more. A text that
// ends a line is taken to go on with a letter: GPT-2's tokenizer gives the
// last of several white characters to what follows.
func (x *exact) tokenize(text []byte) (first int32, more bool) {
	n := len(text)
	if strings.IndexByte("\n\r\t\v\f", text[n-1]) >= 0 {
		text = append(text[:n:n], 'a')
	}
	tokens, err := x.standard.Tokenize(string(text))
	if err != nil || len(tokens) == 0 {
		return -1, false
	}
	if piece := x.stdPieces[tokens[0]]; len(piece) > n {
		return x.tries.standard.longest(text[:n]), false
	}
	return tokens[0], len(tokens) > 1
}

// wholeLength is how many bytes there are before the first that is not UTF-8.
func wholeLength(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// head is the first standard token of what is left of a server's token after
// some bytes.
func (x *exact) head(token int32, after int) int32 {
	if after == 0 {
		return x.heads[token]
	}
	known := &x.tails[int(x.first[token])+after]
	if t := known.Load(); t != 0 {
		return t - 1
	}
	t := x.begin(x.pieces[token][after:])
	known.Store(t + 1) // every goroutine finds the same
	return t
}

// after is the first standard token of a standard token and what is left of a
// server's token behind it: the same one, unless the standard tokenizer joins them.
// Of what is unlikely it is the longest that fits.
func (x *exact) after(standard, token int32, depth int, likely bool) int32 {
	both := append(bytes.Clone(x.stdPieces[standard]), x.pieces[token][depth:]...)
	if !likely {
		return x.tries.standard.longest(both)
	}
	key := uint64(standard)<<43 | uint64(token)<<22 | uint64(depth)
	x.joins.RLock()
	first, known := x.joins.known[key]
	x.joins.RUnlock()
	if known {
		return first
	}
	first = x.begin(both)
	x.joins.Lock()
	defer x.joins.Unlock()
	if len(x.joins.known) >= maxJoins {
		clear(x.joins.known)
	}
	x.joins.known[key] = first
	return first
}
