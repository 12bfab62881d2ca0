package validator

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/synapse"
)

// truth is how likely each standard token is to come next: some by name, and the rest
// evenly.
type truth struct {
	named map[int32]float64
	rest  float64
}

func (p truth) prob(token int32) float64 {
	if v, ok := p.named[token]; ok {
		return v
	}
	return p.rest / float64(synapse.StandardVocabulary-len(p.named))
}

// randomTruth gives tokens spread-out probabilities, and the rest a part of 1.
func randomTruth(r *rand.Rand) truth {
	p := truth{named: map[int32]float64{}, rest: r.Float64() * r.Float64()}
	weights := map[int32]float64{}
	sum := 0.0
	for range 2 + r.IntN(60) {
		w := math.Exp(3 * r.NormFloat64())
		weights[r.Int32N(synapse.StandardVocabulary)] = w
	}
	tokens := sortedKeys(weights)
	for _, t := range tokens {
		sum += weights[t]
	}
	for _, t := range tokens {
		p.named[t] = weights[t] / sum * (1 - p.rest)
	}
	return p
}

func sortedKeys(m map[int32]float64) []int32 {
	var keys []int32
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// entropy is what nobody can lose less than.
func (p truth) entropy() float64 {
	h := 0.0
	for _, v := range p.named {
		h -= v * math.Log(v)
	}
	if p.rest > 0 {
		h -= p.rest * math.Log(p.rest/float64(synapse.StandardVocabulary-len(p.named)))
	}
	return h
}

// expected is what an answer loses on average over what comes. Of the tokens that neither
// truth nor answer name all are alike, so that one stands for them.
func (p truth) expected(t *testing.T, answer synapse.Phrases) float64 {
	t.Helper()
	var tokens []int32
	var probs []float64
	seen, left := map[int32]bool{}, 1.0
	add := func(token int32) {
		if !seen[token] && token >= 0 && token < synapse.StandardVocabulary {
			seen[token] = true
			tokens, probs = append(tokens, token), append(probs, p.prob(token))
			left -= p.prob(token)
		}
	}
	for token := range p.named {
		add(token)
	}
	for _, phrase := range answer.List {
		add(tokenAt(phrase.Tokens, 0))
	}
	for token := range int32(synapse.StandardVocabulary) {
		if !seen[token] {
			tokens, probs = append(tokens, token), append(probs, max(0, left))
			break
		}
	}
	a, err := MeasureFirstNext(slices.Repeat([]synapse.Phrases{answer}, len(tokens)), tokens)
	require.NoError(t, err)
	sum := 0.0
	for i, loss := range a.Losses {
		sum += probs[i] * loss
	}
	return sum
}

func distributionOf(p synapse.Phrases) *firstToken {
	f := newFirstToken()
	f.take(phrasesOf(0.5, phrase(0.25, 7), phrase(0.25, 8))) // what was before is forgotten
	f.take(p)
	return f
}

// honestly answers with the truth, the likeliest first, spelt in phrases that go on at will.
func (p truth) honestly(r *rand.Rand) synapse.Phrases {
	var answer synapse.Phrases
	for _, token := range sortedKeys(p.named) {
		part := p.named[token]
		for range r.IntN(3) { // several phrases may begin alike
			share := part * r.Float64()
			part -= share
			answer.List = append(answer.List, phrase(float32(share), token, r.Int32N(50257)))
		}
		answer.List = append(answer.List, phrase(float32(part), token))
	}
	slices.SortFunc(answer.List, func(a, b synapse.Phrase) int { return int(math.Copysign(1, float64(b.Prob-a.Prob))) })
	answer.Floor = float32(p.rest / 50000)
	return answer
}

// distortions are ways of answering something else than the truth.
var distortions = map[string]func(r *rand.Rand, p synapse.Phrases) synapse.Phrases{
	"sharpened": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases { return tempered(p, 1+2*r.Float64()) },
	"flattened": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases { return tempered(p, r.Float64()) },
	"inflated": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		return each(p, func(v float64) float64 { return v * (1 + 9*r.Float64()) })
	},
	"inflated alike": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		factor := 1 + 9*r.Float64()
		return each(p, func(v float64) float64 { return v * factor })
	},
	"deflated": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		factor := r.Float64()
		return each(p, func(v float64) float64 { return v * factor })
	},
	"noisy": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		return each(p, func(v float64) float64 { return v * math.Exp(r.NormFloat64()) })
	},
	"one certain": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		at := r.IntN(len(p.List))
		i := -1
		return each(p, func(float64) float64 { i++; return map[bool]float64{true: 1}[i == at] })
	},
	"fewer": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		p.List = p.List[:r.IntN(len(p.List))]
		return p
	},
	"decoys": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		for range 1 + r.IntN(20) {
			p.List = append(p.List, phrase(float32(r.Float64()/20), r.Int32N(50257), r.Int32N(50257)))
		}
		return p
	},
	"exchanged": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		i, j := r.IntN(len(p.List)), r.IntN(len(p.List))
		p.List[i].Prob, p.List[j].Prob = p.List[j].Prob, p.List[i].Prob
		return p
	},
	"others' tokens": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		for i := range p.List {
			p.List[i].Tokens = []int32{r.Int32N(60000) - 5}
		}
		return p
	},
	"floor": func(r *rand.Rand, p synapse.Phrases) synapse.Phrases {
		p.Floor = float32(r.Float64())
		return p
	},
	"truncated": func(_ *rand.Rand, p synapse.Phrases) synapse.Phrases {
		for i := range p.List {
			p.List[i].Tokens = p.List[i].Tokens[:1]
		}
		return p
	},
	"silent about all": func(_ *rand.Rand, p synapse.Phrases) synapse.Phrases {
		return each(p, func(float64) float64 { return 0 })
	},
}

