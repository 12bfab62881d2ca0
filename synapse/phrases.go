package synapse

import (
	"fmt"
	"math"

	"axon/kernels"
)

// Phrase is one thing that may come next: a token of the server, spelt in
// tokens of the standard tokenizer, and how likely it is.
type Phrase struct {
	Prob   float32
	Tokens []int32
}

// Phrases is what TextCausalLMNext answers for one text: the phrases in
// descending probability, and the mean probability of each of the server's
// tokens that is not among them.
type Phrases struct {
	List  []Phrase
	Floor float32
}

// leastRest is what the reference takes a remaining mass for that is none.
const leastRest = 1e-40

// NewPhrases makes phrases of the most likely tokens in descending order, as
// [kernels.Reduce] and [kernels.LogProbs] leave them. spelling gives a token's
// standard tokens, and is not kept. Probabilities are rounded so that their
// sum does not exceed 1.
func NewPhrases(top kernels.Sparse, vocabulary int, spelling func(token int32) []int32) Phrases {
	p := Phrases{List: make([]Phrase, len(top.Entries))}
	mass := 0.0
	for i, e := range top.Entries {
		prob := float32(math.Exp(float64(e.Value)))
		if mass+float64(prob) > 1 {
			prob = float32(max(0, 1-mass))
		}
		mass += float64(prob)
		p.List[i] = Phrase{prob, spelling(e.Index)}
	}
	if others := vocabulary - len(top.Entries); others > 0 {
		p.Floor = float32(max(math.Exp(float64(top.Rest)), leastRest) / float64(others))
	}
	return p
}

// On the wire all is float32: a probability is in [0, 1], a token stands as its
// id plus 2. So the probabilities are the marks between the phrases.
const (
	tokenOffset = 2
	// markSlack is by how much rounding may carry a probability, and a sum of
	// them, out of [0, 1].
	markSlack = 1e-6
	// maxToken is the largest id that float32 holds without loss.
	maxToken = 1<<24 - tokenOffset
)

// AppendPhrases appends the compact form of one text's phrases.
func AppendPhrases(dst []float32, p Phrases) []float32 {
	for _, phrase := range p.List {
		dst = append(dst, phrase.Prob)
		for _, t := range phrase.Tokens {
			dst = append(dst, float32(t+tokenOffset))
		}
	}
	return append(dst, p.Floor)
}

// ParsePhrases reads the compact form of any number of texts, each of topk
// phrases and a floor. As the reference does it passes over tokens before the
// first probability and after a floor, and clamps probabilities to [0, 1]. Where
// the reference takes any other number for a token, this does not. Errors wrap
// ErrDecode.
func ParsePhrases(data []float32, topk int) ([]Phrases, error) {
	if topk < 1 {
		return nil, fmt.Errorf("%w: the top %d phrases", ErrDecode, topk)
	}
	marks := 0
	for _, v := range data {
		if isMark(v) {
			marks++
		}
	}
	if marks%(topk+1) != 0 {
		return nil, fmt.Errorf("%w: %d probabilities are not %d and a floor for each text", ErrDecode, marks, topk)
	}
	list := make([]Phrases, 0, marks/(topk+1))
	for range cap(list) {
		p, n, err := parseText(data, topk)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
		data = data[n:]
	}
	return list, nil
}

func isMark(v float32) bool { return v > -markSlack && v < 1+markSlack }

// parseText reads one text's phrases, of which enough are there, and returns
// how many numbers they took.
func parseText(data []float32, topk int) (p Phrases, n int, err error) {
	for !isMark(data[n]) {
		n++
	}
	sum := 0.0
	p.List = make([]Phrase, topk)
	for i := range p.List {
		sum += float64(data[n])
		p.List[i].Prob = clamp(data[n])
		n++
		start := n
		for !isMark(data[n]) {
			n++
		}
		if p.List[i].Tokens, err = tokensOf(data[start:n]); err != nil {
			return p, 0, err
		}
	}
	sum += float64(data[n])
	p.Floor = clamp(data[n])
	if sum < -markSlack || sum > 1+markSlack {
		return p, 0, fmt.Errorf("%w: probabilities sum up to %v", ErrDecode, sum)
	}
	return p, n + 1, nil
}

func clamp(prob float32) float32 { return max(0, min(1, prob)) }

func tokensOf(values []float32) ([]int32, error) {
	var tokens []int32
	for _, v := range values {
		if !(v >= tokenOffset && v <= maxToken+tokenOffset) || v != float32(math.Trunc(float64(v))) {
			return nil, fmt.Errorf("%w: %v is neither a probability nor a token", ErrDecode, v)
		}
		tokens = append(tokens, int32(v)-tokenOffset)
	}
	return tokens, nil
}
