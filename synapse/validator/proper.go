package validator

import (
	"fmt"
	"math"

	"axon/kernels"
	"axon/synapse"
)

// SilenceLoss is what a server loses by the proper rule where it does not answer, in
// nats: as much as one that knows nothing, ln 50258. A server that answers by what it
// knows never expects to lose more, so there is no text about which it gains by silence.
var SilenceLoss = math.Log(synapse.NetworkVocabulary)

// MeasureFirstNext measures an answer to TextCausalLMNext by the proper rule: how likely
// it makes the first standard token of what came. The event is that token and nothing
// else, and every answer whatever gives one distribution of it that sums up to 1:
//
//	named(t) = Σ p over phrases that begin with t
//	rest     = max(1e-6, 1 − Σ p)
//	Q(t)     = named(t) / (Σ p + rest)                 for tokens that begin a phrase
//	         = rest / (Σ p + rest) / (others)          for each of the others of the 50257
//
// with p clamped to [0, 1]; what is left is never known to be less than a millionth, since
// probabilities travel as float32. So the loss −ln Q is a logarithmic score, which is proper
// (Good 1952; Gneiting and Raftery 2007, doi:10.1198/016214506000001437): whatever a server
// answers, it expects to lose the entropy of what it takes for true, and the divergence of
// its answer from that. Where a phrase goes on does not count, and neither does the floor,
// which is the server's word for how many tokens it has. Phrases without a standard
// token keep their mass, for an event that never comes.
//
// Losses lie between 0 and 92.1, that of a token which was ruled out. Errors are ErrAnswer
// and ErrTarget.
func MeasureFirstNext(answer []synapse.Phrases, targets []int32) (*Answer, error) {
	if len(answer) != len(targets) || len(answer) == 0 {
		return nil, fmt.Errorf("%w: phrases for %d texts, %d targets", ErrAnswer, len(answer), len(targets))
	}
	a := &Answer{tokens: make([][]kernels.Entry, len(answer))}
	first := newFirstToken()
	for i, p := range answer {
		target := targets[i]
		if target < 0 || target >= synapse.StandardVocabulary {
			return nil, fmt.Errorf("%w: token %d of text %d", ErrTarget, target, i)
		}
		first.take(p)
		a.Losses = append(a.Losses, nats(first.prob(target)))
		a.tokens[i] = first.entries()
	}
	a.First = a.Losses
	return a, nil
}

// firstToken is the distribution of the first standard token that phrases stand for: a row
// of them all, which serves one text after the other.
type firstToken struct {
	mass  []float64
	named []bool  // whether a token begins a phrase
	order []int32 // those that do, in the order of the phrases
	rest  float64 // mass of all other tokens
	total float64
}

func newFirstToken() *firstToken {
	return &firstToken{mass: make([]float64, synapse.StandardVocabulary), named: make([]bool, synapse.StandardVocabulary)}
}

// take forgets the phrases before.
func (f *firstToken) take(p synapse.Phrases) {
	for _, token := range f.order {
		f.mass[token], f.named[token] = 0, false
	}
	f.order, f.total = f.order[:0], 0
	for _, phrase := range p.List {
		prob := clamp(phrase.Prob)
		if math.IsNaN(prob) {
			prob = 0
		}
		f.total += prob
		token := tokenAt(phrase.Tokens, 0)
		if token < 0 || token >= synapse.StandardVocabulary {
			continue
		}
		if !f.named[token] {
			f.named[token] = true
			f.order = append(f.order, token)
		}
		f.mass[token] += prob
	}
	f.rest = max(leastLeft, 1-f.total)
	if len(f.order) == synapse.StandardVocabulary { // nobody is left who could have it
		f.rest = 0
	}
	f.total += f.rest
}

// prob is what a token has: all tokens of the vocabulary together have 1 at most.
func (f *firstToken) prob(token int32) float64 {
	switch {
	case f.total == 0: // all are named, and none has anything
		return 1 / float64(synapse.StandardVocabulary)
	case f.named[token]:
		return f.mass[token] / f.total
	}
	return f.rest / f.total / float64(synapse.StandardVocabulary-len(f.order))
}

// entries are the tokens that are named, for comparing servers.
func (f *firstToken) entries() []kernels.Entry {
	list := make([]kernels.Entry, len(f.order))
	for i, token := range f.order {
		list[i] = kernels.Entry{Index: token, Value: float32(f.prob(token))}
	}
	return list
}

// leastLeft is the least mass that a sum of float32 can be said to leave of 1. Without it a
// server that is rightly sure of its tokens would lose 92 nats wherever another came.
const leastLeft = 1e-6

// MeasureFirstCausalLM measures an answer to TextCausalLM by the proper rule: the row of
// each text's last position against the token that came after it. The rows before are
// about tokens that the server was shown, and worth nothing. A row is normalised over
// the network's vocabulary, see [MeasureCausalLM], with a millionth at least for what it
// does not name. Where that cannot be done, because its
// logarithms are infinite or not numbers, the loss is that of silence. Errors are
// ErrAnswer, ErrTarget, and those of the rows.
func MeasureFirstCausalLM(rows Rows, b synapse.Batch, targets []int32) (*Answer, error) {
	if b.Length < 1 || b.Texts < 1 || len(targets) != b.Texts {
		return nil, fmt.Errorf("%w: %d texts of %d tokens, and %d that follow", ErrAnswer, b.Texts, b.Length, len(targets))
	}
	a := &Answer{Losses: make([]float64, b.Texts), tokens: make([][]kernels.Entry, b.Texts)}
	var scratch []float32
	for i, target := range targets {
		row, err := rows.At(i, b.Length-1)
		if err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
		row.Rest = max(row.Rest, float32(math.Log(leastLeft))) // NaN stays
		loss, sum, err := sparseLoss(row, target, synapse.NetworkVocabulary, &scratch)
		if err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
		if math.IsNaN(loss) || math.IsInf(sum, 0) { // the row is no distribution
			a.Losses[i] = SilenceLoss
			continue
		}
		a.Losses[i] = min(loss, maxLoss)
		a.tokens[i] = make([]kernels.Entry, len(row.Entries))
		for j, e := range row.Entries {
			a.tokens[i][j] = kernels.Entry{Index: e.Index, Value: float32(math.Exp(float64(e.Value) - sum))}
		}
	}
	a.First = a.Losses
	return a, nil
}

// maxLoss is that of a probability of 0, in nats.
var maxLoss = nats(0)
