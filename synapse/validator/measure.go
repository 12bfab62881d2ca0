package validator

import (
	"fmt"
	"math"
	"slices"

	"axon/kernels"
	"axon/synapse"
)

// missingLoss is what stands for a loss that is not a number, in nats.
const missingLoss = 20

// Answer is what a server's answer comes to. The answer itself is needed no
// more: this holds 8 bytes for each prediction, and for TextCausalLMNext 8 for
// each phrase.
type Answer struct {
	// Losses are −ln of how likely the server found what came, in nats: of
	// TextCausalLMNext the phrase of each text, of TextCausalLM each token but the
	// first, text after text.
	Losses []float64
	// First are the losses of each text's first held-out token.
	First []float64
	// tokens are, for each text, the phrases' first tokens and what they are
	// likely to be: float32 of p / total (see [PhraseRule.Losses]), in the order of
	// the phrases, one token maybe several times. TextCausalLM has none, and so has
	// an answer whose phrases do not all begin with a token below
	// [synapse.NetworkVocabulary]: it is not compared with others.
	tokens [][]kernels.Entry
}

// MeasureNext measures an answer to TextCausalLMNext: phrases for each text
// against the tokens that came. A loss that is NaN becomes 20. Errors are
// ErrAnswer and ErrTarget.
func MeasureNext(answer []synapse.Phrases, targets [][]int32) (*Answer, error) {
	return NewPhraseRule(answer).measure(answer, targets)
}

func (r PhraseRule) measure(answer []synapse.Phrases, targets [][]int32) (*Answer, error) {
	if len(answer) != len(targets) || len(answer) == 0 {
		return nil, fmt.Errorf("%w: phrases for %d texts, %d targets", ErrAnswer, len(answer), len(targets))
	}
	a := &Answer{}
	for i, p := range answer {
		l, err := r.Losses(p, targets[i])
		if err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
		a.Losses = append(a.Losses, orMissing(l.Phrase))
		a.First = append(a.First, orMissing(l.First))
	}
	a.tokens = r.firstTokens(answer)
	return a, nil
}

func orMissing(loss float64) float64 {
	if math.IsNaN(loss) {
		return missingLoss
	}
	return loss
}

// firstTokens are an answer's first tokens, nil when one is none.
func (r PhraseRule) firstTokens(answer []synapse.Phrases) [][]kernels.Entry {
	tokens := make([][]kernels.Entry, len(answer))
	for i, p := range answer {
		total := r.total(p)
		tokens[i] = make([]kernels.Entry, len(p.List))
		for j, phrase := range p.List {
			token := tokenAt(phrase.Tokens, 0)
			if token < 0 || token >= synapse.NetworkVocabulary {
				return nil
			}
			tokens[i][j] = kernels.Entry{Index: token, Value: float32(clamp(phrase.Prob) / total)}
		}
	}
	return tokens
}

// Rows are distributions of what follows each position of each text, entries by
// ascending index; [synapse.Distributions] are.
type Rows interface {
	At(text, pos int) (kernels.Sparse, error)
}

// MeasureCausalLM measures an answer to TextCausalLM, row by row, against the
// tokens of the batch and the first held-out token of each text. The vocabulary
// is that of the rows, [synapse.NetworkVocabulary] on the network. Logarithms need not be
// normalised: a loss is
//
//	ln(Σ exp(entries) + exp(rest)) − (the token's entry, or rest − ln(vocabulary − entries))
//
// which is the cross-entropy of the row that a receiver of release 3.7.0 fills
// in, without the row. The sum has a relative error of 1e-6. Losses may be infinite
// or NaN where logarithms are. Errors are ErrAnswer, ErrTarget, and those of the rows.
func MeasureCausalLM(rows Rows, b synapse.Batch, next []int32, vocabulary int) (*Answer, error) {
	if b.Length < 1 || b.Texts < 1 || len(next) != b.Texts || len(b.Tokens) != b.Texts*b.Length {
		return nil, fmt.Errorf("%w: %d texts of %d tokens, %d tokens in all, and %d that follow",
			ErrAnswer, b.Texts, b.Length, len(b.Tokens), len(next))
	}
	a := &Answer{Losses: make([]float64, 0, b.Texts*(b.Length-1)), First: make([]float64, 0, b.Texts)}
	var scratch []float32
	for i := range b.Texts * b.Length {
		text, pos := i/b.Length, i%b.Length
		losses, target := &a.First, next[text]
		if pos+1 < b.Length {
			losses, target = &a.Losses, b.Tokens[i+1]
		}
		row, err := rows.At(text, pos)
		if err != nil {
			return nil, fmt.Errorf("text %d, position %d: %w", text, pos, err)
		}
		loss, _, err := sparseLoss(row, target, vocabulary, &scratch)
		if err != nil {
			return nil, fmt.Errorf("text %d, position %d: %w", text, pos, err)
		}
		*losses = append(*losses, loss)
	}
	return a, nil
}

// sparseLoss is the cross-entropy of one row, and the logarithm of the sum that the row is
// divided by. The scratch grows to the row's entries.
func sparseLoss(row kernels.Sparse, target int32, vocabulary int, scratch *[]float32) (loss, sum float64, err error) {
	others := vocabulary - len(row.Entries)
	if target < 0 || int(target) >= vocabulary || others < 0 {
		return 0, 0, fmt.Errorf("%w: token %d, %d entries, a vocabulary of %d", ErrTarget, target, len(row.Entries), vocabulary)
	}
	values := (*scratch)[:0]
	for _, e := range row.Entries {
		values = append(values, e.Value)
	}
	if others > 0 {
		values = append(values, row.Rest)
	}
	*scratch = values
	if sum, err = kernels.LogSumExp(values); err != nil { // NaN somewhere
		return math.NaN(), 0, nil //nolint:nilerr // what is lost is not a number then, as documented
	}
	at, named := slices.BinarySearchFunc(row.Entries, target, func(e kernels.Entry, t int32) int { return int(e.Index) - int(t) })
	if named {
		return sum - float64(row.Entries[at].Value), sum, nil
	}
	return sum - float64(row.Rest) + math.Log(float64(others)), sum, nil
}
