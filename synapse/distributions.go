package synapse

import (
	"fmt"
	"math"

	"axon/kernels"
)

// Distributions are the answer of TextCausalLM: of every position some tokens of
// the network's vocabulary, and what is left for all others.
type Distributions struct {
	Texts, Length, TopK int

	compact []float32        // as it came: of each position probabilities, then ids within the vocabulary
	packed  []kernels.Sparse // or so
}

// At is the distribution of what follows a position of a text, by ascending id.
// It is an error, which wraps [ErrDecode], where the server's numbers are no
// probabilities.
func (d *Distributions) At(text, pos int) (kernels.Sparse, error) {
	row := text*d.Length + pos
	if d.packed != nil {
		return d.packed[row], nil
	}
	return ParseCausalLM(d.row(row), NetworkVocabulary)
}

func (d *Distributions) row(i int) []float32 { return d.compact[i*2*d.TopK : (i+1)*2*d.TopK] }

// checkIDs refuses ids outside the network's vocabulary.
func (d *Distributions) checkIDs() error {
	for i := range d.Texts * d.Length {
		for _, v := range d.row(i)[d.TopK:] {
			if _, err := tokenID(v, NetworkVocabulary); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tensor is float32 [Texts, Length, 50258], the logarithms of all probabilities
// as the reference has them: what the named tokens leave of 1, and 1e-40 at
// least, is spread over as many tokens as were not asked for. Where a server's
// numbers are no probabilities so are these, with zero for NaN and the largest
// number for infinities.
func (d *Distributions) Tensor() Tensor {
	logs := make([]float32, d.Texts*d.Length*NetworkVocabulary)
	for i := range d.Texts * d.Length {
		d.Dense(logs[i*NetworkVocabulary:(i+1)*NetworkVocabulary], i/d.Length, i%d.Length)
	}
	return NewFloat32(logs, d.Texts, d.Length, NetworkVocabulary)
}

// Dense writes one position of the tensor, 50258 numbers.
func (d *Distributions) Dense(logs []float32, text, pos int) {
	row := text*d.Length + pos
	if d.packed != nil {
		spread(logs, d.packed[row])
		return
	}
	spreadCompact(logs, d.row(row))
	finite(logs)
}

// spread writes the logarithms of a distribution's probabilities.
func spread(logs []float32, s kernels.Sparse) {
	fill(logs, float32(max(float64(s.Rest), math.Log(leastRest))-math.Log(float64(len(logs)-len(s.Entries)))))
	for _, e := range s.Entries {
		logs[e.Index] = float32(max(float64(e.Value), math.Log(leastRest)))
	}
}

// spreadCompact does the reference's arithmetic, in float32, on probabilities and
// ids, of which each lies within logs.
func spreadCompact(logs, row []float32) {
	k := len(row) / 2
	mass := 0.0
	for _, p := range row[:k] {
		mass += float64(p)
	}
	rest := max(min(1-float32(mass), 1), leastRest) // NaN stays
	fill(logs, log32(rest/float32(len(logs)-k)))
	for i, p := range row[:k] {
		logs[int(row[k+i])] = log32(p + leastRest)
	}
}

func log32(v float32) float32 { return float32(math.Log(float64(v))) }

func fill(values []float32, v float32) {
	for i := range values {
		values[i] = v
	}
}

// String says how many there are.
func (d *Distributions) String() string {
	return fmt.Sprintf("%d × %d distributions, the top %d of each", d.Texts, d.Length, d.TopK)
}
