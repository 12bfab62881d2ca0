// Package kernels reduces rows of logits: one float32 for each token of a
// vocabulary, as a model's last layer leaves them. It does no I/O, knows
// neither models nor tokens, and allocates nothing but what append needs when
// the caller's slice is too short.
//
// The versions here are the definitions, written to be read and to be the
// oracle of faster ones.
package kernels

import (
	"errors"
	"math"
	"slices"
)

// ErrNaN is returned when a row holds a value that is not a number.
var ErrNaN = errors.New("row of logits contains NaN")

// Entry is one token of a row.
type Entry struct {
	Index int32
	Value float32
}

// ArgMax is the index of the largest value, the lowest one among equals. Four
// values are passed over at once: hardly any exceeds the largest so far, and
// what is not a number fails the same comparison.
func ArgMax(row []float32) (int, error) {
	if len(row) == 0 {
		return 0, errors.New("row of logits is empty")
	}
	best, top := 0, float32(math.Inf(-1))
	i := 0
	for ; i+4 <= len(row); i += 4 {
		q := row[i : i+4 : i+4]
		if q[0] <= top && q[1] <= top && q[2] <= top && q[3] <= top {
			continue
		}
		for k, v := range q {
			if v != v {
				return 0, ErrNaN
			}
			if v > top {
				best, top = i+k, v
			}
		}
	}
	for ; i < len(row); i++ {
		if row[i] != row[i] {
			return 0, ErrNaN
		}
		if row[i] > top {
			best, top = i, row[i]
		}
	}
	return best, nil
}

// LogSumExp is ln Σ exp(row[i]), summed in float64 after the maximum was taken
// out, so that it neither overflows nor loses small terms. A row of -Inf gives
// -Inf, and so does an empty one.
func LogSumExp(row []float32) (float64, error) {
	top := math.Inf(-1)
	for _, v := range row {
		if v != v {
			return 0, ErrNaN
		}
		if float64(v) > top {
			top = float64(v)
		}
	}
	if math.IsInf(top, 0) {
		return top, nil
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum), nil
}

// TopK appends the k largest entries of row to dst, in descending order, the
// lower index first among equals, and returns the extended slice. k above the
// length of the row gives all of it. A heap of k entries holds the best so far.
func TopK(dst []Entry, row []float32, k int) ([]Entry, error) {
	k = max(0, min(k, len(row)))
	base := len(dst)
	for i, v := range row {
		if v != v {
			return dst[:base], ErrNaN
		}
		if k == 0 {
			continue
		}
		e := Entry{int32(i), v}
		switch heap := dst[base:]; {
		case len(heap) < k:
			dst = append(dst, e)
			up(dst[base:])
		case worse(heap[0], e):
			heap[0] = e
			down(heap)
		}
	}
	slices.SortFunc(dst[base:], func(a, b Entry) int {
		if worse(b, a) {
			return -1
		}
		return 1
	})
	return dst, nil
}

// worse orders entries: a ranks below b.
func worse(a, b Entry) bool {
	return a.Value < b.Value || a.Value == b.Value && a.Index > b.Index
}

func up(h []Entry) {
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !worse(h[i], h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func down(h []Entry) {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && worse(h[child+1], h[child]) {
			child++
		}
		if !worse(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
