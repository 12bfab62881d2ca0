package bench

import (
	"context"
	"fmt"
	"math"
	"slices"

	"axon/kernels"
	"axon/kernels/pack"
)

// PackTest is one way of packing to measure: the K largest of each row.
type PackTest struct {
	Rows         [][]float32 // logits
	Targets      []int       // the token that came next, row by row; nil: unknown
	Source       string      // what the rows are: a Kind, or a model's name
	K            int
	Mode         pack.Mode
	KL, MaxStep  float64 // as in pack.Params, whose zero values they share
	RowsPerBatch int
}

func (t PackTest) params() pack.Params {
	return pack.Params{Vocab: len(t.Rows[0]), Mode: t.Mode, KL: t.KL, MaxStep: t.MaxStep}
}

// RunPack packs all rows, compares what unpacking gives with them, and then
// measures packing, unpacking and what surrounds them for so many rounds on
// one thread. What describes the build is for the caller to add to the row.
func RunPack(ctx context.Context, t PackTest, rounds int, tick func()) (PackRow, error) {
	var none PackRow
	if len(t.Rows) == 0 || rounds < 1 || t.RowsPerBatch < 1 {
		return none, fmt.Errorf("%d rounds over %d rows, %d in a batch; there must be one at least", rounds, len(t.Rows), t.RowsPerBatch)
	}
	if vocab := len(t.Rows[0]); t.K < 1 || t.K >= vocab {
		return none, fmt.Errorf("top-k %d: must be 1 to %d, less than the length of the row", t.K, vocab-1)
	}
	t.RowsPerBatch = min(t.RowsPerBatch, len(t.Rows))
	sparse, err := reduceAll(t)
	if err != nil {
		return none, err
	}
	row := PackRow{Vocab: len(t.Rows[0]), K: t.K, Mode: t.Mode.String(), Source: t.Source, Count: len(t.Rows), RowsPerBatch: t.RowsPerBatch, Rounds: rounds}
	if err := row.quality(t, sparse); err != nil {
		return none, err
	}
	if err := row.pairs(t, sparse); err != nil {
		return none, err
	}
	passes, err := packPasses(t, sparse)
	if err != nil {
		return none, err
	}
	samples, err := measure(ctx, rounds, len(t.Rows)/t.RowsPerBatch, passes, tick)
	if err != nil {
		return none, err
	}
	row.timings(samples, t.RowsPerBatch)
	return row, nil
}

// reduceAll makes sparse rows of all logits.
func reduceAll(t PackTest) ([]pack.Row, error) {
	var scratch kernels.Scratch
	sparse := make([]pack.Row, len(t.Rows))
	for i, row := range t.Rows {
		entries, lse, err := kernels.Reduce(nil, row, t.K, kernels.ByIndex, &scratch)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		sparse[i] = pack.Row{Rest: kernels.LogProbs(entries, lse, len(row), &scratch), Entries: entries}
	}
	return sparse, nil
}

// quality packs and unpacks all rows and says how many bytes that took and
// what was lost.
func (r *PackRow) quality(t PackTest, sparse []pack.Row) error {
	encoder, err := pack.NewEncoder(t.params())
	if err != nil {
		return err
	}
	var sizes, divergences, biases []float64
	for at := 0; at < len(sparse); at += t.RowsPerBatch {
		rows := sparse[at:min(at+t.RowsPerBatch, len(sparse))]
		data, err := encodeBatch(encoder, nil, rows)
		if err != nil {
			return err
		}
		batch, err := pack.Parse(data, pack.Limits{})
		if err != nil {
			return err
		}
		shared := len(data) // what belongs to no single row
		for i := range rows {
			shared -= batch.RowBytes(i)
		}
		for i, row := range rows {
			var got pack.Row
			if err := batch.Row(i, &got); err != nil {
				return err
			}
			target := -1
			if t.Targets != nil {
				target = t.Targets[at+i]
			}
			kl, bias, err := loss(row, got, r.Vocab, target)
			if err != nil {
				return fmt.Errorf("row %d: %w", at+i, err)
			}
			sizes = append(sizes, float64(batch.RowBytes(i))+float64(shared)/float64(len(rows)))
			divergences, biases = append(divergences, kl), append(biases, bias)
		}
		p := batch.Params()
		r.AimedKL, r.MaxStep = p.KL, p.MaxStep
	}
	r.Bytes, r.BytesP90, r.Bound = Mean(sizes), percentile(sizes, 0.9), indexBound(r.Vocab, t.K)
	r.KL, r.KLMax = Mean(divergences), slices.Max(divergences)
	r.Bias, r.BiasError, r.OnTargets = Mean(biases), StdDev(biases)/math.Sqrt(float64(len(biases))), t.Targets != nil
	return nil
}

func encodeBatch(e *pack.Encoder, dst []byte, rows []pack.Row) ([]byte, error) {
	for _, row := range rows {
		if err := e.Add(row); err != nil {
			return dst, err
		}
	}
	return e.Batch(dst), nil
}

// indexBound is log2 C(V, k) in bytes: what a set of k of V indices takes when
// all sets are equally likely.
func indexBound(vocab, k int) float64 {
	factorial := func(n int) float64 {
		l, _ := math.Lgamma(float64(n) + 1)
		return l
	}
	return (factorial(vocab) - factorial(k) - factorial(vocab-k)) / math.Ln2 / 8
}

// percentile is the least value that a share q of all do not exceed.
func percentile(x []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[max(0, int(math.Ceil(q*float64(len(s))))-1)]
}

// loss compares a row with what unpacking made of it: the Kullback-Leibler
// divergence KL(row ‖ got) over the entries and the rest, each row taken as of
// mass 1, and the bias of the cross-entropy: how much more got charges for the
// target, in nats. Without a target (−1) that is the expectation under the row.
func loss(row, got pack.Row, vocab, target int) (kl, bias float64, err error) {
	if len(got.Entries) != len(row.Entries) {
		return 0, 0, fmt.Errorf("%d entries came back of %d", len(got.Entries), len(row.Entries))
	}
	scale, scaleGot := logMass(row), logMass(got)
	excess := float64(row.Rest) - float64(got.Rest) // of a target outside the entries: the floors differ as the rests
	add := func(p, q float32) {
		if mass := math.Exp(float64(p) - scale); mass > 0 {
			kl += mass * (float64(p) - scale - float64(q) + scaleGot)
			bias += mass * (float64(p) - float64(q))
		}
	}
	for i, e := range row.Entries {
		g := got.Entries[i]
		if g.Index != e.Index {
			return 0, 0, fmt.Errorf("index %d came back as %d", e.Index, g.Index)
		}
		if int(e.Index) == target {
			excess = float64(e.Value) - float64(g.Value)
		}
		add(e.Value, g.Value)
	}
	add(row.Rest, got.Rest)
	if target >= 0 {
		bias = excess
	}
	if target >= vocab || math.IsInf(kl, 0) || math.IsNaN(bias) || math.IsInf(bias, 0) {
		return 0, 0, fmt.Errorf("divergence %v, bias %v for target %d: not finite", kl, bias, target)
	}
	return kl, bias, nil
}

// logMass is the log of what entries and rest add up to.
func logMass(r pack.Row) float64 {
	sum := math.Exp(float64(r.Rest))
	for _, e := range r.Entries {
		sum += math.Exp(float64(e.Value))
	}
	return math.Log(sum)
}
