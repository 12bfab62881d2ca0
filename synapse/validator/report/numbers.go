package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// unknown is what stands where there is no number.
const unknown = "–"

// size is a number of parameters as people say it: 124M, 1.56B.
func size(v float64) string {
	if !finite(v) || v < 0 {
		return unknown
	}
	unit := ""
	for _, u := range []string{"K", "M", "B", "T"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	if v >= 999.5 {
		return fmt.Sprintf("%.3g%s", v, unit)
	}
	s := strconv.FormatFloat(v, 'f', max(0, 2-int(math.Floor(math.Log10(max(v, 1))))), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + unit
}

// fixed is a number with so many decimals.
func fixed(v float64, decimals int) string {
	switch {
	case !finite(v):
		return unknown
	case math.Abs(v) >= 1e9:
		return fmt.Sprintf("%.4g", v)
	}
	return minus(strconv.FormatFloat(v, 'f', decimals, 64))
}

// minus gives a negative number its proper sign, and none to a negative zero.
func minus(s string) string {
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", "−", 1)
}

// plusMinus is a number with its standard error, if that is known.
func plusMinus(v, e float64, decimals int) string {
	if !finite(v, e) {
		return fixed(v, decimals)
	}
	return fixed(v, decimals) + " ± " + fixed(e, decimals)
}

// decimals are as many as the smallest error needs to show two digits, 2 to 5.
func decimals(errs func(yield func(float64) bool)) int {
	smallest := 0.05
	for e := range errs {
		if finite(e) && e > 0 {
			smallest = min(smallest, e)
		}
	}
	return min(5, max(2, 1-int(math.Floor(math.Log10(smallest)))))
}

func (d *Data) lossDecimals() int {
	return decimals(func(yield func(float64) bool) {
		for i := range d.Servers {
			if !yield(d.Servers[i].Error) {
				return
			}
		}
	})
}

// ceiling is where an axis ends: at the largest value, but for those that are far from
// most others, which would press all the others together.
func ceiling(values []float64) float64 {
	sorted := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !finite(v) })
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	lower, upper := sorted[(len(sorted)-1)/4], sorted[3*(len(sorted)-1)/4]
	const far = 10
	limit := upper + far*(upper-lower)
	if len(sorted) < 4 || upper == lower {
		return sorted[len(sorted)-1]
	}
	last, _ := slices.BinarySearch(sorted, math.Nextafter(limit, math.Inf(1)))
	return sorted[last-1]
}

// floor is the same for the other end.
func floor(values []float64) float64 {
	negative := make([]float64, len(values))
	for i, v := range values {
		negative[i] = -v
	}
	return -ceiling(negative)
}

// scale sets the ends of an axis a little beyond the values that it has to show.
func scale(a *plot.Axis, low, high, margin float64) {
	if low >= high {
		wide := max(math.Abs(low)*0.01, 1e-3)
		low, high = low-wide, high+wide
	}
	a.Min, a.Max = low-(high-low)*margin, high+(high-low)*margin
	a.Tick.Marker = roundTicks{}
}

// Sizes outside of these are not drawn: no model has them.
const smallestSize, largestSize = 1, 1e18

func drawableSize(v float64) bool { return v >= smallestSize && v <= largestSize }

// drawable says whether a number can stand in a picture: finite, and not so large that
// nothing can be computed with it.
func drawable(values ...float64) bool {
	for _, v := range values {
		if !(math.Abs(v) <= 1e12) {
			return false
		}
	}
	return true
}
