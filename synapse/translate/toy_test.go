package translate

import (
	"encoding/json"
	"strings"
	"unicode"
)

// toy is a small tokenizer that its recording describes completely.
type toy struct {
	Kind    string            `json:"kind"` // greedy or word
	Tokens  []string          `json:"tokens"`
	Special map[string]string `json:"special_tokens_map"`
	Prefix  []int32           `json:"default_prefix_ids"`
	Suffix  []int32           `json:"default_suffix_ids"`

	Singles     []string  `json:"decoded_single_tokens"`
	KeepsBlanks bool      `json:"whitespace_preserving"`
	Phrases     []string  `json:"phrases"`
	Spelt       [][]int32 `json:"std_token_phrases"`

	ids map[string]int32
}

func (v *toy) UnmarshalJSON(b []byte) error {
	type plain toy
	if err := json.Unmarshal(b, (*plain)(v)); err != nil {
		return err
	}
	v.ids = make(map[string]int32)
	for i, t := range v.Tokens {
		v.ids[t] = int32(i)
	}
	return nil
}

const glue = "##"

func (v *toy) isWord() bool { return v.Kind == "word" }
func (v *toy) Size() int    { return len(v.Tokens) }

func (v *toy) Piece(t int32) []byte {
	if t < 0 || int(t) >= len(v.Tokens) {
		return nil
	}
	if v.isWord() {
		return []byte(strings.TrimPrefix(v.Tokens[t], glue))
	}
	return []byte(v.Tokens[t])
}

// IsControl is never true of a greedy one: its special tokens are ordinary entries.
func (v *toy) IsControl(t int32) bool {
	if v.isWord() {
		for _, s := range v.Special {
			if v.ids[s] == t {
				return true
			}
		}
	}
	return false
}

func (v *toy) EndOfText() int32 {
	if s, ok := v.Special["eos_token"]; ok {
		return v.ids[s]
	}
	return -1
}

func (v *toy) Frame(tokens []int32) []int32 {
	return append(append(append([]int32{}, v.Prefix...), tokens...), v.Suffix...)
}

func (v *toy) Tokenize(text string) ([]int32, error) {
	tokens, _ := v.scan(text)
	return tokens, nil
}

func (v *toy) Spans(text string, _ []int32) ([]Span, error) {
	_, spans := v.scan(text)
	return spans, nil
}

func (v *toy) Text(tokens []int32) (string, error) {
	var s strings.Builder
	for i, t := range tokens {
		if v.isWord() && i > 0 && !strings.HasPrefix(v.Tokens[t], glue) {
			s.WriteByte(' ')
		}
		s.Write(v.Piece(t))
	}
	return s.String(), nil
}

func (v *toy) scan(text string) (tokens []int32, spans []Span) {
	if !v.isWord() {
		return v.cut(text, 0, "")
	}
	for at := 0; at < len(text); {
		n := wordLength(text[at:])
		if word := text[at : at+n]; strings.TrimSpace(word) != "" {
			t, s := v.cut(word, at, glue)
			if t == nil {
				t, s = []int32{v.ids[v.Special["unk_token"]]}, []Span{{at, at + n}}
			}
			tokens, spans = append(tokens, t...), append(spans, s...)
		}
		at += n
	}
	return tokens, spans
}

// wordLength is that of the run of letters and digits that text begins with, or
// of one other character.
func wordLength(text string) int {
	for i, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			continue
		}
		if i == 0 {
			return len(string(r))
		}
		return i
	}
	return len(text)
}

// cut takes the longest entry at each place; those after the first are looked up
// with a mark in front. There are no tokens if that fails.
func (v *toy) cut(text string, offset int, mark string) (tokens []int32, spans []Span) {
	for at := 0; at < len(text); {
		prefix := ""
		if at > 0 {
			prefix = mark
		}
		end := len(text)
		for ; end > at; end-- {
			if t, ok := v.ids[prefix+text[at:end]]; ok {
				tokens, spans = append(tokens, t), append(spans, Span{offset + at, offset + end})
				break
			}
		}
		if end == at {
			return nil, nil
		}
		at = end
	}
	return tokens, spans
}