func each(p synapse.Phrases, f func(float64) float64) synapse.Phrases {
	for i := range p.List {
		p.List[i].Prob = float32(f(float64(p.List[i].Prob)))
	}
	return p
}

// tempered raises all to a power, and leaves the named their mass.
func tempered(p synapse.Phrases, power float64) synapse.Phrases {
	before, after := 0.0, 0.0
	for _, q := range p.List {
		before += float64(q.Prob)
		after += math.Pow(float64(q.Prob), power)
	}
	return each(p, func(v float64) float64 { return math.Pow(v, power) * before / after })
}

func clone(p synapse.Phrases) synapse.Phrases {
	p.List = slices.Clone(p.List)
	for i := range p.List {
		p.List[i].Tokens = slices.Clone(p.List[i].Tokens)
	}
	return p
}

// float32 rounds what is answered: by so much may an answer of the truth be off.
const rounding = 1e-5

func TestNoDistortionOfTheTruthLowersTheExpectedLoss(t *testing.T) {
	r := random(t)
	hurt := map[string]int{}
	for range 300 {
		p := randomTruth(r)
		honest := p.honestly(r)
		fair := p.expected(t, honest)
		require.InDelta(t, p.entropy(), fair, rounding, "the truth loses the entropy")
		for name, distort := range distortions {
			loss := p.expected(t, distort(r, clone(honest)))
			require.GreaterOrEqual(t, loss, fair-rounding, name)
			if loss > fair+1e-3 {
				hurt[name]++
			}
		}
	}
	for name := range distortions {
		switch name {
		case "floor", "truncated": // do not count at all
			require.Zero(t, hurt[name], name)
		case "inflated alike": // hurts where there is a rest
			require.Greater(t, hurt[name], 30, name)
		default:
			require.Greater(t, hurt[name], 100, "%s costs something", name)
		}
	}
}

func TestAnAnswerIsADistribution(t *testing.T) {
	r := random(t)
	for range 20 {
		p := randomPhrases(r, 1+r.IntN(300))
		for i := range p.List {
			p.List[i].Prob *= float32(3 * r.Float64())
			p.List[i].Tokens[0] = r.Int32N(60000) - 100
		}
		requireDistribution(t, p)
	}
	requireDistribution(t, synapse.Phrases{})
	requireDistribution(t, phrasesOf(1, phrase(float32(math.NaN()), 5)))
	requireDistribution(t, phrasesOf(1, phrase(0.5), phrase(0.25, 7), phrase(7, -3)))
	all := synapse.Phrases{List: make([]synapse.Phrase, synapse.StandardVocabulary)}
	for i := range all.List {
		all.List[i] = phrase(0.5/50257, int32(i))
	}
	require.InDelta(t, 1, massOf(all), 1e-6)
	require.InDelta(t, 1, massOf(each(all, func(float64) float64 { return 0 })), 1e-6)
}

func massOf(p synapse.Phrases) (sum float64) {
	f := distributionOf(p)
	for token := range int32(synapse.StandardVocabulary) {
		sum += f.prob(token)
	}
	return sum
}

// requireDistribution says that all tokens together have 1, less what went to what is no
// token.
func requireDistribution(t *testing.T, p synapse.Phrases) {
	t.Helper()
	wasted, total := 0.0, 0.0
	for _, q := range p.List {
		if math.IsNaN(float64(q.Prob)) {
			continue
		}
		total += clamp(q.Prob)
		if t := tokenAt(q.Tokens, 0); t < 0 || t >= synapse.StandardVocabulary {
			wasted += clamp(q.Prob)
		}
	}
	require.InDelta(t, 1-wasted/max(1, total), massOf(p), 2e-6)
	require.LessOrEqual(t, massOf(p), 1+1e-9)
}

