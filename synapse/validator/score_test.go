package validator

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/synapse"
)

func TestPerfectServerHasTheHighestScore(t *testing.T) {
	r := random(t)
	const texts, length, vocabulary = 2, 6, 100
	b, following := randomBatch(r, texts, length, vocabulary)
	perfect := make([]kernels.Sparse, texts*length)
	for i := range perfect {
		target := following[i/length]
		if i%length+1 < length {
			target = b.Tokens[i+1]
		}
		perfect[i] = kernels.Sparse{Entries: []kernels.Entry{{Index: target}}, Rest: float32(math.Inf(-1))}
	}
	replies := []Reply{}
	for uid, rows := range [][]kernels.Sparse{perfect, randomRows(r, texts*length, vocabulary, 20), randomRows(r, texts*length, vocabulary, 100)} {
		a, err := MeasureCausalLM(matrix{rows, length}, b, following, vocabulary)
		require.NoError(t, err)
		replies = append(replies, Reply{UID: uid, Answer: a})
	}
	stats, err := Rules{}.Score(CausalLM, replies)
	require.NoError(t, err)
	require.Zero(t, stats[0].Worth.Loss)
	require.Zero(t, stats[0].First.Loss)
	for _, s := range stats[1:] {
		require.Greater(t, stats[0].Score, s.Score)
		require.Greater(t, s.Worth.Loss, stats[0].Worth.Loss)
	}
}

func TestOrderOfServersDoesNotMatter(t *testing.T) {
	r := random(t)
	replies := randomRound(t, r, 12, 3, 50)
	rules := Rules{Synergy: true}
	want, err := rules.Score(Next, replies)
	require.NoError(t, err)
	byUID := map[int]map[string]float64{}
	for _, s := range want {
		byUID[s.UID] = withUID(s.UID, s.Named())
	}
	for range 5 {
		r.Shuffle(len(replies), func(i, j int) { replies[i], replies[j] = replies[j], replies[i] })
		got, err := rules.Score(Next, replies)
		require.NoError(t, err)
		for i, s := range got {
			require.Equal(t, replies[i].UID, s.UID)
			require.Equal(t, byUID[s.UID], withUID(s.UID, s.Named())) // to the last bit
		}
	}
}

func TestCopiesHaveNoSynergyAndDoNotDiverge(t *testing.T) {
	reply := randomRound(t, random(t), 1, 4, 100)[0]
	var replies []Reply
	for uid := range 7 {
		replies = append(replies, Reply{UID: uid, Answer: reply.Answer})
	}
	stats, err := Rules{Synergy: true}.Score(Next, replies)
	require.NoError(t, err)
	for _, s := range stats {
		require.InDelta(t, 0, s.Worth.Synergy, 1e-6*Power(EffectiveParams(s.Worth.Loss), 0.6))
		require.InDelta(t, 0, s.Divergence, 1e-12)
		require.InDelta(t, 0, s.Excess, 1e-9)
	}
}

func TestOutlierHasTheExcess(t *testing.T) {
	var replies []Reply
	for uid := range 8 {
		p := phrasesOf(1e-7, phrase(0.6, 10), phrase(0.3+0.001*float32(uid), 11))
		if uid == 5 {
			p = phrasesOf(1e-7, phrase(0.9, 77), phrase(0.05, 10))
		}
		a, err := MeasureNext([]synapse.Phrases{p}, [][]int32{{10}})
		require.NoError(t, err)
		replies = append(replies, Reply{UID: uid, Answer: a})
	}
	stats, err := Rules{}.Score(Next, replies)
	require.NoError(t, err)
	for _, s := range stats {
		require.GreaterOrEqual(t, s.Divergence, 0.0)
		require.LessOrEqual(t, s.Divergence, 1.0)
		if s.UID == 5 {
			require.Greater(t, s.Excess, 1.0)
			require.LessOrEqual(t, s.Excess, 10.0)
		} else {
			require.Zero(t, s.Excess)
		}
	}
}

// fill is the row of all tokens that a receiver makes of the sparse form.
func fill(row kernels.Sparse, vocabulary int) []float32 {
	dense := make([]float32, vocabulary)
	floor := float32(float64(row.Rest) - math.Log(float64(vocabulary-len(row.Entries))))
	for i := range dense {
		dense[i] = floor
	}
	for _, e := range row.Entries {
		dense[e.Index] = e.Value
	}
	return dense
}

