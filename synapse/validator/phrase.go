package validator

import (
	"fmt"
	"math"

	"axon/synapse"
)

const (
	// padding is the token that stands where a phrase has none.
	padding = -100
	// leastProb is added to probabilities before their logarithm is taken, so that
	// the largest loss is 92.1.
	leastProb = 1e-40
)

// PhraseRule says how phrases are compared with a target.
type PhraseRule struct {
	// Longest is how many tokens are compared at most: as many as the longest
	// phrase of the batch has, see [NewPhraseRule].
	Longest int
	// Vocabulary is how many tokens a server is taken to have at least, so that a
	// floor always stands for many.
	Vocabulary int
}

// NewPhraseRule is the rule for a batch of answers.
func NewPhraseRule(batch []synapse.Phrases) PhraseRule {
	r := PhraseRule{Vocabulary: synapse.StandardVocabulary}
	for _, p := range batch {
		for _, phrase := range p.List {
			r.Longest = max(r.Longest, len(phrase.Tokens))
		}
	}
	return r
}

// PhraseLosses are what phrases lose against what came, in nats: 0 to 92.1.
type PhraseLosses struct {
	First  float64 // of the first token
	Phrase float64 // of the phrase
}

// Losses are the losses of one text's phrases against the tokens that came
// (phrase_cross_entropy of release 3.7.0). With probabilities clamped to [0, 1]
// and
//
//	total = Σ p + max(0, Vocabulary − phrases)·floor
//
// a mass is divided by total, clamped to [0, 1], increased by 1e-40, and its
// negative logarithm is the loss. The mass of First is that of the phrases that
// begin as the target does, the floor when there is none. With
// n = min(Longest, tokens of the target), the mass of Phrase is a sum over
// c = 1…n: of the phrases whose first n tokens are the first c of the target and
// then nothing, the floor when there is none. So a phrase that is longer than the
// target counts by its beginning, and a target that goes on where no phrase
// does collects floors.
//
// Losses are NaN when a probability is, or when mass and total are 0, and then only.
// ErrTarget is returned for an empty target, ErrAnswer when Longest is 0.
func (r PhraseRule) Losses(p synapse.Phrases, target []int32) (PhraseLosses, error) {
	n := min(r.Longest, len(target))
	switch {
	case len(target) == 0:
		return PhraseLosses{}, fmt.Errorf("%w: the target has no tokens", ErrTarget)
	case n < 1:
		return PhraseLosses{}, fmt.Errorf("%w: no phrase has a token", ErrAnswer)
	}
	var first share
	parts := make([]share, n)
	for _, phrase := range p.List {
		if tokenAt(phrase.Tokens, 0) != target[0] {
			continue
		}
		first.add(phrase.Prob)
		for c := range parts {
			if spells(phrase.Tokens, target[:c+1], n) {
				parts[c].add(phrase.Prob)
			}
		}
	}
	mass := 0.0
	for _, part := range parts {
		mass += part.or(p.Floor)
	}
	total := r.total(p)
	return PhraseLosses{nats(first.or(p.Floor) / total), nats(mass / total)}, nil
}

// total is what probabilities are divided by.
func (r PhraseRule) total(p synapse.Phrases) float64 {
	sum := float64(max(0, r.Vocabulary-len(p.List))) * clamp(p.Floor)
	for _, phrase := range p.List {
		sum += clamp(phrase.Prob)
	}
	return sum
}

// share is the mass of some phrases, if there are any.
type share struct {
	mass float64
	any  bool
}

func (s *share) add(prob float32) {
	s.mass += clamp(prob)
	s.any = true
}

// or is the floor where there are no phrases: the target is then taken to be
// one of those that the server did not name.
func (s share) or(floor float32) float64 {
	if s.any {
		return s.mass
	}
	return clamp(floor)
}

// spells says whether the first n tokens are those of the target and then
// nothing.
func spells(tokens, target []int32, n int) bool {
	for i := range n {
		if tokenAt(tokens, i) != tokenAt(target, i) {
			return false
		}
	}
	return true
}

func tokenAt(tokens []int32, i int) int32 {
	if i < len(tokens) {
		return tokens[i]
	}
	return padding
}

// clamp brings a probability to [0, 1]. NaN stays.
func clamp(prob float32) float64 { return max(0, min(1, float64(prob))) }

// nats is the loss of a probability. NaN stays.
func nats(prob float64) float64 { return -math.Log(max(0, min(1, prob)) + leastProb) }
