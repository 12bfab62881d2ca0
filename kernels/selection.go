package kernels

import (
	"math"
	"slices"
)

// candidates are values of a row with their indices, ascending.
type candidates struct {
	values  []float32
	indices []int32
}

func (c *candidates) grow(n int) {
	if len(c.values) < n {
		c.values, c.indices = make([]float32, n), make([]int32, n)
	}
}

// selection finds the k largest entries of a row that passes by in blocks. It
// keeps what is not less than a threshold, which a sample of the row sets at
// the start. When there is no room for another block, all but the k largest
// go, and the least of them is what a later one must exceed. The sample only
// makes it fast: if it set the threshold too high, the row is gone through
// again without.
type selection struct {
	row   []float32
	k, n  int // wanted, kept
	least float32
	s     *Scratch
}

func newSelection(row []float32, k int, s *Scratch) selection {
	t := selection{row: row, k: k, s: s}
	if k > 0 {
		room := min(len(row), 4*k+8*block) + padding
		s.kept.grow(room)
		s.kept.grow(room)
		t.least = guess(row, k, s.kept.values)
	}
	return t
}

func (t *selection) add(x []float32, at int) {
	if t.k == 0 {
		return
	}
	if t.n+len(x)+padding > len(t.s.kept.values) {
		t.shrink()
	}
	t.n = active.collect(t.s.kept.values, t.s.kept.indices, t.n, x, int32(at), t.least)
}

// shrink keeps the k largest of the candidates.
func (t *selection) shrink() {
	best := t.best(t.s.few[:0])
	for i, e := range best {
		t.s.kept.indices[i], t.s.kept.values[i] = e.Index, e.Value
	}
	t.s.few = best
	least := best[0].Value
	for _, e := range best {
		least = min(least, e.Value)
	}
	t.n, t.least = len(best), math.Nextafter32(least, float32(math.Inf(1)))
	if math.IsInf(float64(least), 1) {
		t.least = float32(math.NaN()) // nothing exceeds +Inf
	}
}

// best appends the k largest of at least k candidates to dst, in the order of
// their indices.
func (t *selection) best(dst []Entry) []Entry {
	values, indices := t.s.kept.values[:t.n], t.s.kept.indices[:t.n]
	least, above := threshold(values, t.k, t.k)
	base := len(dst)
	dst = slices.Grow(dst, t.n+padding)
	n := active.entries(dst[base:base+t.n+padding], values, indices, least)
	dst = dst[:base+n]
	if n > t.k {
		dst = dst[:base+dropLast(dst[base:], least, t.k-above)]
	}
	return dst
}

// dropLast removes the entries whose value is v, but for the first few, and
// returns how many entries stay.
func dropLast(entries []Entry, v float32, few int) int {
	kept := 0
	for _, e := range entries {
		if e.Value == v {
			if few == 0 {
				continue
			}
			few--
		}
		entries[kept] = e
		kept++
	}
	return kept
}

func (t *selection) entries(dst []Entry, order Order) []Entry {
	if t.k == 0 {
		return dst
	}
	if t.n < t.k { // the sample misled
		t.n, t.least = 0, float32(math.Inf(-1))
		for at := 0; at < len(t.row); at += block {
			t.add(t.row[at:min(at+block, len(t.row))], at)
		}
	}
	t.s.few = t.best(t.s.few[:0])
	if order == Descending {
		t.s.sort(t.s.few)
	}
	return append(dst, t.s.few...)
}

// threshold is a value that is reached by at least atLeast of the values and,
// if there is one, by no more than atMost. Otherwise it is the atLeast-th
// largest. above is how many exceed it, or a number below atLeast and not
// less.
func threshold(values []float32, atLeast, atMost int) (least float32, above int) {
	lo, hi := orderedBits(float32(math.Inf(-1))), orderedBits(active.max(values))+1
	for lo+1 < hi { // at least atLeast reach lo, above < atLeast reach hi
		mid := lo + (hi-lo)/2
		switch n := active.count(values, fromOrderedBits(mid)); {
		case n < atLeast:
			hi, above = mid, n
		case n <= atMost:
			return fromOrderedBits(mid), above
		default:
			lo = mid
		}
	}
	return fromOrderedBits(lo), above
}

// The sample of a row is made of runs of consecutive values: a run is a cache
// line.
const (
	sampleRuns = 128
	sampleRun  = 16
	sampleSize = sampleRuns * sampleRun
)

// guess is a threshold that some k or more values of the row most likely
// reach, and not many more; −Inf where a sample would not pay.
func guess(row []float32, k int, space []float32) float32 {
	none := float32(math.Inf(-1))
	if len(row) < 4*sampleSize || k > len(row)/4 {
		return none
	}
	sample := space[:sampleSize]
	step := (len(row) - sampleRun) / (sampleRuns - 1)
	for i := range sampleRuns {
		*(*[sampleRun]float32)(sample[i*sampleRun:]) = [sampleRun]float32(row[i*step:])
	}
	// Of the k largest, about mean lie in the sample. With three standard
	// deviations more, the threshold is too high for one row in a thousand.
	mean := float64(k) * sampleSize / float64(len(row))
	rank := int(mean+3*math.Sqrt(mean)) + 4
	least, _ := threshold(sample, rank, rank+rank/8)
	return least
}
