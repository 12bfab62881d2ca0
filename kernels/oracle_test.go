package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var inf = float32(math.Inf(1))

// eachVariant runs a test with every implementation that this machine has.
func eachVariant(t *testing.T, test func(t *testing.T)) {
	before := Variant()
	defer func() { require.NoError(t, UseVariant(before)) }()
	for _, name := range Variants() {
		require.NoError(t, UseVariant(name))
		t.Run(name, test)
	}
}

// largest is the definition of what Reduce selects.
func largest(row []float32, k int, order Order) []Entry {
	all := make([]Entry, len(row))
	for i, v := range row {
		all[i] = Entry{int32(i), v}
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return 0
	})
	all = all[:max(0, min(k, len(all)))]
	if order == ByIndex {
		slices.SortFunc(all, func(a, b Entry) int { return int(a.Index - b.Index) })
	}
	return all
}

// logSumExp64 is the definition of the log-sum-exp.
func logSumExp64(row []float32) float64 {
	top := math.Inf(-1)
	for _, v := range row {
		top = max(top, float64(v))
	}
	if math.IsInf(top, 0) {
		return top
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// kinds are the rows that selection and summation must cope with.
var kinds = []struct {
	name string
	row  func(r *rand.Rand, n int) []float32
}{
	{"realistic", realisticRow},
	{"rounded", func(r *rand.Rand, n int) []float32 { // many ties
		return fill(n, func(int) float32 { return float32(math.Round(r.NormFloat64()*30) / 10) })
	}},
	{"ascending", func(_ *rand.Rand, n int) []float32 {
		return fill(n, func(i int) float32 { return float32(i)*1e-3 - 20 })
	}},
	{"descending", func(_ *rand.Rand, n int) []float32 {
		return fill(n, func(i int) float32 { return 20 - float32(i)*1e-3 })
	}},
	{"constant", func(_ *rand.Rand, n int) []float32 { return fill(n, func(int) float32 { return -0.3 }) }},
	{"two-valued", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.IntN(2))*17.25 - 3 })
	}},
	{"zeros of both signs", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(math.Copysign(0, r.Float64()-0.5)) })
	}},
	{"the sample is high", func(r *rand.Rand, n int) []float32 { return misleading(r, n, 30) }},
	{"the sample is low", func(r *rand.Rand, n int) []float32 { return misleading(r, n, -30) }},
	{"both samples are high", func(r *rand.Rand, n int) []float32 {
		row := misleading(r, n, 30)
		return sampled(row, 1, func(i int) float32 { return row[i] + 40 })
	}},
	{"rising above the sample", func(_ *rand.Rand, n int) []float32 {
		row := fill(n, func(i int) float32 { return float32(i) * 1e-3 })
		return sampled(row, 0, func(int) float32 { return -40 })
	}},
	{"one holds all", func(r *rand.Rand, n int) []float32 {
		row := realisticRow(r, n)
		row[r.IntN(n)] = 1e6
		return row
	}},
	{"far from zero", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64()*5 - 30000) })
	}},
	{"beyond whole numbers", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64() * 1e20) })
	}},
	{"some cannot come", func(r *rand.Rand, n int) []float32 {
		row := realisticRow(r, n)
		for i := range row {
			if r.IntN(3) > 0 {
				row[i] = -inf
			}
		}
		return row
	}},
	{"late start", func(r *rand.Rand, n int) []float32 { // whole blocks of −Inf, then ever larger shifts
		return fill(n, func(i int) float32 {
			if i < n/2 {
				return -inf
			}
			return float32(i/block)*100 + r.Float32()
		})
	}},
	{"none can come", func(_ *rand.Rand, n int) []float32 { return fill(n, func(int) float32 { return -inf }) }},
	{"some are infinite", func(r *rand.Rand, n int) []float32 {
		row := realisticRow(r, n)
		for range 1 + n/100 {
			row[r.IntN(n)] = inf
		}
		return row
	}},
	{"denormal", func(r *rand.Rand, n int) []float32 {
		return fill(n, func(int) float32 { return float32(r.NormFloat64() * 1e-40) })
	}},
}

func fill(n int, f func(i int) float32) []float32 {
	row := make([]float32, n)
	for i := range row {
		row[i] = f(i)
	}
	return row
}

// realisticRow is spread like the logits of a trained model: a broad bulk and
// a few tokens far above it.
func realisticRow(r *rand.Rand, n int) []float32 {
	row := fill(n, func(int) float32 { return float32(r.NormFloat64()*2.2 - 4) })
	for range 40 {
		row[r.IntN(n)] += float32(r.ExpFloat64() * 4)
	}
	return row
}

// misleading adds to the values that guess looks at, and to no others.
func misleading(r *rand.Rand, n int, by float32) []float32 {
	row := realisticRow(r, n)
	return sampled(row, 0, func(i int) float32 { return row[i] + by })
}

// sampled changes the values that the first or the second sample consists of.
func sampled(row []float32, second int, f func(i int) float32) []float32 {
	if len(row) < 4*sampleSize {
		return row
	}
	step := (len(row) - sampleRun) / sampleRuns
	for run := range sampleRuns {
		for i := range sampleRun {
			at := run*step + second*step/2 + i
			row[at] = f(at)
		}
	}
	return row
}

func randomRow(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	return fill(n, func(int) float32 { return float32(math.Round(r.NormFloat64()*300) / 100) })
}
