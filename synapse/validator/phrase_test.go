package validator

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse"
)

func phrase(prob float32, tokens ...int32) synapse.Phrase {
	return synapse.Phrase{Prob: prob, Tokens: tokens}
}

func phrasesOf(floor float32, list ...synapse.Phrase) synapse.Phrases {
	return synapse.Phrases{List: list, Floor: floor}
}

// losses are those of a batch of one.
func losses(t *testing.T, p synapse.Phrases, target ...int32) PhraseLosses {
	t.Helper()
	l, err := NewPhraseRule([]synapse.Phrases{p}).Losses(p, target)
	require.NoError(t, err)
	return l
}

func TestPhraseLosses(t *testing.T) {
	p := phrasesOf(1e-6, phrase(0.4, 10, 20), phrase(0.3, 10), phrase(0.2, 30, 31, 32))
	total := 0.9 + (50257-3)*1e-6

	l := losses(t, p, 10, 20, 21) // two phrases begin so: both count, and the floor for the third token
	require.InDelta(t, -math.Log(0.7/total), l.First, 1e-6)
	require.InDelta(t, -math.Log((0.7+1e-6)/total), l.Phrase, 1e-6)

	l = losses(t, p, 10, 99, 98) // only the shorter one does
	require.InDelta(t, -math.Log(0.7/total), l.First, 1e-6)
	require.InDelta(t, -math.Log((0.3+2e-6)/total), l.Phrase, 1e-6)

	l = losses(t, p, 77, 78, 79, 80) // none does: a floor for each token up to the longest phrase's
	require.InDelta(t, -math.Log(1e-6/total), l.First, 1e-6)
	require.InDelta(t, -math.Log(3e-6/total), l.Phrase, 1e-6)

	l = losses(t, p, 30, 31) // a phrase that goes on counts by its beginning
	require.InDelta(t, -math.Log((0.2+1e-6)/total), l.Phrase, 1e-6)
}

func TestPhraseLossesRefuseWhatCannotBeCompared(t *testing.T) {
	p := phrasesOf(1e-6, phrase(0.4, 10))
	_, err := NewPhraseRule([]synapse.Phrases{p}).Losses(p, nil)
	require.ErrorIs(t, err, ErrTarget)
	bare := phrasesOf(1e-6, phrase(0.4))
	_, err = NewPhraseRule([]synapse.Phrases{bare}).Losses(bare, []int32{1})
	require.ErrorIs(t, err, ErrAnswer)
	_, err = MeasureNext([]synapse.Phrases{p}, [][]int32{{1}, {2}})
	require.ErrorIs(t, err, ErrAnswer)
	_, err = MeasureNext(nil, nil)
	require.ErrorIs(t, err, ErrAnswer)
}

func TestAnswerOfZerosLosesTwenty(t *testing.T) {
	a, err := MeasureNext([]synapse.Phrases{phrasesOf(0, phrase(0, 2), phrase(0, 2))}, [][]int32{{5}})
	require.NoError(t, err)
	require.Equal(t, []float64{20}, a.Losses)
	require.Equal(t, []float64{20}, a.First)
}

// phraseTensor spells out what release 3.7.0 computes with: rows of a fixed width.
func phraseTensor(p synapse.Phrases, width int) [][]int32 {
	rows := make([][]int32, len(p.List))
	for i, phrase := range p.List {
		for len(rows[i]) < width {
			rows[i] = append(rows[i], padding)
		}
		copy(rows[i], phrase.Tokens)
	}
	return rows
}

// definition is the phrase cross-entropy word for word: normalised
// probabilities, and every row compared with every beginning of the target.
func definition(r PhraseRule, p synapse.Phrases, target []int32) PhraseLosses {
	rows := phraseTensor(p, r.Longest)
	total := float64(max(0, r.Vocabulary-len(rows))) * clamp(p.Floor)
	for _, phrase := range p.List {
		total += clamp(phrase.Prob)
	}
	massOf := func(matches func(row []int32) bool) float64 {
		sum, some := 0.0, false
		for i, row := range rows {
			if matches(row) {
				sum += clamp(p.List[i].Prob) / total
				some = true
			}
		}
		if !some {
			return clamp(p.Floor) / total
		}
		return sum
	}
	n, match := min(r.Longest, len(target)), 0.0
	for c := 1; c <= n; c++ {
		want := make([]int32, n)
		for i := range want {
			want[i] = padding
		}
		copy(want, target[:c])
		match += massOf(func(row []int32) bool {
			equal := 0
			for i := range n {
				if row[i] == want[i] {
					equal++
				}
			}
			return equal == n
		})
	}
	first := massOf(func(row []int32) bool { return row[0] == target[0] })
	return PhraseLosses{nats(first), nats(match)}
}

