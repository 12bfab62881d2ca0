package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// What make bench-save runs: the sizes of axon bench kernels, for each variant.

var (
	benchVocabularies = []int{32000, 50257, 128256, 151936, 256000}
	benchTopK         = []int{1, 64, 512, 4096}
)

// benchRows runs a benchmark with each variant over a row of each length.
func benchRows(b *testing.B, f func(b *testing.B, row []float32)) {
	before := Variant()
	defer func() { _ = UseVariant(before) }()
	for _, variant := range Variants() {
		if err := UseVariant(variant); err != nil {
			b.Fatal(err)
		}
		for _, n := range benchVocabularies {
			row := realisticRow(rand.New(rand.NewPCG(1, uint64(n))), n)
			b.Run(fmt.Sprintf("variant=%s/V=%d", variant, n), func(b *testing.B) {
				b.SetBytes(int64(4 * n))
				f(b, row)
			})
		}
	}
}

func BenchmarkMax(b *testing.B) {
	benchRows(b, func(b *testing.B, row []float32) {
		for b.Loop() {
			_, _ = Max(row)
		}
	})
}

func BenchmarkLogSumExp(b *testing.B) {
	benchRows(b, func(b *testing.B, row []float32) {
		for b.Loop() {
			_, _ = LogSumExp(row)
		}
	})
}

func BenchmarkReduce(b *testing.B) {
	benchRows(b, func(b *testing.B, row []float32) {
		for _, k := range benchTopK {
			for order, name := range []string{Descending: "descending", ByIndex: "index"} {
				b.Run(fmt.Sprintf("k=%d/order=%s", k, name), func(b *testing.B) {
					benchReduce(b, row, k, Order(order))
				})
			}
		}
	})
}

// BenchmarkReduceHard has rows that selecting by a sample does not suit.
func BenchmarkReduceHard(b *testing.B) {
	const n = 50257
	realistic := realisticRow(rand.New(rand.NewPCG(1, n)), n)
	ascending := slices.Sorted(slices.Values(realistic))
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	high := func(row []float32, second int) []float32 {
		return sampled(slices.Clone(row), second, func(i int) float32 { return row[i] + 20 })
	}
	for _, kind := range []struct {
		name string
		row  []float32
	}{
		{"realistic", realistic},
		{"ascending", ascending},
		{"descending", descending},
		{"constant", make([]float32, n)},
		{"misled", high(realistic, 0)},
		{"misled-more", high(high(realistic, 0), 1)},
	} {
		for _, k := range benchTopK {
			b.Run(fmt.Sprintf("kind=%s/V=%d/k=%d", kind.name, n, k), func(b *testing.B) {
				benchReduce(b, kind.row, k, Descending)
			})
		}
	}
}

func benchReduce(b *testing.B, row []float32, k int, order Order) {
	var s Scratch
	dst, _, err := Reduce(nil, row, k, order, &s) // all that it ever allocates
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(4 * len(row)))
	b.ReportAllocs()
	for b.Loop() {
		dst, _, _ = Reduce(dst[:0], row, k, order, &s)
	}
}