func TestTheProperLossOfRows(t *testing.T) {
	r := random(t)
	const texts, length = 3, 4
	rows := randomRows(r, texts*length, synapse.NetworkVocabulary, 64)
	b := synapse.Batch{Texts: texts, Length: length}
	rows[1*length+length-1].Rest = float32(math.Inf(-1)) // nothing is left for the others
	rows[2*length+length-1].Entries[0].Value = float32(math.NaN())
	targets := []int32{rows[length-1].Entries[5].Index, unnamed(rows[2*length-1]), 7}
	a, err := MeasureFirstCausalLM(matrix{rows, length}, b, targets)
	require.NoError(t, err)
	dense := make([]float64, 0, synapse.NetworkVocabulary)
	for _, v := range fill(rows[length-1], synapse.NetworkVocabulary) {
		dense = append(dense, math.Exp(float64(v)))
	}
	sum := 0.0
	for _, v := range dense {
		sum += v
	}
	require.InDelta(t, -math.Log(dense[targets[0]]/sum), a.Losses[0], 1e-5)
	mass := 1e-6 // a millionth is left at least
	for _, e := range rows[1*length+length-1].Entries {
		mass += math.Exp(float64(e.Value))
	}
	require.InDelta(t, -math.Log(1e-6/mass/(synapse.NetworkVocabulary-64)), a.Losses[1], 1e-4)
	require.Equal(t, SilenceLoss, a.Losses[2])

	_, err = MeasureFirstCausalLM(matrix{rows, length}, b, targets[:2])
	require.ErrorIs(t, err, ErrAnswer)
	_, err = MeasureFirstCausalLM(matrix{rows, length}, b, []int32{1, 2, -1})
	require.ErrorIs(t, err, ErrTarget)
}

// A server that answers with enormous numbers spoils nobody's divergence.
func TestRowsAreNormalisedBeforeTheyAreCompared(t *testing.T) {
	b := synapse.Batch{Texts: 1, Length: 1}
	var replies []Reply
	for uid, value := range []float32{-0.1, -0.2, 88.72, -0.3} {
		row := kernels.Sparse{Entries: []kernels.Entry{{Index: int32(uid / 2), Value: value}}, Rest: -3}
		a, err := MeasureFirstCausalLM(matrix{[]kernels.Sparse{row}, 1}, b, []int32{0})
		require.NoError(t, err)
		replies = append(replies, Reply{UID: uid, Answer: a})
	}
	stats, err := Rules{Proper: true}.Score(CausalLM, replies)
	require.NoError(t, err)
	for _, s := range stats {
		require.LessOrEqual(t, s.Divergence, 1.0)
		require.GreaterOrEqual(t, s.Divergence, 0.0)
	}
}

func unnamed(row kernels.Sparse) int32 {
	for token := int32(0); ; token++ {
		if !slices.ContainsFunc(row.Entries, func(e kernels.Entry) bool { return e.Index == token }) {
			return token
		}
	}
}

func TestWhatCannotBeMeasuredProperly(t *testing.T) {
	_, err := MeasureFirstNext(nil, nil)
	require.ErrorIs(t, err, ErrAnswer)
	_, err = MeasureFirstNext(make([]synapse.Phrases, 2), []int32{1})
	require.ErrorIs(t, err, ErrAnswer)
	_, err = MeasureFirstNext(make([]synapse.Phrases, 1), []int32{synapse.StandardVocabulary})
	require.ErrorIs(t, err, ErrTarget)
}

// A server that is silent where it is unsure answers fewer questions, and easier ones. By
// the reference's averages that lowers its loss; by the proper rule it cannot.
func TestSilenceAboutWhatIsHardGainsNothing(t *testing.T) {
	r := random(t)
	rules := map[string]Rules{"reference": {Alpha: 0.02}, "proper": {Alpha: 0.02, Proper: true}}
	loss := map[string][2]float64{}
	weight := map[string][2]float64{}
	for name, rule := range rules {
		averages := Averages{}
		for range 2000 {
			sure := r.IntN(2) == 0
			l := 8.0
			if sure {
				l = 2
			}
			honest := Reply{UID: 1, Answer: &Answer{Losses: []float64{l}, First: []float64{l}}}
			sly := Reply{UID: 2, Answer: honest.Answer}
			if !sure {
				sly.Answer = nil
			}
			stats, err := rule.Score(Next, []Reply{honest, sly})
			require.NoError(t, err)
			for i := range stats {
				stats[i].Worth.Synergy = 0 // as with the reference's synergy switched on, and none to be had
			}
			averages.Update(stats, rule)
		}
		loss[name] = [2]float64{averages[1].Worth.Loss, averages[2].Worth.Loss}
		weight[name] = [2]float64{averages[1].Weight, averages[2].Weight}
	}
	require.Less(t, loss["reference"][1], loss["reference"][0]/2)
	require.Greater(t, weight["reference"][1], 10*weight["reference"][0])
	require.Greater(t, loss["proper"][1], loss["proper"][0])
	require.Less(t, weight["proper"][1], weight["proper"][0])
}

// FuzzProper lets any answer loose on any truth.
func FuzzProper(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		p := randomTruth(rand.New(rand.NewPCG(seed, 1)))
		known := sortedKeys(p.named)
		var answer synapse.Phrases
		for ; len(data) >= 7 && len(answer.List) < 100; data = data[7:] {
			token := known[int(data[0])%len(known)]
			if data[1]%4 == 0 {
				token = int32(binary.LittleEndian.Uint16(data[1:]))
			}
			answer.List = append(answer.List, phrase(math.Float32frombits(binary.LittleEndian.Uint32(data[3:])), token))
		}
		require.GreaterOrEqual(t, p.expected(t, answer), p.entropy()-1e-9)
	})
}
