package pack_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"axon/kernels"
	"axon/kernels/pack"

	"github.com/stretchr/testify/require"
)

// topK draws a row with the spread of a language model's: token i has about the
// likelihood (i+2)^-a, times noise. It returns the k most likely tokens by index.
func topK(r *rand.Rand, vocab, k int) pack.Row {
	a := 1 + 1.5*r.Float64()
	logits := make([]float64, vocab)
	sum := 0.0
	for i := range logits {
		logits[i] = -a*math.Log(float64(i+2)) + 1.5*r.NormFloat64()
		sum += math.Exp(logits[i])
	}
	order := make([]int, vocab)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if logits[a] > logits[b] {
			return -1
		}
		return 1
	})
	rest := 0.0
	for _, i := range order[k:] {
		rest += math.Exp(logits[i]) / sum
	}
	row := pack.Row{Rest: float32(math.Log(rest))}
	slices.Sort(order[:k])
	for _, i := range order[:k] {
		row.Entries = append(row.Entries, kernels.Entry{Index: int32(i), Value: float32(logits[i] - math.Log(sum))})
	}
	return row
}

// encode packs rows into a batch.
func encode(t testing.TB, p pack.Params, rows ...pack.Row) []byte {
	t.Helper()
	e, err := pack.NewEncoder(p)
	require.NoError(t, err)
	for _, row := range rows {
		require.NoError(t, e.Add(row))
	}
	return e.Batch(nil)
}

// decode unpacks all rows of a batch.
func decode(t testing.TB, data []byte) []pack.Row {
	t.Helper()
	b, err := pack.Parse(data, pack.Limits{})
	require.NoError(t, err)
	rows := make([]pack.Row, b.Len())
	for i := range rows {
		require.NoError(t, b.Row(i, &rows[i]))
	}
	return rows
}

// divergence is the KL of the decoded row from the original one, in nats, over all
// its tokens and the rest; both are taken as of mass 1.
func divergence(p, q pack.Row) float64 {
	mass := func(r pack.Row) float64 {
		s := math.Exp(float64(r.Rest))
		for _, e := range r.Entries {
			s += math.Exp(float64(e.Value))
		}
		return math.Log(s)
	}
	mp, mq := mass(p), mass(q)
	kl := 0.0
	add := func(a, b float32) {
		if a > float32(math.Inf(-1)) {
			kl += math.Exp(float64(a)-mp) * (float64(a) - mp - float64(b) + mq)
		}
	}
	for i, e := range p.Entries {
		add(e.Value, q.Entries[i].Value)
	}
	add(p.Rest, q.Rest)
	return kl
}

func TestQuantisedRows(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, k := range []int{1, 5, 128, 512, 4096} {
		var rows []pack.Row
		for range 8 {
			rows = append(rows, topK(r, 50257, k))
		}
		data := encode(t, pack.Params{Vocab: 50257}, rows...)
		kl := 0.0
		for i, got := range decode(t, data) {
			kl += divergence(rows[i], got) / float64(len(rows))
			for j := range got.Entries {
				require.Equal(t, rows[i].Entries[j].Index, got.Entries[j].Index)
				require.InDelta(t, rows[i].Entries[j].Value, got.Entries[j].Value, 0.28)
			}
		}
		t.Logf("k=%d: %d bytes a row, KL %.2e", k, len(data)/len(rows), kl)
		require.Less(t, kl, 1.5e-4)
	}
}
