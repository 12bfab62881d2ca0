package simnet

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/synapse"
)

func TestOrdersArePermutations(t *testing.T) {
	l := newLanguage(7)
	for mind := truth; mind < 3; mind++ {
		o, seen := l.order(mind, 42), make([]bool, synapse.StandardVocabulary)
		for rank := range seen {
			token := o.token(rank)
			require.False(t, seen[token])
			seen[token] = true
			require.Equal(t, rank, o.rank(token))
		}
		require.NotEqual(t, o, l.order(mind, 43))
		require.NotEqual(t, o, l.order(mind+1, 42))
	}
}

func TestTheLanguagesEntropyIsThatOfTextToASmallModel(t *testing.T) {
	l := newLanguage(0)
	sum, entropy := 0.0, 0.0
	for _, p := range l.mass {
		sum += p
		entropy -= p * math.Log(p)
	}
	require.InDelta(t, 1, sum, 1e-12)
	require.InDelta(t, 4.6, entropy, 0.1)
}

// All that is expected comes to a distribution, whose named tokens are the likeliest as far as the
// first of either order go.
func TestExpectationsAreDistributions(t *testing.T) {
	l := newLanguage(1)
	for _, k := range []int{1, 10, 5000, synapse.StandardVocabulary} {
		top := l.expect(3, 0.4, 99, k)
		require.Len(t, top.Entries, k)
		sum, seen := 0.0, map[int32]bool{}
		for i, e := range top.Entries {
			sum += math.Exp(float64(e.Value))
			require.False(t, seen[e.Index])
			seen[e.Index] = true
			require.True(t, i == 0 || e.Value <= top.Entries[i-1].Value)
		}
		require.InDelta(t, 1, sum+math.Exp(float64(top.Rest)), 1e-3)
	}
	best := l.expect(3, 0.4, 99, 1).Entries[0]
	require.Contains(t, []kernels.Entry{{Index: l.order(3, 99).token(0), Value: best.Value}, {Index: l.order(truth, 99).token(0), Value: best.Value}}, best)
}

func TestTextsFollowTheLanguage(t *testing.T) {
	l := newLanguage(2)
	first, n := 0, 0
	for i := range 200 {
		w := l.window(chance(2, "test", uint64(i)), 50)
		for j := 1; j < len(w); j++ {
			n++
			if l.order(truth, w[j-1]).rank(w[j]) == 0 {
				first++
			}
		}
	}
	require.InDelta(t, l.mass[0], float64(first)/float64(n), 0.02)
}
