package synapse

import "fmt"

// NextPhrases are the answer of TextCausalLMNext.
type NextPhrases struct {
	Texts []Phrases
}

// noToken fills rows that are shorter than others.
const noToken = -100

// Tensor is float32 [texts, topk+1, width]: of each text the phrases, each a
// probability and its tokens, then the floor; the rest of each row is -100. It is
// as wide as the longest phrase and its probability.
func (n *NextPhrases) Tensor() Tensor {
	if len(n.Texts) == 0 {
		return NewFloat32(nil, 0)
	}
	rows, width := len(n.Texts[0].List)+1, n.width()
	values := make([]float32, len(n.Texts)*rows*width)
	fill(values, noToken)
	for text, p := range n.Texts {
		for i, phrase := range p.List {
			row := values[(text*rows+i)*width:]
			row[0] = phrase.Prob
			for j, token := range phrase.Tokens {
				row[1+j] = float32(token)
			}
		}
		values[(text*rows+rows-1)*width] = p.Floor
	}
	return NewFloat32(values, len(n.Texts), rows, width)
}

func (n *NextPhrases) width() int {
	longest := 0
	for _, p := range n.Texts {
		for _, phrase := range p.List {
			longest = max(longest, len(phrase.Tokens))
		}
	}
	return 1 + longest
}

// FirstTokens adds up the probabilities of the phrases that begin with each
// token of a vocabulary: [texts, vocabulary]. Each text's are divided by the mass
// that its phrases and least−TopK others of the floor's probability have, which
// makes them a distribution but for those others. least is 50257 in the
// reference, where the server's vocabulary is not known, and 0 for none.
// A phrase without a token of the vocabulary is an error, ErrDecode.
func (n *NextPhrases) FirstTokens(vocabulary, least int) ([]float32, error) {
	out := make([]float32, len(n.Texts)*vocabulary)
	for text, p := range n.Texts {
		mass := float64(max(0, least-len(p.List))) * float64(clamp(p.Floor))
		for _, phrase := range p.List {
			mass += float64(clamp(phrase.Prob))
		}
		for _, phrase := range p.List {
			if len(phrase.Tokens) == 0 || phrase.Tokens[0] < 0 || int(phrase.Tokens[0]) >= vocabulary {
				return nil, fmt.Errorf("%w: the phrase %.20v does not begin with one of %d tokens", ErrDecode, phrase.Tokens, vocabulary)
			}
			out[text*vocabulary+int(phrase.Tokens[0])] += float32(float64(clamp(phrase.Prob)) / mass)
		}
	}
	return out, nil
}
