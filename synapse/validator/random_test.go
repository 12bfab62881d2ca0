package validator

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/synapse"
)

// random is a source of numbers whose seed a failing test names.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomPhrases are k phrases of up to three of some few tokens.
func randomPhrases(r *rand.Rand, k int) synapse.Phrases {
	p := synapse.Phrases{List: make([]synapse.Phrase, k), Floor: float32(1e-3 * r.Float64() / synapse.StandardVocabulary)}
	sum := 0.0
	weights := make([]float64, k)
	for i := range weights {
		weights[i] = math.Exp(4 * r.NormFloat64())
		sum += weights[i]
	}
	for i := range p.List {
		p.List[i].Prob = float32(0.999 * weights[i] / sum)
		for range 1 + r.IntN(3) {
			p.List[i].Tokens = append(p.List[i].Tokens, r.Int32N(300))
		}
	}
	return p
}

func randomTargets(r *rand.Rand, texts int) [][]int32 {
	targets := make([][]int32, texts)
	for i := range targets {
		for range 8 {
			targets[i] = append(targets[i], r.Int32N(300))
		}
	}
	return targets
}

// randomRound is a round of TextCausalLMNext in which every fifth server is silent.
func randomRound(t *testing.T, r *rand.Rand, servers, texts, k int) []Reply {
	t.Helper()
	targets := randomTargets(r, texts)
	replies := make([]Reply, servers)
	for i, uid := range r.Perm(10 * servers)[:servers] {
		replies[i] = Reply{UID: uid, Time: r.Float64(), Routing: r.Float64()}
		if i%5 == 4 {
			continue
		}
		var answer []synapse.Phrases
		for range texts {
			answer = append(answer, randomPhrases(r, k))
		}
		a, err := MeasureNext(answer, targets)
		require.NoError(t, err)
		replies[i].Answer = a
	}
	return replies
}

// randomRow is a distribution over all tokens of a vocabulary, of which k are named.
func randomRow(r *rand.Rand, vocabulary, k int, s *kernels.Scratch) kernels.Sparse {
	logits := make([]float32, vocabulary)
	for i := range logits {
		logits[i] = float32(3 * r.NormFloat64())
	}
	top, lse, _ := kernels.Reduce(nil, logits, k, kernels.ByIndex, s)
	return kernels.Sparse{Rest: kernels.LogProbs(top, lse, vocabulary, s), Entries: top}
}

func randomBatch(r *rand.Rand, texts, length, vocabulary int) (b synapse.Batch, following []int32) {
	b = synapse.Batch{Texts: texts, Length: length}
	for range texts * length {
		b.Tokens = append(b.Tokens, r.Int32N(int32(vocabulary)))
	}
	for range texts {
		following = append(following, r.Int32N(int32(vocabulary)))
	}
	return b, following
}

func randomRows(r *rand.Rand, n, vocabulary, k int) []kernels.Sparse {
	var s kernels.Scratch
	rows := make([]kernels.Sparse, n)
	for i := range rows {
		rows[i] = randomRow(r, vocabulary, k, &s)
	}
	return rows
}

// matrix holds rows, text after text.
type matrix struct {
	rows   []kernels.Sparse
	length int
}

func (m matrix) At(text, pos int) (kernels.Sparse, error) { return m.rows[text*m.length+pos], nil }

func TestPerfectPredictionLosesLeast(t *testing.T) {
	r := random(t)
	for range 200 {
		target := randomTargets(r, 1)[0]
		perfect := phrasesOf(0, phrase(1, target[0], target[1]), phrase(0, 1))
		best := losses(t, perfect, target...)
		require.Zero(t, best.First)
		require.Zero(t, best.Phrase)
		other := losses(t, randomPhrases(r, 1+r.IntN(40)), target...)
		require.Greater(t, other.First, best.First)
		require.Greater(t, other.Phrase, best.Phrase)
	}
}
