package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// sigmas95 is the half of an interval that holds a normal variable 95 % of the time.
const sigmas95 = 1.959964

// Interval holds a value with a confidence of 95 %.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// text writes the interval with so many digits.
func (i Interval) text(digits int) string {
	return fmt.Sprintf("[%s, %s]", number(i.Low, digits), number(i.High, digits))
}

// Estimate is a mean with its standard error.
type Estimate struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"error"`
}

// newEstimate is the mean of independent values.
func newEstimate(x []float64) Estimate {
	return Estimate{Mean(x), StdDev(x) / math.Sqrt(float64(len(x)))}
}

// Interval is the one that a normal mean has.
func (e Estimate) Interval() Interval {
	return Interval{e.Mean - sigmas95*e.Error, e.Mean + sigmas95*e.Error}
}

// minus are the differences of values that belong together.
func minus(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}

// bootstrap is the percentile interval of a statistic of n independent things (Efron and
// Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13): of computes it for those
// of the given places, some of which come several times.
func bootstrap(rnd *rand.Rand, n, times int, of func(places []int) float64) Interval {
	places, values := make([]int, n), make([]float64, 0, times)
	for range times {
		for i := range places {
			places[i] = rnd.IntN(n)
		}
		if v := of(places); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return percentiles(values)
}

func percentiles(values []float64) Interval {
	if len(values) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[min(len(values)-1, int(q*float64(len(values))))] }
	return Interval{at(0.025), at(0.975)}
}

// pick are the values at places.
func pick(x []float64, places []int) []float64 {
	list := make([]float64, len(places))
	for i, p := range places {
		list[i] = x[p]
	}
	return list
}

// wilson is the interval of a probability of which hits in n draws were seen (Wilson,
// JASA 22, 1927).
func wilson(hits, n int) Interval {
	p, z, m := float64(hits)/float64(n), sigmas95, float64(n)
	mid, half := p+z*z/(2*m), z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{(mid - half) / (1 + z*z/m), (mid + half) / (1 + z*z/m)}
}

// line is the least-squares line through points.
func line(x, y []float64) (slope, intercept float64) {
	mx, my := Mean(x), Mean(y)
	var xx, xy float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	slope = xy / xx
	return slope, my - slope*mx
}
