package kernels

import (
	"math"
	"slices"
)

// sorter is the working memory of sort.
type sorter struct {
	excess  []float32
	buckets []int32
	moved   []Entry
	ends    []uint32
	digits  digits
}

const (
	insertLeast  = 24    // fewer entries are inserted one by one
	perEntry     = 2     // buckets: with fewer more entries need insertion, whose branches nobody can foretell
	sortSample   = 128   // entries that tell how the values are spread
	smallestMean = 1e-30 // of the excess: 1/mean must be a number
	crowded      = 16    // mean number of entries in an entry's bucket that is too many
)

// sort brings entries, which come in the order of their indices, into
// descending order. It leaves equals as they are. No value is below least.
func (s *sorter) sort(entries []Entry, least float32) {
	if len(entries) < insertLeast {
		insert(entries)
		return
	}
	if slices.IsSortedFunc(entries, descending) {
		return
	}
	s.grow(len(entries))
	if !s.spread(entries, least) {
		s.radix(entries)
	}
}

func (s *sorter) grow(n int) {
	if len(s.moved) < n {
		s.moved, s.excess, s.buckets, s.ends = make([]Entry, n), make([]float32, n), make([]int32, n), make([]uint32, perEntry*n+1)
	}
}

func descending(a, b Entry) int {
	if a.Value > b.Value {
		return -1
	}
	return 0 // or more: it is only asked whether a comes first
}

// insert is insertion sort, for what is nearly in its place.
func insert(entries []Entry) {
	for i := 1; i < len(entries); i++ {
		e, before := entries[i], entries[i-1]
		if !behind(before, e) {
			continue
		}
		j := i
		for {
			entries[j] = before
			j--
			if j == 0 {
				break
			}
			if before = entries[j-1]; !behind(before, e) {
				break
			}
		}
		entries[j] = e
	}
}

// behind says whether a comes after b.
func behind(a, b Entry) bool {
	return a.Value < b.Value || a.Value == b.Value && a.Index > b.Index
}

// spread sorts entries whose values exceed the least of them by about
// exponentially distributed amounts, as the largest logits do: exp(-excess/mean)
// then is spread evenly over (0, 1], and cut into twice as many buckets as there
// are entries it brings nearly each into its place. Equal values may come into
// different buckets, as exp has other last digits in the last few places of a
// slice than in whole vectors: insertion looks at the indices, too. It reports
// false, and has done nothing, when the entries crowd in few buckets.
func (s *sorter) spread(entries []Entry, least float32) bool {
	n := len(entries)
	sum, step := 0.0, (n+sortSample-1)/sortSample
	for i := 0; i < n; i += step {
		sum += float64(entries[i].Value) - float64(least)
	}
	mean := float32(sum / float64((n+step-1)/step))
	if !(mean > smallestMean && mean <= math.MaxFloat32) {
		return false
	}
	excess, scale := s.excess[:n], -1/mean
	for i, e := range entries {
		excess[i] = (e.Value - least) * scale
	}
	active.exp(excess, excess, 0)
	buckets, ends := s.buckets[:n], s.ends[:perEntry*n+1]
	clear(ends)
	last, pairs := int32(perEntry*n), uint32(0)
	for i, u := range excess {
		b := min(int32(u*float32(last)), last) // 1, or a little more by rounding, has a bucket of its own
		buckets[i] = b
		pairs += ends[b]
		ends[b]++
	}
	if pairs > uint32(crowded*n) {
		return false
	}
	next := uint32(0)
	for b, m := range ends {
		ends[b] = next
		next += m
	}
	moved := s.moved[:n]
	for i, b := range buckets {
		at := ends[b]
		ends[b] = at + 1
		moved[at] = entries[i]
	}
	insert(moved)
	copy(entries, moved)
	return true
}