func TestSparseLossIsTheDenseOne(t *testing.T) {
	r := random(t)
	const texts, length, vocabulary = 3, 5, 2000
	b, following := randomBatch(r, texts, length, vocabulary)
	rows := randomRows(r, texts*length, vocabulary, 64)
	b.Tokens[1] = rows[0].Entries[3].Index // one that is named for sure
	rows[7].Rest += 2                      // and sums that are not 1
	rows[8].Entries[5].Value += 3
	a, err := MeasureCausalLM(matrix{rows, length}, b, following, vocabulary)
	require.NoError(t, err)
	require.Len(t, a.Losses, texts*(length-1))
	require.Len(t, a.First, texts)
	for i, row := range rows {
		text, pos := i/length, i%length
		dense := fill(row, vocabulary)
		if pos == length-1 {
			want, err := kernels.CrossEntropy(dense, int(following[text]))
			require.NoError(t, err)
			require.InDelta(t, want, a.First[text], 1e-5)
			continue
		}
		want, err := kernels.CrossEntropy(dense, int(b.Text(text)[pos+1]))
		require.NoError(t, err)
		require.InDelta(t, want, a.Losses[text*(length-1)+pos], 1e-5)
	}
}

func TestSynergyIsThatOfTheMeanDistribution(t *testing.T) {
	r := random(t)
	const texts, length, vocabulary = 2, 9, 300
	shared := 0
	for range 20 { // in some of them two are better than the better one
		b, following := randomBatch(r, texts, length, vocabulary)
		rows := [2][]kernels.Sparse{randomRows(r, texts*length, vocabulary, 30), randomRows(r, texts*length, vocabulary, 30)}
		replies := make([]Reply, 2)
		for i := range replies {
			a, err := MeasureCausalLM(matrix{rows[i], length}, b, following, vocabulary)
			require.NoError(t, err)
			replies[i] = Reply{UID: 4 + i, Answer: a}
		}
		share := nan
		stats, err := Rules{Synergy: true, Pair: func(_, _ int, s float64) { share = s }}.Score(CausalLM, replies)
		require.NoError(t, err)

		better, measured := min(stats[0].Worth.Loss, stats[1].Worth.Loss), denseLoss(t, rows, b, vocabulary)
		require.InDelta(t, max(better-measured, 0)/4, share, 1e-5)
		gain := max(Power(EffectiveParams(measured), 0.6)-Power(EffectiveParams(better), 0.6), 0) / 4
		for _, s := range stats {
			require.Equal(t, share, s.Worth.SynergyLoss)
			require.InDelta(t, gain, s.Worth.Synergy, 1e-3*Power(EffectiveParams(better), 0.6))
			require.Equal(t, s.Worth.Base+s.Worth.Synergy, s.Worth.Score)
			require.Equal(t, s.Score, min(s.Worth.Score, s.First.Score))
		}
		if share > 0 {
			shared++
		}
	}
	require.Positive(t, shared)
}

// denseLoss is the loss of the mean of two distributions over all tokens.
func denseLoss(t *testing.T, rows [2][]kernels.Sparse, b synapse.Batch, vocabulary int) float64 {
	t.Helper()
	sum, n := 0.0, 0.0
	for i := range rows[0] {
		if i%b.Length+1 == b.Length {
			continue
		}
		p, q := fill(rows[0][i], vocabulary), fill(rows[1][i], vocabulary)
		require.NoError(t, kernels.Softmax(p, p))
		require.NoError(t, kernels.Softmax(q, q))
		for j := range p {
			p[j] = float32(math.Log(float64(p[j]+q[j])/2 + 1e-40))
		}
		loss, err := kernels.CrossEntropy(p, int(b.Tokens[i+1]))
		require.NoError(t, err)
		sum, n = sum+loss, n+1
	}
	return sum / n
}

func TestSynergyIsAskedFor(t *testing.T) {
	replies := []Reply{next(t, 1, 0.01), next(t, 2, 0.02)}
	replies[0].Answer.Losses, replies[1].Answer.Losses = []float64{0.1, 9}, []float64{9, 0.1}
	stats, err := Rules{}.Score(Next, replies)
	require.NoError(t, err)
	require.Zero(t, stats[0].Worth.Synergy)
	stats, err = Rules{Synergy: true}.Score(Next, replies)
	require.NoError(t, err)
	require.Positive(t, stats[0].Worth.Synergy)
}

// A TextCausalLM loss that is not finite is no answer. When only that of the first
// held-out token is not, the text still counts, but not towards a score.
func TestLossThatIsNotFiniteIsNoScore(t *testing.T) {
	inf := math.Inf(1)
	replies := []Reply{
		{UID: 1, Answer: &Answer{Losses: []float64{2, 2}, First: []float64{3}}},
		{UID: 2, Answer: &Answer{Losses: []float64{2, inf}, First: []float64{3}}},
		{UID: 3, Answer: &Answer{Losses: []float64{2, 3}, First: []float64{nan}}},
	}
	stats, err := Rules{Synergy: true}.Score(CausalLM, replies)
	require.NoError(t, err)
	require.True(t, stats[0].Answered)
	require.Positive(t, stats[0].Score)
	require.True(t, !stats[1].Answered && math.IsNaN(stats[1].Worth.Loss) && math.IsNaN(stats[1].Score))
	require.True(t, !stats[2].Answered && math.IsNaN(stats[2].First.Loss) && math.IsNaN(stats[2].Score))
	require.Equal(t, 2.5, stats[2].Worth.Loss)
	require.Positive(t, stats[2].Worth.Score)
}

