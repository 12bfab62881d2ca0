package client

import (
	"math"

	"axon/synapse"
)

const (
	numberSize   = 8       // bytes of the widest number that a server may send
	phraseTokens = 32      // of the phrases of a reply, on average; nearly all have one or two
	replyRoom    = 1 << 16 // bytes for all that is no number: shapes, settings, words
)

// replySize is how many bytes a reply may have: as many as the answers that were asked
// for can take, and some room. Where a synapse does not tell, it may have otherwise.
func replySize(b synapse.Batch, synapses []synapse.Synapse, otherwise int64) int64 {
	size := int64(replyRoom)
	for _, s := range synapses {
		numbers, known := numbersOf(b, s)
		if !known {
			return otherwise
		}
		size = add(size, product(numbers, numberSize), int64(len(s.Settings())))
	}
	return size
}

// Sized is a synapse that knows how many numbers its answer has at most. Those of package
// synapse are known without.
type Sized interface {
	Numbers(b synapse.Batch) int64
}

func numbersOf(b synapse.Batch, s synapse.Synapse) (n int64, known bool) {
	texts, positions := int64(b.Texts), product(int64(b.Texts), int64(b.Length))
	switch s := s.(type) {
	case Sized:
		return s.Numbers(b), true
	case *synapse.TextLastHiddenState:
		return product(positions, synapse.NetworkDimension), true
	case *synapse.TextCausalLM:
		return product(positions, 2, int64(s.TopK)), true
	case *synapse.TextCausalLMNext:
		return add(texts, product(texts, int64(s.TopK), 1+phraseTokens)), true
	case *synapse.TextSeq2Seq:
		return product(texts, int64(s.NumReturnSequences), int64(s.NumToGenerate)), true
	case *synapse.TextCrossEntropy:
		return positions, true
	}
	return 0, false
}

// product multiplies, with 0 for what is negative, and stays at the largest number.
func product(factors ...int64) int64 {
	n := int64(1)
	for _, f := range factors {
		if f <= 0 {
			return 0
		}
		if n > math.MaxInt64/f {
			n = math.MaxInt64
		} else {
			n *= f
		}
	}
	return n
}

// add likewise adds what is not negative.
func add(terms ...int64) int64 {
	var sum int64
	for _, t := range terms {
		if sum > math.MaxInt64-t {
			return math.MaxInt64
		}
		sum += t
	}
	return sum
}
