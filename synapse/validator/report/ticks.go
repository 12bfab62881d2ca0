package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// mostTicks is how many numbers an axis has.
const mostTicks = 8

// roundTicks mark round numbers, with as many decimals as tell them apart.
type roundTicks struct{}

// Ticks are multiples of 1, 2 or 5 and a power of ten.
func (roundTicks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/mostTicks)))
	for _, more := range []float64{2, 2.5, 2} {
		if (high-low)/step <= mostTicks {
			break
		}
		step *= more
	}
	digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var list []plot.Tick
	for k := math.Ceil(low / step); k*step <= high && len(list) <= 2*mostTicks; k++ {
		list = append(list, plot.Tick{Value: k * step, Label: minus(strconv.FormatFloat(k*step, 'f', digits, 64))})
	}
	return list
}

// sizeTicks mark sizes on an axis of their logarithms to the base 10.
type sizeTicks struct{}

// Ticks names powers of ten, and of a short axis some numbers between.
func (sizeTicks) Ticks(low, high float64) []plot.Tick {
	decades := high - low
	var list []plot.Tick
	for e := math.Floor(low); e <= high; e++ {
		for m := 1.0; m < 10; m++ {
			t := plot.Tick{Value: e + math.Log10(m)}
			if t.Value < low || t.Value > high {
				continue
			}
			if m == 1 && (decades < 10 || int(e)%3 == 0) || decades < 2.5 && (m == 2 || m == 5) || decades < 0.7 {
				t.Label = size(m * math.Pow(10, e))
			}
			list = append(list, t)
		}
	}
	return list
}
