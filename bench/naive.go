package bench

import (
	"cmp"
	"math"
	"slices"

	"axon/kernels"
)

// What one writes without thinking of speed: the yardstick for package kernels
// in its own language.

// naiveLogSumExp is ln Σ exp(row[i]), in float64 with math.Exp.
func naiveLogSumExp(row []float32) float64 {
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

// descending puts the larger value first, the lower index among equals.
func descending(a, b kernels.Entry) int {
	if a.Value != b.Value {
		return cmp.Compare(b.Value, a.Value)
	}
	return cmp.Compare(a.Index, b.Index)
}

// sortTopK sorts the whole row.
func sortTopK(dst []kernels.Entry, row []float32, k int) []kernels.Entry {
	dst = dst[:0]
	for i, v := range row {
		dst = append(dst, kernels.Entry{Index: int32(i), Value: v})
	}
	slices.SortFunc(dst, descending)
	return dst[:min(k, len(dst))]
}

// heapTopK keeps the k best so far in a heap, the worst of them on top.
func heapTopK(dst []kernels.Entry, row []float32, k int) []kernels.Entry {
	k = min(k, len(row))
	dst = dst[:0]
	for i, v := range row[:k] {
		dst = append(dst, kernels.Entry{Index: int32(i), Value: v})
	}
	for i := k/2 - 1; i >= 0; i-- {
		siftDown(dst, i)
	}
	for i := k; i < len(row) && k > 0; i++ {
		if row[i] > dst[0].Value {
			dst[0] = kernels.Entry{Index: int32(i), Value: row[i]}
			siftDown(dst, 0)
		}
	}
	slices.SortFunc(dst, descending)
	return dst
}

// siftDown lets h[i] sink below those that are worse.
func siftDown(h []kernels.Entry, i int) {
	for {
		worst := 2*i + 1
		if worst >= len(h) {
			return
		}
		if right := worst + 1; right < len(h) && descending(h[right], h[worst]) > 0 {
			worst = right
		}
		if descending(h[i], h[worst]) >= 0 {
			return
		}
		h[i], h[worst] = h[worst], h[i]
		i = worst
	}
}
