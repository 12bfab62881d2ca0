package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

const pictureHeight = 5.2 * vg.Inch

// lossSize shows how loss falls with size, and the law that was fitted to it. Where no
// server's size is known, effective parameters take its place.
func lossSize(d *Data) picture {
	pic := picture{id: "loss-size", file: LossSizePNG, heading: "Loss against size", width: pictureWidth, height: pictureHeight}
	others, named := d.marks(func(s *Server) (at, low, high float64) { return s.Size, s.Size, s.Size })
	label, of := "parameters", "size"
	if len(others)+len(named) == 0 {
		others, named = d.marks(func(s *Server) (at, low, high float64) { return s.Params, s.ParamsLow, s.ParamsHigh })
		label, of = "effective parameters: of a model that loses as much", "effective parameters"
		pic.heading = "Loss against effective parameters"
	}
	sized := slices.Concat(others, named)
	if len(sized) == 0 {
		pic.missing = "There is no server of which both a loss and a size or effective parameters are known."
		return pic
	}
	p := newPlot(label, lossAxis)
	sized.scale(p)
	p.Add(others)
	pic.plot = p
	pic.caption = fmt.Sprintf("%d of %d servers, those whose loss and %s are known, with 95 %% intervals.", len(sized), len(d.Servers), of)
	if of == "size" && d.Law.drawable() {
		p.Add(d.Law.curve(p.X.Min, p.X.Max))
		pic.caption += " The line is the fitted law, " + d.Law.String() + ", and its 95 % interval."
	} else if of == "size" {
		pic.caption += " Too few sizes are known to fit a law to."
	}
	if slices.ContainsFunc(sized, func(k mark) bool { return k.y > p.Y.Max }) {
		pic.caption += " Arrows point to losses beyond the picture."
	}
	if len(others) > 0 {
		pic.caption += inColour
	}
	p.Add(named)
	pic.says = fmt.Sprintf("A chart of loss against %s on a logarithmic axis. %s", of, pic.caption)
	return pic
}

// marks are the servers with a loss and a size, with those apart that have a name in pictures.
func (d *Data) marks(size func(*Server) (at, low, high float64)) (others, named marks) {
	shades := d.shades()
	for i := range d.known() {
		s := &d.Servers[i]
		at, low, high := size(s)
		if !drawableSize(at) {
			continue
		}
		bar := 0.0
		if drawable(s.Error) {
			bar = interval * s.Error
		}
		x := math.Log10(at)
		m := mark{x: x, y: s.Loss, xlow: x, xup: x, ylow: s.Loss - bar, yup: s.Loss + bar, color: shades[i].color}
		if drawableSize(low) && drawableSize(high) {
			m.xlow, m.xup = math.Log10(low), math.Log10(high)
		}
		if shades[i].named {
			m.label = s.label()
			named = append(named, m)
		} else {
			m.small = true
			others = append(others, m)
		}
	}
	return others, named
}

// scale makes axes that show all marks, but for losses far above the others.
func (m marks) scale(p *plot.Plot) {
	var lows, highs []float64
	left, right := math.Inf(1), math.Inf(-1)
	for _, k := range m {
		lows, highs = append(lows, k.ylow), append(highs, k.yup)
		left, right = min(left, k.xlow), max(right, k.xup)
	}
	scale(&p.Y, floor(lows), ceiling(highs), 0.06)
	scale(&p.X, left, right, 0.06)
	p.X.Tick.Marker = sizeTicks{}
}

func (l *Law) drawable() bool {
	return l != nil && drawable(l.Alpha) && l.Nc > 0 && finite(l.Nc)
}

// String is the law as a formula.
func (l *Law) String() string {
	s := fmt.Sprintf("loss = (%s / size)^%.4g", strings.Replace(fmt.Sprintf("%.3g", l.Nc), "e+", "e", 1), l.Alpha)
	if finite(l.AlphaLow, l.AlphaHigh) && l.AlphaLow < l.AlphaHigh {
		s += fmt.Sprintf(" (95 %%: %.3g to %.3g)", l.AlphaLow, l.AlphaHigh)
	}
	return s + fmt.Sprintf(", fitted to %d servers", l.Servers)
}

// curve is the law between the logarithms of two sizes.
func (l *Law) curve(from, to float64) curves {
	const steps = 80
	c := curve{style: stroke(ink, 1.2, 5, 3)}
	for i := range steps + 1 {
		x := from + (to-from)*float64(i)/steps
		size := math.Pow(10, x)
		loss := math.Pow(l.Nc/size, l.Alpha)
		if !drawable(loss) {
			continue
		}
		low, high := loss, loss
		if l.Band != nil {
			if a, b := l.Band(size); drawable(a, b) && a <= b {
				low, high = a, b
			}
		}
		c.x, c.y = append(c.x, x), append(c.y, loss)
		c.low, c.high = append(c.low, low), append(c.high, high)
	}
	return curves{c}
}
