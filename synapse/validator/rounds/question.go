package rounds

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/validator"
	"axon/synapse/wire"
)

// chance is the round's source of random numbers.
func (o Options) chance(number int) *rand.Rand {
	text := []byte("axon validator round")
	text = binary.LittleEndian.AppendUint64(text, o.Seed)
	text = binary.LittleEndian.AppendUint64(text, uint64(number)) //nolint:gosec // a count
	return rand.New(rand.NewChaCha8(sha256.Sum256(text)))
}

// question is what a round asks, and what came in truth.
type question struct {
	batch   synapse.Batch
	synapse synapse.Synapse
	targets [][]int32 // of each text the tokens that were held out
	first   []int32   // the first of each
}

func (o Options) question(chance *rand.Rand, windows [][]int32) *question {
	q := &question{batch: synapse.Batch{Texts: len(windows), Length: o.Context - o.Prune}}
	for _, window := range windows {
		q.batch.Tokens = append(q.batch.Tokens, o.pruned(chance, window[:o.Context])...)
		q.targets = append(q.targets, window[o.Context:])
		q.first = append(q.first, window[o.Context])
	}
	if o.Task == validator.Next {
		q.synapse = &synapse.TextCausalLMNext{TopK: o.TopK}
		return q
	}
	rows := &synapse.TextCausalLM{TopK: o.TopK}
	if o.Packed {
		rows.Coding.ForwardResponse = wire.Serializer_SERIALIZER_PACKED
	}
	q.synapse = rows
	return q
}

// plain is the same question, for servers that do not know the packed form.
func (o Options) plain(q *question) *question {
	p := *q
	p.synapse = &synapse.TextCausalLM{TopK: o.TopK}
	return &p
}

// pruned leaves tokens out: whoever knows the text by heart does not find it as it was.
// The last three stay, so that what follows still follows from them.
func (o Options) pruned(chance *rand.Rand, context []int32) []int32 {
	if o.Prune == 0 {
		return context
	}
	gone := chance.Perm(len(context) - keptAtTheEnd)[:o.Prune]
	kept := make([]int32, 0, len(context)-o.Prune)
	for i, token := range context {
		if !slices.Contains(gone, i) {
			kept = append(kept, token)
		}
	}
	return kept
}

// choose draws the servers of a round, in the order of their uids.
func (o Options) choose(chance *rand.Rand, all []client.Endpoint) []client.Endpoint {
	byUID := func(a, b client.Endpoint) int { return a.UID - b.UID }
	list := slices.SortedFunc(slices.Values(all), byUID)
	if o.Servers == 0 || o.Servers >= len(list) {
		return list
	}
	chance.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	list = list[:o.Servers]
	slices.SortFunc(list, byUID)
	return list
}

// measure is what an answer lost.
func (o Options) measure(q *question, a synapse.Answer) (*validator.Answer, error) {
	switch a := a.(type) {
	case *synapse.NextPhrases:
		if o.Rules.Proper {
			return validator.MeasureFirstNext(a.Texts, q.first)
		}
		return validator.MeasureNext(a.Texts, q.targets)
	case *synapse.Distributions:
		if o.Rules.Proper {
			return validator.MeasureFirstCausalLM(a, q.batch, q.first)
		}
		return validator.MeasureCausalLM(a, q.batch, q.first, synapse.NetworkVocabulary)
	}
	return nil, validator.ErrAnswer
}
