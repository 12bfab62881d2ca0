package translate

import (
	"bytes"
	"fmt"
	"slices"
)

// exactText is one text: its bytes, where the tokens of both vocabularies end
// among them, and which rows say something about which position.
type exactText struct {
	*exact
	standard []int32
	tokens   []int32
	// bytes are what the server reads: the text, with a lead where its tokenizer
	// puts one, and without what it has no token for.
	bytes  []byte
	starts []int // of each server token, and the end of the last
	ends   []int // of each standard token
	// certain tells of each standard token whether the server read all of it.
	certain []bool

	places []exactPlace // by position
	cuts   []crossing   // by row, and by position among those of a row
	byRow  [][2]int32   // the cuts of each row, from and to
}

// exactPlace is what a position needs.
type exactPlace struct {
	cuts   []int32 // of this position, by row
	lo, hi int32   // its rows: those of its cuts and of the next position's
}

// crossing is where a row meets the end of a position's bytes: row r is the
// distribution of server token r, and of it those tokens count that begin with
// the bytes from there to the position.
type crossing struct {
	position, row int32
	node          int32 // of those bytes in the server's trie
	depth         int32 // how many they are
}

func (x *exact) prepare(standard []int32) (Text, error) {
	t := &exactText{exact: x, standard: standard}
	if err := t.read(); err != nil {
		return nil, err
	}
	if len(t.tokens) == 0 {
		return nil, fmt.Errorf("%w: none of the %d standard tokens stands for anything that the server has a token for", ErrText, len(standard))
	}
	t.starts = make([]int, 1, len(t.tokens)+1)
	for _, token := range t.tokens {
		t.starts = append(t.starts, t.starts[len(t.starts)-1]+len(x.pieces[token]))
	}
	t.plan()
	return t, nil
}

// Tokens is the text in the server's tokens.
func (t *exactText) Tokens() []int32 { return t.tokens }

// read spells the text in the server's tokens. What lies between two ends of text
// is tokenized by itself.
func (t *exactText) read() error {
	t.ends, t.certain = make([]int, len(t.standard)), make([]bool, len(t.standard))
	end := t.exact.standard.EndOfText()
	for from := 0; from < len(t.standard); {
		to := from
		for to < len(t.standard) && t.standard[to] != end {
			to++
		}
		if err := t.readPart(from, to); err != nil {
			return err
		}
		if to < len(t.standard) {
			t.readEnd(to)
			to++
		}
		from = to
	}
	return nil
}

// readEnd reads an end of text. What the tokenizer puts in front of the text that
// follows counts as part of it: the standard tokens do not have it.
func (t *exactText) readEnd(position int) {
	end := t.server.EndOfText()
	if t.certain[position] = end >= 0; t.certain[position] {
		t.tokens = append(t.tokens, end)
		t.bytes = append(t.bytes, ending...)
	}
	if position == len(t.standard)-1 {
		t.bytes = append(t.bytes, t.lead...)
	}
	t.ends[position] = len(t.bytes)
}

// readPart reads standard tokens without an end of text among them: what is UTF-8
// with the server's tokenizer, other bytes one by one.
func (t *exactText) readPart(from, to int) error {
	var raw []byte
	owners := []int{} // the position of each byte
	for i := from; i < to; i++ {
		piece := t.stdPieces[t.standard[i]]
		t.certain[i] = len(piece) > 0
		raw = append(raw, piece...)
		for range piece {
			owners = append(owners, i)
		}
	}
	for at := 0; at < len(raw); {
		n, err := wholeLength(raw[at:]), error(nil)
		if n > 0 {
			err = t.readWhole(raw[at:at+n], owners[at:])
		} else {
			for n < len(raw)-at && wholeLength(raw[at+n:]) == 0 {
				n++
			}
			t.spell(raw[at:at+n], owners[at:])
		}
		if err != nil {
			return err
		}
		at += n
	}
	// A token that the server did not read ends where the one before it ends.
	for i := from; i < to; i++ {
		if i > 0 {
			t.ends[i] = max(t.ends[i], t.ends[i-1])
		}
	}
	return nil
}

// readWhole reads UTF-8. A tokenizer that does not keep it is not asked.
func (t *exactText) readWhole(text []byte, owners []int) error {
	tokens, err := t.server.Tokenize(string(text))
	if err != nil {
		return fmt.Errorf("tokenize with the server's vocabulary: %w", err)
	}
	lead, ok := bytes.CutSuffix(t.join(tokens), text)
	if !ok || !bytes.Equal(lead, t.lead) || slices.ContainsFunc(tokens, t.isMute) {
		t.spell(text, owners)
		return nil
	}
	t.tokens = append(t.tokens, tokens...)
	t.bytes = append(t.bytes, lead...)
	if before := owners[0] - 1; before >= 0 && t.standard[before] == t.exact.standard.EndOfText() {
		t.ends[before] = len(t.bytes)
	}
	for i, b := range text {
		t.bytes = append(t.bytes, b)
		t.ends[owners[i]] = len(t.bytes)
	}
	return nil
}

func (t *exactText) isMute(token int32) bool {
	return token < 0 || int(token) >= len(t.pieces) || len(t.pieces[token]) == 0
}

// spell reads bytes by the longest tokens that fit, and leaves out those that fit
// none.
func (t *exactText) spell(b []byte, owners []int) {
	for i := 0; i < len(b); {
		token := t.tries.server.longest(b[i:])
		if token < 0 {
			t.certain[owners[i]] = false
			t.ends[owners[i]] = len(t.bytes)
			i++
			continue
		}
		t.tokens = append(t.tokens, token)
		for range t.pieces[token] {
			t.bytes = append(t.bytes, b[i])
			t.ends[owners[i]] = len(t.bytes)
			i++
		}
	}
}

// plan finds the cuts: from the start of each server token on, the ends of
// positions that some token of the server's reaches with the text's bytes.
func (t *exactText) plan() {
	t.places = make([]exactPlace, len(t.standard))
	t.byRow = make([][2]int32, len(t.starts))
	next := 0
	for row, start := range t.starts {
		for next < len(t.ends) && t.ends[next] < start {
			next++
		}
		from := int32(len(t.cuts))
		t.reach(int32(row), start, next)
		t.byRow[row] = [2]int32{from, int32(len(t.cuts))}
	}
	for i, c := range t.cuts {
		p := &t.places[c.position]
		p.cuts = append(p.cuts, int32(i))
	}
	for s := range t.places {
		p := &t.places[s]
		p.lo, p.hi = t.cuts[p.cuts[0]].row, t.cuts[p.cuts[len(p.cuts)-1]].row
		if s+1 < len(t.places) {
			following := t.places[s+1].cuts
			p.hi = t.cuts[following[len(following)-1]].row
		}
	}
}

// reach adds the cuts of a row that starts at a place in the bytes, from a
// position on.
func (t *exactText) reach(row int32, start, position int) {
	node := root
	for at := start; position < len(t.ends); at++ {
		for position < len(t.ends) && t.ends[position] == at {
			t.cuts = append(t.cuts, crossing{int32(position), row, node, int32(at - start)})
			position++
		}
		if at == len(t.bytes) {
			return
		}
		if node = t.tries.server.child(node, t.bytes[at]); node == noNode {
			return
		}
	}
}
