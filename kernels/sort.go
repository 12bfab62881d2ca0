package kernels

import (
	"math"
	"slices"
)

// sorter is the working memory of sort.
type sorter struct {
	excess []float32
	moved  []Entry
	ends   []uint32
	digits digits
}

const (
	insertLeast  = 24    // fewer entries are inserted one by one
	sortSample   = 128   // entries that tell how the values are spread
	smallestMean = 1e-30 // of the excess: 1/mean must be a number
	crowded      = 16    // mean number of entries in an entry's bucket that is too many
)

// sort brings entries, which come in the order of their indices, into
// descending order. It leaves equals as they are.
func (s *sorter) sort(entries []Entry) {
	if len(entries) < insertLeast {
		insert(entries)
		return
	}
	if slices.IsSortedFunc(entries, descending) {
		return
	}
	if n := len(entries); len(s.moved) < n {
		s.moved, s.excess, s.ends = make([]Entry, n), make([]float32, n), make([]uint32, n+1)
	}
	if !s.spread(entries) {
		s.radix(entries)
	}
}

func descending(a, b Entry) int {
	if a.Value > b.Value {
		return -1
	}
	return 0 // or more: it is only asked whether a comes first
}

// insert is insertion sort.
func insert(entries []Entry) {
	for i := 1; i < len(entries); i++ {
		e := entries[i]
		j := i
		for ; j > 0 && entries[j-1].Value < e.Value; j-- {
			entries[j] = entries[j-1]
		}
		entries[j] = e
	}
}

// spread sorts entries whose values exceed the least of them by about
// exponentially distributed amounts, as the largest logits do: exp(-excess/mean)
// then is spread evenly over (0, 1], and cut into as many buckets as there are
// entries it brings nearly each into its place. It reports false, and has done
// nothing, when the entries crowd in few buckets.
func (s *sorter) spread(entries []Entry) bool {
	n := len(entries)
	least, sum, step := entries[0].Value, 0.0, (n+sortSample-1)/sortSample
	for _, e := range entries {
		if e.Value < least {
			least = e.Value
		}
	}
	for i := 0; i < n; i += step {
		sum += float64(entries[i].Value) - float64(least)
	}
	mean := float32(sum / float64((n+step-1)/step))
	if !(mean > smallestMean && mean <= math.MaxFloat32) {
		return false
	}
	excess, ends, scale := s.excess[:n], s.ends[:n+1], -1/mean
	for i, e := range entries {
		excess[i] = (e.Value - least) * scale
	}
	active.exp(excess, excess, 0)
	clear(ends)
	pairs := 0
	for _, u := range excess {
		at := &ends[bucket(u, n)]
		pairs += int(*at)
		*at++
	}
	if pairs > crowded*n {
		return false
	}
	next := uint32(0)
	for b, m := range ends {
		ends[b], next = next, next+m
	}
	moved := s.moved[:n]
	for i, e := range entries {
		at := &ends[bucket(excess[i], n)]
		moved[*at] = e
		*at++
	}
	insert(moved)
	copy(entries, moved)
	return true
}

// bucket is where among n buckets a number of [0, 1] belongs. What is 1, or a
// little more by rounding, has one of its own.
func bucket(u float32, n int) int { return min(int(int32(u*float32(n))), n) }
