package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// mark is a server as a dot: where it is, how far that is known, and what it is called.
type mark struct {
	x, y       float64
	xlow, xup  float64 // ends of the horizontal bar; equal to x: none
	ylow, yup  float64
	color      color.Color
	label      string
	small      bool // one of many
	rightOfBar bool // the label stands behind the bar, whatever else is there
}

// marks draws servers as dots with bars of error. What lies beyond an end of the axes is
// drawn as an arrow there.
type marks []mark

// toWords is how far words stand from the end of a bar.
const toWords = 9

const dotRadius, smallDotRadius = 3.2, 1.8

// Plot draws bars below dots, dots below words.
func (m marks) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	within := func(x, y float64) vg.Point {
		return vg.Point{X: tx(min(max(x, p.X.Min), p.X.Max)), Y: ty(min(max(y, p.Y.Min), p.Y.Max))}
	}
	for _, k := range m {
		bar := stroke(veil(k.color, 0xC0), 1.1)
		for _, ends := range [][2]vg.Point{{within(k.xlow, k.y), within(k.xup, k.y)}, {within(k.x, k.ylow), within(k.x, k.yup)}} {
			if ends[0] != ends[1] {
				c.StrokeLine2(bar, ends[0].X, ends[0].Y, ends[1].X, ends[1].Y)
			}
		}
	}
	taken := make([]vg.Rectangle, 0, len(m))
	for _, k := range slices.Backward(m) { // the first one on top
		at := within(k.x, k.y)
		taken = append(taken, vg.Rectangle{Min: vg.Point{X: at.X - 3, Y: at.Y - 3}, Max: vg.Point{X: at.X + 3, Y: at.Y + 3}})
		switch {
		case k.x > p.X.Max:
			arrow(c, k.color, at, 0)
		case k.y > p.Y.Max:
			arrow(c, k.color, at, math.Pi/2)
		default:
			radius := vg.Length(dotRadius)
			if k.small {
				radius = smallDotRadius
			}
			c.DrawGlyphNoClip(draw.GlyphStyle{Color: k.color, Radius: radius, Shape: draw.CircleGlyph{}}, at)
		}
	}
	m.words(c, within, taken)
}

// GlyphBoxes keep room for words to the right of bars.
func (m marks) GlyphBoxes(p *plot.Plot) []plot.GlyphBox {
	var boxes []plot.GlyphBox
	for _, k := range m {
		if k.rightOfBar {
			end := toWords + lettering(smallPrint, ink).Width(k.label)
			boxes = append(boxes, plot.GlyphBox{X: p.X.Norm(min(k.xup, p.X.Max)), Rectangle: vg.Rectangle{Max: vg.Point{X: end}}})
		}
	}
	return boxes
}

// words writes what the dots are called where there is room, the first ones first.
func (m marks) words(c draw.Canvas, within func(x, y float64) vg.Point, taken []vg.Rectangle) {
	for _, k := range m {
		if k.label == "" {
			continue
		}
		at := within(k.x, k.y)
		style := lettering(smallPrint, ink)
		width, height := style.Width(k.label), style.Height(k.label)
		if k.rightOfBar {
			c.FillText(style, vg.Point{X: max(at.X, within(k.xup, k.y).X) + toWords, Y: at.Y}, k.label)
			continue
		}
		for _, place := range []vg.Point{{X: 5, Y: 0.8 * height}, {X: 7, Y: 0}, {X: -7 - width, Y: 0}, {X: 4, Y: -height},
			{X: -4 - width, Y: height}, {X: -4 - width, Y: -height}} {
			from := at.Add(place)
			box := vg.Rectangle{Min: vg.Point{X: from.X, Y: from.Y - height/2}, Max: vg.Point{X: from.X + width, Y: from.Y + height/2}}
			if !inside(c.Rectangle, box) || overlaps(taken, box) {
				continue
			}
			taken = append(taken, box)
			c.FillText(style, from, k.label)
			break
		}
	}
}

func inside(outer, inner vg.Rectangle) bool {
	return inner.Min.X >= outer.Min.X && inner.Max.X <= outer.Max.X && inner.Min.Y >= outer.Min.Y && inner.Max.Y <= outer.Max.Y
}

func overlaps(list []vg.Rectangle, r vg.Rectangle) bool {
	for _, o := range list {
		if r.Min.X < o.Max.X && o.Min.X < r.Max.X && r.Min.Y < o.Max.Y && o.Min.Y < r.Max.Y {
			return true
		}
	}
	return false
}

// arrow points out of the picture, into the direction of an angle.
func arrow(c draw.Canvas, clr color.Color, at vg.Point, angle float64) {
	corner := func(turn, radius float64) vg.Point {
		sin, cos := math.Sincos(angle + turn)
		return vg.Point{X: at.X + vg.Length(radius*cos), Y: at.Y + vg.Length(radius*sin)}
	}
	c.FillPolygon(clr, []vg.Point{corner(0, 6), corner(2.3, 4.5), corner(-2.3, 4.5)})
}

// curve is a line with a band around it.
type curve struct {
	x, y      []float64
	low, high []float64 // the band; empty: none
	style     draw.LineStyle
	label     string // behind its end
}

// curves draws lines above their bands, and their names to the right of the axes.
type curves []curve

// Plot draws what lies within the axes.
func (s curves) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	points := func(x, y []float64) []vg.Point {
		list := make([]vg.Point, len(x))
		for i := range x {
			list[i] = vg.Point{X: tx(x[i]), Y: ty(y[i])}
		}
		return list
	}
	for _, l := range s {
		if len(l.low) > 0 {
			ring := points(l.x, l.high)
			for i := len(l.x) - 1; i >= 0; i-- {
				ring = append(ring, vg.Point{X: tx(l.x[i]), Y: ty(l.low[i])})
			}
			c.FillPolygon(veil(l.style.Color, 0x2E), c.ClipPolygonXY(ring))
		}
	}
	var ends []ending
	for i := len(s) - 1; i >= 0; i-- { // the first one on top
		l := s[i]
		way := points(l.x, l.y)
		c.StrokeLines(l.style, c.ClipLinesXY(way)...)
		if l.label != "" && len(way) > 0 {
			last := way[len(way)-1]
			last.Y = min(max(last.Y, c.Min.Y), c.Max.Y)
			ends = append(ends, ending{at: last, label: l.label, color: l.style.Color})
		}
	}
	nameEnds(c, ends)
}

// GlyphBoxes keep room for the names.
func (s curves) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	widest := vg.Length(0)
	for _, l := range s {
		if l.label != "" {
			widest = max(widest, toName+lettering(smallPrint, ink).Width(l.label))
		}
	}
	return []plot.GlyphBox{{X: 1, Rectangle: vg.Rectangle{Max: vg.Point{X: widest}}}}
}

// toName is how far a name stands from the end of the axes.
const toName = 16
