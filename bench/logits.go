package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Kind is what a synthetic row of logits looks like.
type Kind string

// The kinds: one that models make, and those that are meant to be hard.
const (
	Realistic  Kind = "realistic"
	Ascending  Kind = "ascending" // the values of a realistic row, sorted
	Descending Kind = "descending"
	Constant   Kind = "constant"
	TwoValued  Kind = "two-valued"  // half of the row at random
	Misled     Kind = "misled"      // the largest values where package kernels samples a row
	MisledMore Kind = "misled-more" // and where it samples it again
	MisledLow  Kind = "misled-low"  // the smallest values where it samples first
)

// Kinds are all of them.
var Kinds = []Kind{Realistic, Ascending, Descending, Constant, TwoValued, Misled, MisledMore, MisledLow}

// ParseKinds reads a list of kinds; "all" stands for every one.
func ParseKinds(names []string) ([]Kind, error) {
	var list []Kind
	for _, name := range names {
		k := Kind(name)
		switch {
		case name == "all":
			list = append(list, Kinds...)
		case slices.Contains(Kinds, k):
			list = append(list, k)
		default:
			return nil, fmt.Errorf("kind %q: must be all, %s", name, strings.Join(kindNames(), ", "))
		}
	}
	return list, nil
}

func kindNames() []string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = string(k)
	}
	return names
}

// SyntheticRows makes n rows of a kind over a vocabulary. The same arguments
// give the same rows.
func SyntheticRows(kind Kind, vocab, n int, seed uint64) [][]float32 {
	r := rand.New(rand.NewPCG(seed, uint64(vocab)))
	biases := tokenBiases(r, vocab)
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = realisticRow(r, biases)
		disguise(r, kind, rows[i])
	}
	return rows
}

// tokenBiases are what a model prefers whatever the text: Zipf's law over
// frequency ranks. A token's number tells its rank only roughly, as in
// vocabularies that were merged pair by pair.
func tokenBiases(r *rand.Rand, vocab int) []float64 {
	const slope, disorder = 0.8, 1.2
	biases := make([]float64, vocab)
	for i := range biases {
		biases[i] = -slope * (math.Log(float64(i+10)) + disorder*r.NormFloat64())
	}
	return biases
}

// realisticRow is the tokens' biases, noise for each token, and the tokens that
// the text calls for, whose likelihoods fall off as a power from a peak that
// differs from row to row. At any size of vocabulary the standard deviation of
// the logits is 2.2, the entropy 1.5 to 5 nats with a mean of 3.5, and 0.06 to
// 0.09 of the mass lie outside the 128 most likely tokens, 0.03 outside 512.
// The values lie about zero, where llama.cpp's buckets expect them.
func realisticRow(r *rand.Rand, biases []float64) []float32 {
	const noise, level = 1.7, 6
	row := make([]float32, len(biases))
	for i, b := range biases {
		row[i] = float32(level + b + noise*r.NormFloat64())
	}
	peak := 11 + 6*r.Float64() + math.Log(float64(len(row))/50257)
	for j := range 8 + r.IntN(len(row)/64) {
		// What is called for falls off as a power, too, and frequent tokens are
		// called for more often.
		logit := peak - 1.3*math.Log(float64(j+1)) + r.NormFloat64()
		i := min(int(math.Pow(float64(len(row)), 0.3+0.7*r.Float64())), len(row)-1)
		row[i] = max(row[i], float32(logit))
	}
	return row
}

// disguise turns a realistic row into another kind, in place.
func disguise(r *rand.Rand, kind Kind, row []float32) {
	switch kind {
	case Ascending, Descending:
		slices.Sort(row)
		if kind == Descending {
			slices.Reverse(row)
		}
	case Constant:
		for i := range row {
			row[i] = 1
		}
	case TwoValued:
		for i := range row {
			row[i] = float32(r.IntN(2))
		}
	case Misled:
		shiftSample(row, 0, 20)
	case MisledMore:
		shiftSample(row, 0, 20)
		shiftSample(row, 1, 20)
	case MisledLow:
		shiftSample(row, 0, -20)
	}
}

// shiftSample adds to the values by which package kernels guesses where the k
// largest begin: 128 runs of 16 at the same distance, and between those of the
// first sample those of the second. It must follow what kernels does.
func shiftSample(row []float32, second int, by float32) {
	const runs, run = 128, 16
	if len(row) < 4*runs*run {
		return
	}
	step := (len(row) - run) / runs
	for i := range runs {
		for j := range run {
			row[i*step+second*step/2+j] += by
		}
	}
}
