package validator

import (
	"math"
	"math/rand/v2"
	"testing"

	"axon/kernels"
	"axon/synapse"
)

// A round of the sizes that the network had: 64 servers, 8 texts.
const (
	benchServers = 64
	benchTexts   = 8
	benchLength  = 64
)

func benchPhrases(r *rand.Rand) []synapse.Phrases {
	answer := make([]synapse.Phrases, benchTexts)
	for i := range answer {
		p := synapse.Phrases{List: make([]synapse.Phrase, 4096), Floor: 1e-7}
		for j := range p.List {
			p.List[j] = synapse.Phrase{Prob: float32(0.2 / float64(j+2)), Tokens: []int32{r.Int32N(50257), r.Int32N(50257)}[:1+r.IntN(2)]}
		}
		answer[i] = p
	}
	return answer
}

func benchTargets(r *rand.Rand) [][]int32 {
	targets := make([][]int32, benchTexts)
	for i := range targets {
		for range 8 {
			targets[i] = append(targets[i], r.Int32N(50257))
		}
	}
	return targets
}

// BenchmarkMeasureNext is one server's answer.
func BenchmarkMeasureNext(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	answer, targets := benchPhrases(r), benchTargets(r)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := MeasureNext(answer, targets); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMeasureCausalLM is one server's answer with 512 entries a row.
func BenchmarkMeasureCausalLM(b *testing.B) {
	rows, batch, following := benchRows(rand.New(rand.NewPCG(1, 0)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := MeasureCausalLM(matrix{rows, benchLength}, batch, following, synapse.NetworkVocabulary); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRows(r *rand.Rand) ([]kernels.Sparse, synapse.Batch, []int32) {
	batch, following := randomBatch(r, benchTexts, benchLength, 50257)
	rows := make([]kernels.Sparse, benchTexts*benchLength)
	for i := range rows {
		row := kernels.Sparse{Rest: -3}
		for j := range int32(512) {
			row.Entries = append(row.Entries, kernels.Entry{Index: 98*j + r.Int32N(98), Value: float32(-7 - 3*math.Abs(r.NormFloat64()))})
		}
		rows[i] = row
	}
	return rows, batch, following
}

// BenchmarkScoreNext compares the servers of a round: divergence and, where asked for,
// synergy.
func BenchmarkScoreNext(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	targets := benchTargets(r)
	replies := make([]Reply, benchServers)
	for i := range replies {
		a, err := MeasureNext(benchPhrases(r), targets)
		if err != nil {
			b.Fatal(err)
		}
		replies[i] = Reply{UID: i, Answer: a}
	}
	benchScore(b, Next, replies)
}

// BenchmarkScoreCausalLM does it for TextCausalLM.
func BenchmarkScoreCausalLM(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	replies := make([]Reply, benchServers)
	for i := range replies {
		a := &Answer{}
		for range benchTexts * (benchLength - 1) {
			a.Losses = append(a.Losses, r.ExpFloat64()*3)
		}
		for range benchTexts {
			a.First = append(a.First, r.ExpFloat64()*3)
		}
		replies[i] = Reply{UID: i, Answer: a}
	}
	benchScore(b, CausalLM, replies)
}

func benchScore(b *testing.B, task Task, replies []Reply) {
	b.Helper()
	for name, rules := range map[string]Rules{"alone": {}, "synergy": {Synergy: true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Score(task, replies); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
