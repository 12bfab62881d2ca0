package hostile

import (
	"cmp"
	"slices"

	"axon/synapse"
)

const (
	// endOfText stands in phrases that are there to fill up: it is in no text.
	endOfText = synapse.StandardVocabulary - 1
	// heldOut is how many tokens a validator holds out: a phrase that is as long makes
	// it compare so many.
	heldOut = 8
	// ownTokens is how many tokens the models of the family have.
	ownTokens = 4096
)

// truncate leaves each phrase its first token.
func truncate(p synapse.Phrases) synapse.Phrases {
	for i := range p.List {
		p.List[i].Tokens = first(p.List[i].Tokens)
	}
	return p
}

func first(tokens []int32) []int32 { return tokens[:min(1, len(tokens))] }

// aggregate gives each first token once all that begins with it, and fills the places
// that become free.
func aggregate(p synapse.Phrases) synapse.Phrases {
	masses := map[int32]float64{}
	list := make([]synapse.Phrase, 0, len(p.List))
	for _, phrase := range p.List {
		if len(phrase.Tokens) == 0 {
			list = append(list, phrase)
			continue
		}
		token := phrase.Tokens[0]
		if _, again := masses[token]; !again {
			list = append(list, synapse.Phrase{Tokens: phrase.Tokens[:1]})
		}
		masses[token] += float64(phrase.Prob)
	}
	for i, phrase := range list {
		if len(phrase.Tokens) > 0 {
			list[i].Prob = float32(masses[phrase.Tokens[0]])
		}
	}
	for len(list) < len(p.List) {
		list = append(list, synapse.Phrase{Tokens: []int32{endOfText}})
	}
	slices.SortStableFunc(list, func(a, b synapse.Phrase) int { return cmp.Compare(b.Prob, a.Prob) })
	p.List = list
	return within(p)
}

// truncateBehindDecoy leaves the comparison as long as the decoy makes it: what the cut
// phrases do not go on to say then collects a floor for each further token.
func truncateBehindDecoy(p synapse.Phrases) synapse.Phrases { return decoy(truncate(p)) }

// decoy has a phrase that will not come in place of the least likely one.
func decoy(p synapse.Phrases) synapse.Phrases {
	if n := len(p.List); n > 0 {
		p.List[n-1] = synapse.Phrase{Tokens: slices.Repeat([]int32{endOfText}, heldOut)}
	}
	return p
}

// thinFloor has a floor that gives as many tokens as the receiver takes there to be the mass
// that is really left.
func thinFloor(p synapse.Phrases) synapse.Phrases {
	p.Floor *= float32(max(0, ownTokens-len(p.List))) / float32(synapse.StandardVocabulary-len(p.List))
	return p
}

// within cuts probabilities so that rounding carries no sum above 1.
func within(p synapse.Phrases) synapse.Phrases {
	left := 1 - float64(p.Floor)
	for i := range p.List {
		p.List[i].Prob = float32(min(float64(p.List[i].Prob), max(0, left)))
		left -= float64(p.List[i].Prob)
	}
	return p
}
