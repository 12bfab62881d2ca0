//go:build !purego && (amd64 || arm64)

package kernels

import (
	"math"
	"unsafe"
)

// simd is a variant's assembly, which takes multiples of so many lanes only.
type simd struct {
	lanes   int
	max     func(x []float32) float32
	count   func(x []float32, least float32) int
	collect func(values []float32, indices []int32, n int, x []float32, first int32, least float32) int
	entries func(dst *uint64, values []float32, indices []int32, least float32) int

	// The exponentials are powers of 2^(1/roots), see exponent.
	roots  int
	sumExp func(x []float32, low, magic float32) (sum float64, top float32)
	exp    func(dst, x []float32, low, magic, factor float32)
}

// exponent is how assembly is told to compute exp(x − shift): as
// factor · 2^((x·scale − n)/roots), where scale is roots·log2 e in float32 and
// n a whole number near shift·scale. Adding magic = 1.5·2^23 − n to x·scale
// rounds it to a whole number and leaves that, less n, in the lowest bits of
// the float: they are the exponent and the number of the root. So the
// difference is taken between whole numbers, and no digit of x is lost. factor
// makes up for n; at x = shift it also makes up for the rounding of scale. What
// lies below low is e^-87 or less.
type exponent struct{ low, magic, factor float32 }

// newExponent reports false for a shift whose multiples are not exact.
func newExponent(shift float32, roots int) (exponent, bool) {
	scale := float64(float32(float64(roots) * math.Log2E))
	product := float64(shift) * scale
	n := math.RoundToEven(product)
	return exponent{
		low:    shift - 87,
		magic:  float32(3<<22 - n),
		factor: float32(math.Exp2((n - product) / float64(roots))),
	}, math.Abs(n) < 1<<22
}

// vectorised makes a variant: whole vectors go to assembly, the rest to the
// generic version.
func vectorised(name string, v simd) variant {
	whole := func(x []float32) int { return len(x) &^ (v.lanes - 1) }
	return variant{
		name: name,
		max: func(x []float32) float32 {
			n := whole(x)
			a, b := v.max(x[:n]), maxGeneric(x[n:])
			if a != a || b != b {
				return a + b
			}
			return max(a, b)
		},
		sumExp: func(x []float32, shift float32) (float64, float32) {
			e, ok := newExponent(shift, v.roots)
			if !ok {
				return v.sumExpFar(x, shift)
			}
			n := whole(x)
			sum, top := v.sumExp(x[:n], e.low, e.magic)
			restSum, restTop := sumExpGeneric(x[n:], shift)
			return sum*float64(e.factor) + restSum, max(top, restTop)
		},
		exp: func(dst, x []float32, shift float32) {
			n := whole(x)
			e, ok := newExponent(shift, v.roots)
			if !ok {
				n = 0
			}
			v.exp(dst[:n], x[:n], e.low, e.magic, e.factor)
			expGeneric(dst[n:], x[n:], shift)
		},
		count: func(x []float32, least float32) int {
			n := whole(x)
			return v.count(x[:n], least) + countGeneric(x[n:], least)
		},
		collect: func(values []float32, indices []int32, at int, x []float32, first int32, least float32) int {
			n := whole(x)
			_, _ = values[:at+len(x)+padding], indices[:at+len(x)+padding] // what assembly does not check
			at = v.collect(values, indices, at, x[:n], first, least)
			return collectGeneric(values, indices, at, x[n:], first+int32(n), least)
		},
		entries: func(dst []Entry, values []float32, indices []int32, least float32) int {
			n := whole(values)
			_, _ = dst[:v.count(values[:n], least)+padding], indices[:len(values)] // what assembly does not check
			m := v.entries((*uint64)(unsafe.Pointer(unsafe.SliceData(dst))), values[:n], indices, least)
			return m + entriesGeneric(dst[m:], values[n:], indices[n:], least)
		},
	}
}

// sumExpFar is sumExpGeneric for shifts whose multiples are not exact: values of
// that size have few digits behind the point, and lose none when the shift is
// taken from them first.
func (v *simd) sumExpFar(x []float32, shift float32) (sum float64, top float32) {
	var moved [128]float32
	e, _ := newExponent(0, v.roots)
	top = -inf32
	for ; len(x) >= len(moved); x = x[len(moved):] {
		for i, y := range (*[len(moved)]float32)(x) {
			moved[i] = y - shift
		}
		s, t := v.sumExp(moved[:], e.low, e.magic)
		sum += s
		top = max(top, t+shift)
	}
	restSum, restTop := sumExpGeneric(x, shift)
	return sum + restSum, max(top, restTop)
}
