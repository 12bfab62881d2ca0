package report

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// How many servers have a line in the ranking, where not all have.
const bestRanked, worstRanked = 22, 6

const (
	pictureWidth = 9 * vg.Inch
	lineHeight   = 0.235 * vg.Inch
	axesHeight   = 0.75 * vg.Inch
)

// lossAxis names the axis of losses.
const lossAxis = "cross-entropy, nats per token"

// line is a server in a list of dots.
type line struct {
	label, value string
	at, err      float64
	color        color.Color
}

// ranking shows who predicts best, and by how much.
func ranking(d *Data) picture {
	pic := picture{id: "ranking", file: RankingPNG, heading: "Who predicts best"}
	known := d.known()
	if known == 0 {
		pic.missing = "No server has a loss yet."
		return pic
	}
	shades, digits := d.shades(), d.lossDecimals()
	var lines []line
	for _, i := range ends(known, bestRanked, worstRanked) {
		if i < 0 {
			lines = append(lines, line{label: fmt.Sprintf("… %d more …", known-bestRanked-worstRanked), at: math.NaN()})
			continue
		}
		s := &d.Servers[i]
		c := shades[i].color
		if known > len(palette) && !shades[i].named {
			c = axis
		}
		value := plusMinus(s.Loss, s.Error, digits)
		if i > 0 {
			value += "  (+" + fixed(s.Loss-d.Servers[0].Loss, digits) + ")"
		}
		lines = append(lines, line{s.label(), value, s.Loss, s.Error, c})
	}
	best := &d.Servers[0]
	pic.plot = dots(lines, lossAxis+" (less is better)", best.Loss)
	pic.width, pic.height = pictureWidth, axesHeight+lineHeight*vg.Length(len(lines)+1)
	pic.caption = "The mean loss of each server with its 95 % interval (1.96 standard errors); the numbers are the loss ± its standard error, and by how much it is " +
		"larger than the best server's, where the dashed line is. Arrows point to what lies beyond the picture."
	pic.says = fmt.Sprintf("The losses of %d servers in ascending order; %s has the least, %s nats per token.",
		known, best.label(), plusMinus(best.Loss, best.Error, digits))
	return pic
}

// ends are the numbers below n, or the first and the last of them with −1 between.
func ends(n, first, last int) []int {
	var list []int
	for i := range n {
		switch {
		case n <= first+last || i < first || i >= n-last:
			list = append(list, i)
		case i == first:
			list = append(list, -1)
		}
	}
	return list
}

// interval is how many standard errors lie on either side in a 95 % interval.
const interval = 1.96

// dots is a list of servers, one below the other, and where each is on a common axis.
// A dashed line helps to compare with one value.
func dots(lines []line, label string, with float64) *plot.Plot {
	p := newPlot(label, "")
	last := len(lines) - 1
	var ticks []plot.Tick
	var list marks
	var highs, lows []float64
	for i, l := range lines {
		y := float64(last - i)
		ticks = append(ticks, plot.Tick{Value: y, Label: l.label})
		if !drawable(l.at) {
			continue
		}
		bar := 0.0
		if drawable(l.err) {
			bar = interval * l.err
		}
		list = append(list, mark{x: l.at, y: y, xlow: l.at - bar, xup: l.at + bar, ylow: y, yup: y,
			color: l.color, label: l.value, rightOfBar: true})
		highs, lows = append(highs, l.at+bar), append(lows, l.at-bar)
	}
	p.Y.Tick.Marker, p.Y.Tick.Length, p.Y.LineStyle.Width = plot.ConstantTicks(ticks), 0, 0
	p.Y.Min, p.Y.Max = -0.6, float64(last)+0.6
	scale(&p.X, floor(lows), ceiling(highs), 0.03)
	if drawable(with) {
		p.Add(curves{{x: []float64{with, with}, y: []float64{p.Y.Min, p.Y.Max}, style: stroke(axis, 0.8, 3, 3)}})
	}
	p.Add(list)
	return p
}