// fuzzedPhrases reads phrases: a probability's four bytes, a length, and a byte for
// each token, of which 255 is padding. The last probability is the floor.
func fuzzedPhrases(data []byte) (p synapse.Phrases) {
	for len(data) >= 5 {
		phrase := synapse.Phrase{Prob: math.Float32frombits(binary.LittleEndian.Uint32(data))}
		n := min(int(data[4]%6), len(data)-5)
		phrase.Tokens = fuzzedTokens(data[5 : 5+n])
		p.List = append(p.List, phrase)
		data = data[5+n:]
	}
	if last := len(p.List) - 1; last >= 0 {
		p.Floor, p.List = p.List[last].Prob, p.List[:last]
	}
	return p
}

func fuzzedTokens(data []byte) []int32 {
	var tokens []int32
	for _, b := range data {
		if b == 255 {
			tokens = append(tokens, padding)
		} else {
			tokens = append(tokens, int32(b))
		}
	}
	return tokens
}

func hasNaN(p synapse.Phrases) bool {
	bad := p.Floor != p.Floor
	for _, phrase := range p.List {
		bad = bad || phrase.Prob != phrase.Prob
	}
	return bad
}

func FuzzPhraseLosses(f *testing.F) {
	seed := func(probs ...float32) (data []byte) {
		for i, p := range probs {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(p))
			data = append(data, 2, 10, byte(20*i))
		}
		return data
	}
	nan32 := float32(math.NaN())
	f.Add(seed(0.5, 0.25, 0.1, 1e-6), []byte{10, 20, 30}, uint8(2), uint16(50257))
	f.Add(seed(0, 0, 0), []byte{10, 0}, uint8(4), uint16(50257))
	f.Add(seed(1, nan32, 0), []byte{10, 20}, uint8(2), uint16(9))
	f.Add(seed(-1, 2, float32(math.Inf(1))), []byte{10, 20, 255}, uint8(3), uint16(0))
	f.Fuzz(func(t *testing.T, data, tokens []byte, longest uint8, vocabulary uint16) {
		p, target := fuzzedPhrases(data), fuzzedTokens(tokens)
		r := PhraseRule{int(longest % 10), int(vocabulary)}
		got, err := r.Losses(p, target)
		if r.Longest == 0 || len(target) == 0 {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		requirePossible(t, r, p, target, got)
		want := definition(r, p, target)
		if !math.IsNaN(want.First) {
			require.InDelta(t, want.First, got.First, 1e-9)
		}
		if !math.IsNaN(want.Phrase) {
			require.InDelta(t, want.Phrase, got.Phrase, 1e-9)
		}
	})
}

// requirePossible checks the range of losses, when they are NaN, and by how
// much a phrase can lose less than its first token: beginnings of the target that no
// phrase spells each add a floor, and the rest is mass of phrases that begin as the
// target does.
func requirePossible(t *testing.T, r PhraseRule, p synapse.Phrases, target []int32, got PhraseLosses) {
	t.Helper()
	total := r.total(p)
	if hasNaN(p) {
		require.True(t, math.IsNaN(got.First) && math.IsNaN(got.Phrase))
		return
	}
	for _, loss := range []float64{got.First, got.Phrase} {
		if math.IsNaN(loss) {
			require.Zero(t, total)
			continue
		}
		require.GreaterOrEqual(t, loss, 0.0)
		require.Less(t, loss, 92.2)
	}
	for _, token := range target {
		if token == padding { // then a phrase may count twice
			return
		}
	}
	if total > 0 {
		floors := float64(min(r.Longest, len(target))) * clamp(p.Floor) / total
		least := nats(math.Exp(-got.First) + floors)
		require.GreaterOrEqual(t, got.Phrase, least-1e-9)
	}
}
