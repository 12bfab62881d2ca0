package engine

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/models"
)

// search is a beam search in the middle of its work, with the built-in
// model's vocabulary, whose token 0 ends a text.
func search(t *testing.T, o BeamOptions) *beamSearch {
	t.Helper()
	m, err := OpenModel(context.Background(), ModelOptions{Data: models.BuiltIn, VocabOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	require.True(t, m.Vocab().IsEOG(0))
	o.Groups = or(o.Groups, 1)
	return &beamSearch{req: &GenerateRequest{}, opt: o, vocab: m.Vocab(), steps: 1}
}

func next(total float64, logprobs map[Token]float64) []candidate {
	var list []candidate
	for t, p := range logprobs {
		list = append(list, candidate{token: t, logprob: p, total: total + p})
	}
	return list
}

func TestBeamsAreTheBestCandidatesOfAll(t *testing.T) {
	b := search(t, BeamOptions{Beams: 2})
	g := &beamGroup{beams: []*beam{
		{new: []Token{5}, probs: []float64{-1}, total: -1, next: next(-1, map[Token]float64{7: -0.5, 8: -2})},
		{new: []Token{6}, probs: []float64{-1.2}, total: -1.2, next: next(-1.2, map[Token]float64{9: -0.1, 10: -3})},
	}}
	b.choose(g, map[Token]int{})
	require.False(t, g.over)
	require.Equal(t, []Token{6, 9}, g.beams[0].new)
	require.InDelta(t, -1.3, g.beams[0].total, 1e-9)
	require.Equal(t, []Token{5, 7}, g.beams[1].new)
	require.Equal(t, []float64{-1, -0.5}, g.beams[1].probs)
}

func TestATextThatEndsBecomesAHypothesis(t *testing.T) {
	b := search(t, BeamOptions{Beams: 2, LengthPenalty: 1})
	b.steps = 2
	g := &beamGroup{beams: []*beam{
		{new: []Token{5}, total: -1, next: next(-1, map[Token]float64{0: -0.2, 7: -0.5, 8: -2})},
		{new: []Token{6}, total: -4, next: next(-4, map[Token]float64{0: -0.1, 9: -1})},
	}}
	b.choose(g, map[Token]int{})
	require.Len(t, g.found, 1, "an end that is not among the best of as many as beams is dropped")
	require.Equal(t, []Token{5}, g.found[0].tokens)
	require.InDelta(t, -1.2/2, g.found[0].score, 1e-9, "the end counts as a token")
	require.False(t, g.over)
	require.Equal(t, []Token{5, 7}, g.beams[0].new)
}

func TestAGroupEndsWhenNothingBetterCanCome(t *testing.T) {
	hypotheses := func() []hypothesis { return []hypothesis{{score: -0.5}, {score: -1}} }
	for _, c := range []struct {
		name  string
		early bool
		total float64
		over  bool
	}{
		{"an open beam is better", false, -1, false},
		{"no open beam is better", false, -5, true},
		{"early stopping does not look", true, -1, true},
	} {
		b := search(t, BeamOptions{Beams: 2, LengthPenalty: 1, EarlyStopping: c.early})
		b.steps = 2
		g := &beamGroup{found: hypotheses(), beams: []*beam{{new: []Token{5}, total: c.total, next: next(c.total, map[Token]float64{7: 0})}}}
		b.choose(g, map[Token]int{})
		require.Equal(t, c.over, g.over, c.name)
	}
}

func TestLengthPenalty(t *testing.T) {
	for penalty, want := range map[float32]float64{0: -8, 1: -2, 2: -0.5} {
		b := search(t, BeamOptions{Beams: 1, LengthPenalty: penalty})
		require.InDelta(t, want, b.score(-8, 4), 1e-9)
	}
}

func TestDiversityIsPaidForGood(t *testing.T) {
	b := search(t, BeamOptions{Beams: 2, Groups: 2, DiversityPenalty: 1.5})
	taken := map[Token]int{}
	first := &beamGroup{beams: []*beam{{next: next(0, map[Token]float64{7: -0.5, 8: -1})}}}
	second := &beamGroup{beams: []*beam{{next: next(0, map[Token]float64{7: -0.5, 8: -9})}}}
	b.choose(first, taken)
	b.choose(second, taken)
	require.Equal(t, []Token{7}, first.beams[0].new)
	require.Equal(t, []Token{7}, second.beams[0].new, "still the best, but dearer")
	require.InDelta(t, -2, second.beams[0].total, 1e-9)
}

func TestPenaliseActsOnLogProbabilities(t *testing.T) {
	b := search(t, BeamOptions{Beams: 1})
	b.req = &GenerateRequest{Sampling: Sampling{RepeatPenalty: 2, NoRepeatNGram: 2}}
	b.recent = 64
	row := []float32{1, 1, 1, 1}
	lse := 1 + math.Log(4)
	got := b.penalise(row, lse, []Token{2, 3, 2})
	require.Equal(t, []float32{1, 1, 1, 1}, row, "the row itself is llama.cpp's")
	require.InDelta(t, lse-2*math.Log(4), got[2], 1e-6)
	require.True(t, math.IsInf(float64(got[3]), -1), "2 3 occurred")
	require.Equal(t, float32(1), got[0])
}
