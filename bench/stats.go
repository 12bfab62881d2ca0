package bench

import (
	"math"
	"slices"
	"time"
)

// Mean is the arithmetic mean; 0 of nothing.
func Mean(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// StdDev is the standard deviation of a sample (n−1 below the line), as
// llama-bench prints it; 0 of fewer than two.
func StdDev(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	mean, sum := Mean(x), 0.0
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

// Median is the middle value, the mean of the middle two of an even number;
// 0 of nothing.
func Median(x []float64) float64 {
	n := len(x)
	if n == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(x))
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Speed are the repetitions of one test by one program.
type Speed struct {
	AvgNS     float64   `json:"avg_ns"`
	StdDevNS  float64   `json:"stddev_ns"`
	AvgTS     float64   `json:"avg_ts"` // tokens per second
	StdDevTS  float64   `json:"stddev_ts"`
	SamplesNS []int64   `json:"samples_ns"`
	SamplesTS []float64 `json:"samples_ts"`
}

// newSpeed turns the times that so many tokens took into tokens per second.
func newSpeed(tokens int, times []time.Duration) Speed {
	var s Speed
	ns := make([]float64, len(times))
	for i, d := range times {
		ns[i] = float64(d.Nanoseconds())
		s.SamplesNS = append(s.SamplesNS, d.Nanoseconds())
		s.SamplesTS = append(s.SamplesTS, float64(tokens)/d.Seconds())
	}
	s.AvgNS, s.StdDevNS = Mean(ns), StdDev(ns)
	s.AvgTS, s.StdDevTS = Mean(s.SamplesTS), StdDev(s.SamplesTS)
	return s
}

// Ratio compares two programs round by round: what disturbs the machine for
// longer than a round disturbs both.
type Ratio struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// newRatio is a over b in each round.
func newRatio(a, b []float64) Ratio {
	r := make([]float64, min(len(a), len(b)))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	if len(r) == 0 {
		return Ratio{}
	}
	return Ratio{Median(r), slices.Min(r), slices.Max(r)}
}
