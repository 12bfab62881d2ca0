package kernels

import "math"

// The primitives in Go: the definitions of what the assembly computes, its
// oracle in tests, and what runs where there is none.

// maxGeneric is the largest value of x, −Inf when x is empty, NaN when it
// holds a NaN.
func maxGeneric(x []float32) float32 {
	best := float32(math.Inf(-1))
	for _, v := range x {
		if v != v {
			return v
		}
		if v > best {
			best = v
		}
	}
	return best
}

// sumExpGeneric is Σ exp(x[i] − shift), and the largest value of x. The shift
// is finite. What lies more than 87 below it may add e^-87. A NaN makes the sum
// NaN, and so may +Inf; above shift+64 the sum means nothing.
func sumExpGeneric(x []float32, shift float32) (sum float64, top float32) {
	top = float32(math.Inf(-1))
	for _, v := range x {
		sum += math.Exp(float64(v) - float64(shift))
		if v > top {
			top = v
		}
	}
	return sum, top
}

// expGeneric sets dst[i] to exp(x[i] − shift), where no value exceeds a finite
// shift by more than 64. dst is as long as x, and may be x.
func expGeneric(dst, x []float32, shift float32) {
	for i, v := range x {
		dst[i] = float32(math.Exp(float64(v) - float64(shift)))
	}
}

// countGeneric is the number of values of x that are least or more.
func countGeneric(x []float32, least float32) int {
	n := 0
	for _, v := range x {
		if v >= least {
			n++
		}
	}
	return n
}

// collectGeneric appends the values of x that are least or more to values[:n],
// their positions counted from first to indices[:n], and returns the new n.
// Both have room for n+len(x)+padding.
func collectGeneric(values []float32, indices []int32, n int, x []float32, first int32, least float32) int {
	for i, v := range x {
		if v >= least {
			values[n], indices[n] = v, first+int32(i)
			n++
		}
	}
	return n
}

// entriesGeneric sets the first entries of dst to those of the values that are
// least or more, with their indices, and returns how many there are. dst has
// room for them and padding more.
func entriesGeneric(dst []Entry, values []float32, indices []int32, least float32) int {
	n := 0
	for i, v := range values {
		if v >= least {
			dst[n] = Entry{indices[i], v}
			n++
		}
	}
	return n
}
