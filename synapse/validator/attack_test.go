package validator

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse"
)

// source is a text of which all is known: which phrase comes next, and how
// likely. After the phrase comes something that nobody names.
func source() []synapse.Phrase {
	var list []synapse.Phrase
	for first := range int32(40) { // each first token alone, and with four and sixteen ways to go on
		p := float32(0.9 / 40)
		list = append(list, phrase(p/3, first))
		for second := range int32(4) {
			list = append(list, phrase(p/12, first, 100+second))
			for third := range int32(4) {
				list = append(list, phrase(p/48, first, 200+second, 300+third))
			}
		}
	}
	return list
}

// honest is an answer that gives each phrase its probability, and the rest to
// what it does not name.
func honest() synapse.Phrases {
	p := synapse.Phrases{List: source()}
	p.Floor = float32(0.1 / float64(synapse.StandardVocabulary-len(p.List)))
	return p
}

// truncated names the first token of each phrase only.
func truncated() synapse.Phrases {
	p := honest()
	for i := range p.List {
		p.List[i].Tokens = p.List[i].Tokens[:1]
	}
	return p
}

// withDecoy adds a phrase that cannot come, and is as long as the target.
func withDecoy(p synapse.Phrases) synapse.Phrases {
	p.List = append(p.List, phrase(0, 60000, 1, 2, 3, 4, 5, 6, 7))
	return p
}

// expected are the losses of an answer, on average over what may come: one of
// the phrases, or in a tenth of cases what nobody names.
func expected(t *testing.T, answer synapse.Phrases) (sum PhraseLosses) {
	t.Helper()
	come := append(source(), phrase(0.1, 900))
	for _, next := range come {
		target := append(append([]int32{}, next.Tokens...), 901, 902, 903, 904, 905, 906, 907)[:8]
		l := losses(t, answer, target...)
		sum.First += float64(next.Prob) * l.First
		sum.Phrase += float64(next.Prob) * l.Phrase
	}
	return sum
}

// By the reference's rule a server gains by cutting its phrases: all that begin with
// the right token count then. What it can gain is what its phrases say beyond their
// first token, and no more.
func TestTruncatedPhrasesGainWhatTheySayBeyondTheFirstToken(t *testing.T) {
	fair, cut := expected(t, honest()), expected(t, truncated())
	require.InDelta(t, fair.First, cut.First, 1e-9) // by the first token it is all the same
	require.InDelta(t, cut.First, cut.Phrase, 1e-9) // and more than the first token cannot be had
	// Of what begins with the right token the honest server has a third for phrases of one
	// token; where they go on, a twelfth or a forty-eighth more. What nobody named costs the
	// cut phrases two floors.
	beyond := (math.Log(3) + math.Log(12.0/5) + math.Log(48.0/17)) / 3
	require.InDelta(t, 0.9*beyond-0.1*math.Log(3), fair.Phrase-cut.Phrase, 1e-3)
	require.Less(t, cut.Phrase, fair.Phrase)

	worth := func(loss float64) float64 { return Power(EffectiveParams(loss), 0.5) }
	t.Logf("loss %.3f, cut %.3f, of the first token %.3f: a base score of %.0f becomes %.0f",
		fair.Phrase, cut.Phrase, fair.First, worth(fair.Phrase), worth(cut.Phrase))
}

// A phrase as long as the target brings a floor for each of its tokens, whether it can
// come or not: up to ln 8 for what nobody named.
func TestLongPhraseThatCannotComeCollectsFloors(t *testing.T) {
	plain, decoy := truncated(), withDecoy(truncated())
	without := losses(t, plain, 900, 901, 902, 903, 904, 905, 906, 907)
	with := losses(t, decoy, 900, 901, 902, 903, 904, 905, 906, 907)
	require.InDelta(t, math.Log(8), without.Phrase-with.Phrase, 1e-3)
	require.InDelta(t, without.First, with.First, 1e-3)
	require.Less(t, expected(t, decoy).Phrase, expected(t, plain).Phrase)
	t.Logf("loss %.3f, with a long phrase %.3f", expected(t, plain).Phrase, expected(t, decoy).Phrase)
}

// Phrases that share first tokens leave more tokens to the floor than it was
// divided among: their losses as probabilities sum up to more than 1.
func TestFirstTokensAreNotQuiteADistribution(t *testing.T) {
	p := honest()
	r := NewPhraseRule([]synapse.Phrases{p})
	sum := 0.0
	for token := range int32(synapse.StandardVocabulary) {
		l, err := r.Losses(p, []int32{token})
		require.NoError(t, err)
		sum += math.Exp(-l.First)
	}
	distinct := 40
	require.InDelta(t, 1+float64(len(p.List)-distinct)*float64(p.Floor), sum, 1e-4)
	require.Greater(t, sum, 1.0)
}

// Scaling all up gains nothing: probabilities are divided by their sum.
func TestInflatedProbabilitiesGainNothing(t *testing.T) {
	fair, more := honest(), honest()
	for i := range more.List {
		more.List[i].Prob *= 8
	}
	more.Floor *= 8
	require.InDelta(t, expected(t, fair).Phrase, expected(t, more).Phrase, 1e-6)

	for i := range more.List { // without the floor it loses
		more.List[i].Prob *= 2
	}
	require.Greater(t, expected(t, more).First, expected(t, fair).First)
	require.Greater(t, expected(t, more).Phrase, expected(t, fair).Phrase)
}

// One answer of zeros that calls itself a success makes everybody's divergence
// unknown, and so takes everybody's penalty away.
func TestAnswerOfZerosHidesEverybodysDivergence(t *testing.T) {
	replies := []Reply{next(t, 1, 0.9), next(t, 2, 0.5), next(t, 3, 0.4), next(t, 4, 0.1)}
	stats, err := Rules{}.Score(Next, replies)
	require.NoError(t, err)
	require.Greater(t, stats[0].Divergence, 0.0)

	zeros, err := MeasureNext([]synapse.Phrases{phrasesOf(0, phrase(0, 2))}, [][]int32{{10}})
	require.NoError(t, err)
	stats, err = Rules{}.Score(Next, append(replies, Reply{UID: 5, Answer: zeros}))
	require.NoError(t, err)
	for _, s := range stats {
		require.True(t, math.IsNaN(s.Divergence) && math.IsNaN(s.Excess))
		require.True(t, s.Answered)
	}
}

// next is a server that gives the right token this probability, and the rest to
// one of its own.
func next(t *testing.T, uid int, prob float32) Reply {
	t.Helper()
	p := phrasesOf(0, phrase(prob, 10), phrase(1-prob, int32(100+uid)))
	a, err := MeasureNext([]synapse.Phrases{p}, [][]int32{{10}})
	require.NoError(t, err)
	return Reply{UID: uid, Time: 1, Answer: a}
}
