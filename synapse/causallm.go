package synapse

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"axon/kernels"
)

// NetworkVocabulary is how many tokens a receiver takes the standard tokenizer
// to have: GPT-2's 50257 and one spare.
const NetworkVocabulary = 50258

// AppendCausalLM appends what TextCausalLM answers for one position: the
// probabilities of the most likely tokens in descending order, and then their
// ids, all as float32. The entries hold log-probabilities, as
// [kernels.LogProbs] leaves them.
func AppendCausalLM(dst []float32, top []kernels.Entry) []float32 {
	for _, e := range top {
		dst = append(dst, float32(math.Exp(float64(e.Value))))
	}
	for _, e := range top {
		dst = append(dst, float32(e.Index))
	}
	return dst
}

// ParseCausalLM reads one position's answer, half probabilities, half ids, over
// a vocabulary. Of an id that comes twice the later counts, fractions of ids are
// cut off, and a mass of 1 and more leaves 1e-40 for all other tokens, as in the
// reference. Probabilities that are negative or no numbers are refused, as are
// ids outside the vocabulary: ErrDecode.
func ParseCausalLM(row []float32, vocabulary int) (kernels.Sparse, error) {
	k := len(row) / 2
	if len(row)%2 != 0 || k > vocabulary {
		return kernels.Sparse{}, fmt.Errorf("%w: %d numbers for a position over %d tokens", ErrDecode, len(row), vocabulary)
	}
	d := kernels.Sparse{Entries: make([]kernels.Entry, k)}
	mass := 0.0
	for i := range d.Entries {
		p, id := float64(row[i]), math.Trunc(float64(row[k+i]))
		if !(p >= 0 && p <= math.MaxFloat32) {
			return kernels.Sparse{}, fmt.Errorf("%w: a probability of %v", ErrDecode, p)
		}
		if !(id >= 0 && id < float64(vocabulary)) {
			return kernels.Sparse{}, fmt.Errorf("%w: token %v of %d", ErrDecode, id, vocabulary)
		}
		mass += p
		d.Entries[i] = kernels.Entry{Index: int32(id), Value: float32(math.Log(p + leastRest))}
	}
	d.Entries = distinct(d.Entries)
	d.Rest = float32(math.Log(max(min(1-mass, 1), leastRest)))
	return d, nil
}

// distinct orders entries by index and keeps the last of each.
func distinct(entries []kernels.Entry) []kernels.Entry {
	slices.Reverse(entries)
	slices.SortStableFunc(entries, func(a, b kernels.Entry) int { return cmp.Compare(a.Index, b.Index) })
	return slices.CompactFunc(entries, func(a, b kernels.Entry) bool { return a.Index == b.Index })
}
