package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// How many points lines have: each coloured one, at most, and all the others together.
const pointsALine, pointsInGrey = 400, 40_000

// lossTime shows how the running mean of each server's loss went.
func lossTime(d *Data) picture {
	pic := picture{id: "loss-time", file: LossTimePNG, heading: "Loss over time", width: pictureWidth, height: pictureHeight}
	shades := d.shades()
	var named, others, list curves
	for i := range d.Servers {
		s := &d.Servers[i]
		most := pointsALine
		if !shades[i].named {
			most = min(most, max(2, pointsInGrey/len(d.Servers)))
		}
		parts := history(s.Rounds, most, shades[i].named)
		for k := range parts {
			parts[k].style = stroke(shades[i].color, vg.Length(0.6))
			if shades[i].named {
				parts[k].style.Width = 1.6
			}
		}
		switch {
		case len(parts) == 0:
		case shades[i].named:
			parts[len(parts)-1].label = s.label()
			named = append(named, parts...)
		default:
			others = append(others, parts...)
		}
	}
	list = append(list, named...)
	list = append(list, others...)
	if len(list) == 0 {
		pic.missing = "There are fewer than two rounds with a loss of the same server."
		return pic
	}
	p := newPlot("step", "running mean of the "+lossAxis)
	list.scaleTime(&p.X, &p.Y)
	p.Add(list)
	pic.plot = p
	pic.caption = "The running mean of each server's loss, and one standard error to either side where it is known."
	if len(others) > 0 {
		pic.caption += inColour
	}
	pic.says = fmt.Sprintf("Lines of %d servers over steps %.0f to %.0f. %s", len(d.Servers), p.X.Min, p.X.Max, pic.caption)
	return pic
}

// history is a server's running mean as lines, interrupted where it is not known, of about
// so many points.
func history(rounds []Point, most int, band bool) curves {
	stride := max(1, (len(rounds)+most-1)/most)
	var list curves
	var now curve
	end := func() {
		if len(now.x) > 1 {
			list = append(list, now)
		}
		now = curve{}
	}
	for i, r := range rounds {
		if !drawable(r.Mean, float64(r.Step)) {
			end()
			continue
		}
		if i%stride != 0 && i != len(rounds)-1 {
			continue
		}
		now.x, now.y = append(now.x, float64(r.Step)), append(now.y, r.Mean)
		if band {
			e := r.Error
			if !drawable(e) || e < 0 {
				e = 0
			}
			now.low, now.high = append(now.low, r.Mean-e), append(now.high, r.Mean+e)
		}
	}
	end()
	return list
}

// scaleTime makes axes that show all lines, but for their first steps, where means of few
// rounds go anywhere.
func (s curves) scaleTime(x, y *plot.Axis) {
	left, right := math.Inf(1), math.Inf(-1)
	for _, l := range s {
		left, right = min(left, l.x[0]), max(right, l.x[len(l.x)-1])
	}
	var values []float64
	for _, l := range s {
		for i, at := range l.x {
			if at >= left+(right-left)/10 {
				values = append(values, l.y[i])
			}
		}
	}
	scale(x, left, right, 0)
	scale(y, floor(values), ceiling(values), 0.06)
}