func TestRoundRefusesWhatIsNone(t *testing.T) {
	one := &Answer{Losses: []float64{1}, First: []float64{1}}
	two := &Answer{Losses: []float64{1, 2}, First: []float64{1, 2}}
	for name, replies := range map[string][]Reply{
		"twice":     {{UID: 1}, {UID: 2}, {UID: 1}},
		"different": {{UID: 1, Answer: one}, {UID: 2, Answer: two}},
		"tokens":    {{UID: 1, Answer: &Answer{Losses: []float64{1}, First: []float64{1}, tokens: make([][]kernels.Entry, 2)}}},
	} {
		_, err := Rules{}.Score(Next, replies)
		require.ErrorIs(t, err, ErrRound, name)
	}
	stats, err := Rules{}.Score(Next, nil)
	require.NoError(t, err)
	require.Empty(t, stats)
}

// unreadable rows are numbers of a server that are no probabilities.
type unreadable struct{}

func (unreadable) At(int, int) (kernels.Sparse, error) { return kernels.Sparse{}, synapse.ErrDecode }

func TestMeasureCausalLMRefusesWhatDoesNotFit(t *testing.T) {
	b := synapse.Batch{Texts: 1, Length: 2, Tokens: []int32{1, 2}}
	row := kernels.Sparse{Entries: []kernels.Entry{{Index: 2, Value: 0}}, Rest: -1}
	rows := matrix{[]kernels.Sparse{row, row}, 2}
	for name, bad := range map[string]synapse.Batch{
		"no texts": {Length: 2},
		"empty":    {Texts: 1},
		"tokens":   {Texts: 1, Length: 2, Tokens: []int32{1}},
	} {
		_, err := MeasureCausalLM(rows, bad, []int32{3}, 10)
		require.ErrorIs(t, err, ErrAnswer, name)
	}
	_, err := MeasureCausalLM(rows, b, nil, 10)
	require.ErrorIs(t, err, ErrAnswer)
	_, err = MeasureCausalLM(unreadable{}, b, []int32{3}, 10)
	require.ErrorIs(t, err, synapse.ErrDecode)
	for _, target := range []int32{-1, 10} {
		_, err := MeasureCausalLM(rows, b, []int32{target}, 10)
		require.ErrorIs(t, err, ErrTarget)
	}
}

// What a client decodes is measured as it is.
func TestDistributionsOfTheSynapseAreRows(t *testing.T) {
	q, b := &synapse.TextCausalLM{TopK: 2}, synapse.Batch{Texts: 1, Length: 2, Tokens: []int32{5, 6}}
	needs, finish := q.Answer(b)
	for pos := range b.Length {
		require.NoError(t, needs[0].Row(pos, kernels.Sparse{Entries: []kernels.Entry{
			{Index: 6, Value: float32(math.Log(0.5))}, {Index: 9, Value: float32(math.Log(0.25))}}}))
	}
	sent, err := finish()
	require.NoError(t, err)
	answer, err := q.Decode(b, sent)
	require.NoError(t, err)
	a, err := MeasureCausalLM(answer.(*synapse.Distributions), b, []int32{7}, synapse.NetworkVocabulary)
	require.NoError(t, err)
	require.InDelta(t, math.Log(2), a.Losses[0], 1e-5)
	require.InDelta(t, math.Log(4*(synapse.NetworkVocabulary-2)), a.First[0], 1e-5)
}

func TestRulesSayAllThatIsWrong(t *testing.T) {
	err := Rules{Power: -1, SynergyPower: math.Inf(1), Penalty: nan, Alpha: 2}.Validate()
	require.ErrorIs(t, err, ErrRules)
	for _, name := range []string{"the power", "synergy", "penalty", "alpha"} {
		require.ErrorContains(t, err, name)
	}
	require.NoError(t, Rules{}.Validate())
	_, err = Rules{Alpha: -1}.Score(Next, nil)
	require.ErrorIs(t, err, ErrRules)
}

func TestNamesAreDistinct(t *testing.T) {
	for _, task := range []Task{Next, CausalLM} {
		s, seen := newStats(task, 1), map[string]bool{}
		for _, f := range s.fields() {
			require.False(t, seen[f.name], f.name)
			seen[f.name] = true
		}
	}
}

func TestEffectiveParams(t *testing.T) {
	require.InEpsilon(t, 8.83e10, EffectiveParams(1), 1e-3)
	require.Equal(t, EffectiveParams(0), EffectiveParams(EntropyOfText))
	require.InEpsilon(t, math.Pow(1.01, -1/0.076), EffectiveParams(2.525)/EffectiveParams(2.5), 1e-4)
	previous := math.Inf(1)
	for loss := EntropyOfText; loss < 30; loss += 0.01 {
		params := EffectiveParams(loss)
		require.Less(t, params, previous)
		previous = params
	}
}
