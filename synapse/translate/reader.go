package translate

import (
	"cmp"
	"slices"
	"strings"
)

// reader is a vocabulary as the reference uses it: texts are valid UTF-8, and in a
// text the names of control tokens are those tokens.
type reader struct {
	Vocabulary
	cleanUp bool
	names   [256][]name // by their first byte, longer ones first
}

type name struct {
	text  string
	token int32
}

func newReader(v Vocabulary, cleanUp bool) *reader {
	r := &reader{Vocabulary: v, cleanUp: cleanUp}
	for t := range int32(v.Size()) {
		if n := v.Piece(t); v.IsControl(t) && len(n) > 0 {
			r.names[n[0]] = append(r.names[n[0]], name{string(n), t})
		}
	}
	for _, list := range r.names {
		slices.SortStableFunc(list, func(a, b name) int { return cmp.Compare(len(b.text), len(a.text)) })
	}
	return r
}

// endName is the name of the token that ends a text, "" if there is none.
func (r *reader) endName() string { return string(r.Piece(r.EndOfText())) }

// decode is the text of tokens.
func (r *reader) decode(tokens ...int32) string {
	var raw []byte
	for _, t := range tokens {
		raw = append(raw, r.Piece(t)...)
	}
	text := validUTF8(raw)
	if r.cleanUp {
		text = cleanUp(text)
	}
	return text
}

// encode tokenises a text.
func (r *reader) encode(text string) (tokens []int32, err error) {
	err = r.parts(text, func(_ int, part string, name int32) error {
		if name >= 0 {
			tokens = append(tokens, name)
			return nil
		}
		more, err := r.Tokenize(part)
		tokens = append(tokens, more...)
		return err
	})
	return tokens, err
}

// encodeWithSpans tokenises a text and says where the tokens lie in it.
func (r *reader) encodeWithSpans(text string) (tokens []int32, spans []Span, err error) {
	err = r.parts(text, func(at int, part string, name int32) error {
		if name >= 0 {
			tokens, spans = append(tokens, name), append(spans, Span{at, at + len(part)})
			return nil
		}
		more, err := r.Tokenize(part)
		if err != nil {
			return err
		}
		where, err := places(r.Vocabulary, part, more)
		for _, s := range where {
			spans = append(spans, Span{at + s.Start, at + s.End})
		}
		tokens = append(tokens, more...)
		return err
	})
	return tokens, spans, err
}

// parts cuts a text at names of control tokens, and gives each part, its place
// and, of a name, the token.
func (r *reader) parts(text string, each func(at int, part string, name int32) error) error {
	from := 0
	for at := 0; at < len(text); at++ {
		n := r.nameAt(text[at:])
		if n == nil {
			continue
		}
		if from < at {
			if err := each(from, text[from:at], -1); err != nil {
				return err
			}
		}
		from = at + len(n.text)
		if err := each(at, n.text, n.token); err != nil {
			return err
		}
		at = from - 1
	}
	if from == len(text) {
		return nil
	}
	return each(from, text[from:], -1)
}

func (r *reader) nameAt(text string) *name {
	list := r.names[text[0]]
	for i := range list {
		if strings.HasPrefix(text, list[i].text) {
			return &list[i]
		}
	}
	return nil
}

// framer is a vocabulary whose tokenizer adds tokens to whatever it is given, such
// as one that begins a text. The reference adds them to single tokens, too.
type framer interface {
	Frame(tokens []int32) []int32
}

// encodePhrase tokenises the text of a single token.
func (r *reader) encodePhrase(text string) ([]int32, error) {
	tokens, err := r.encode(text)
	if f, ok := r.Vocabulary.(framer); ok {
		tokens = f.Frame(tokens)
	}
	return tokens, err
}

// tidied are what the reference's decoder replaces, one after the other.
var tidied = [][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"},
	{" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func cleanUp(text string) string {
	for _, t := range tidied {
		text = strings.ReplaceAll(text, t[0], t[1])
	}
	return text
}
