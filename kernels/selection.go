package kernels

import (
	"math"
	"slices"
)

var inf32 = float32(math.Inf(1))

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
// makes it fast: if it set the threshold too high, the row is gone through again
// with another, and then without.
type selection struct {
	row   []float32
	k, n  int     // wanted, kept
	least float32 // what a later value must reach
	floor float32 // no candidate is below it
	s     *Scratch
}

func newSelection(row []float32, k int, s *Scratch) selection {
	t := selection{row: row, k: k, s: s}
	if k > 0 {
		s.kept.grow(min(len(row), 2*k+4*block) + padding)
		t.begin(0)
	}
	return t
}

// begin sets the threshold before the row is gone through for the first time,
// and again.
func (t *selection) begin(again int) {
	t.n, t.least = 0, -inf32
	if again < 2 {
		t.least = guess(t.row, t.k, again, t.s.kept.values)
	}
	t.floor = t.least
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

// shrink keeps the k largest of the candidates, and some more if that is
// quicker.
func (t *selection) shrink() {
	t.s.few, t.floor = t.best(t.s.few[:0], t.k+t.k/4)
	for i, e := range t.s.few {
		t.s.kept.indices[i], t.s.kept.values[i] = e.Index, e.Value
	}
	t.n, t.least = len(t.s.few), above(t.floor)
}

// above is the next larger value, and for +Inf, which nothing exceeds, what no
// value reaches.
func above(v float32) float32 {
	if v == inf32 {
		return float32(math.NaN())
	}
	return math.Nextafter32(v, inf32)
}

// best appends the k largest of at least k candidates to dst, in the order of
// their indices, or up to atMost where a threshold happens to leave so many. Of
// those that equal the least of them only the first are among them; it, or what
// is between it and the next smaller candidate, is returned too.
func (t *selection) best(dst []Entry, atMost int) (best []Entry, least float32) {
	values, indices := t.s.kept.values[:t.n], t.s.kept.indices[:t.n]
	floor := t.floor
	if t.n <= atMost { // nothing to choose
		floor = smallest(values)
	}
	least, reach, exceed := threshold(values, floor, t.k, atMost)
	base := len(dst)
	dst = slices.Grow(dst, atMost+padding)[:base+atMost+padding]
	more := above(least)
	all := t.n // candidates up to here count when they equal the least, later ones do not
	if reach > atMost {
		all = afterEquals(values, least, more, t.k-exceed)
	}
	n := base + active.entries(dst[base:], values[:all], indices, least)
	if all < t.n {
		n += active.entries(dst[n:], values[all:], indices[all:], more)
	}
	return dst[:n], least
}

func smallest(values []float32) float32 {
	least := values[0]
	for _, v := range values {
		if v < least {
			least = v
		}
	}
	return least
}

// afterEquals is how many of the values one must take to have so many that
// reach least and not more.
func afterEquals(values []float32, least, more float32, equals int) int {
	const step = 256
	at := 0
	for at+step <= len(values) {
		n := active.count(values[at:at+step], least) - active.count(values[at:at+step], more)
		if n >= equals {
			break
		}
		equals -= n
		at += step
	}
	for ; equals > 0; at++ {
		if v := values[at]; v >= least && !(v >= more) {
			equals--
		}
	}
	return at
}

func (t *selection) entries(dst []Entry, order Order) []Entry {
	if t.k == 0 {
		return dst
	}
	for again := 1; t.n < t.k; again++ { // the sample misled
		t.begin(again)
		for at := 0; at < len(t.row); at += block {
			t.add(t.row[at:min(at+block, len(t.row))], at)
		}
	}
	best, least := t.best(t.s.few[:0], t.k)
	if order == Descending {
		t.s.sort(best, least)
	}
	t.s.few = best
	return append(dst, best...)
}

// threshold finds a value that at least atLeast of the values reach and, if
// there is one, no more than atMost; otherwise it is the atLeast-th largest. At
// least atLeast of them must reach lowest. It also returns how many reach what it
// found and, when those are more than atMost, how many exceed it.
func threshold(values []float32, lowest float32, atLeast, atMost int) (least float32, reach, exceed int) {
	reach = len(values)
	if reach <= atMost {
		return lowest, reach, 0
	}
	lo, hi := orderedBits(lowest), orderedBits(active.max(values))+1
	for lo+1 < hi { // reach get to lo, exceed < atLeast to hi
		mid := lo + (hi-lo)/2
		switch n := active.count(values, fromOrderedBits(mid)); {
		case n < atLeast:
			hi, exceed = mid, n
		case n <= atMost:
			return fromOrderedBits(mid), n, exceed
		default:
			lo, reach = mid, n
		}
	}
	return fromOrderedBits(lo), reach, exceed
}

// The sample of a row is made of runs of consecutive values: a run is a cache
// line.
const (
	sampleRuns = 128
	sampleRun  = 16
	sampleSize = sampleRuns * sampleRun
)

// guess is a threshold that some k or more values of the row most likely
// reach, and not many more; −Inf where a sample would not pay. The second sample
// lies between the runs of the first.
func guess(row []float32, k, second int, space []float32) float32 {
	if len(row) < 4*sampleSize || k > len(row)/4 {
		return -inf32
	}
	sample := space[:sampleSize]
	step := (len(row) - sampleRun) / sampleRuns
	for i := range sampleRuns {
		*(*[sampleRun]float32)(sample[i*sampleRun:]) = [sampleRun]float32(row[i*step+second*step/2:])
	}
	// Of the k largest, about mean lie in the sample. With three standard
	// deviations more, the threshold is too high for one row in a thousand.
	mean := float64(k) * sampleSize / float64(len(row))
	rank := int(mean+3*math.Sqrt(mean)) + 4
	least, _, _ := threshold(sample, -inf32, rank, rank+rank/8)
	return least
}
