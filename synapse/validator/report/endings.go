package report

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ending is where a line ends, and what it is called.
type ending struct {
	at    vg.Point
	label string
	color color.Color
	y     vg.Length // of the name
}

// nameEnds writes names behind the ends of lines, one above the other where the ends are
// near each other.
func nameEnds(c draw.Canvas, ends []ending) {
	const gap = smallPrint + 3
	slices.SortStableFunc(ends, func(a, b ending) int { return cmp.Compare(b.at.Y, a.at.Y) })
	top := c.Max.Y
	for i := range ends { // from above, each below the one before
		ends[i].y = min(ends[i].at.Y, top)
		top = ends[i].y - gap
	}
	bottom := c.Min.Y
	for i := len(ends) - 1; i >= 0; i-- { // and back, what has left the axes
		ends[i].y = max(ends[i].y, bottom)
		bottom = ends[i].y + gap
	}
	for _, e := range ends {
		c.StrokeLine2(stroke(e.color, 1.2), e.at.X, e.at.Y, c.Max.X+toName-3, e.y)
		c.FillText(lettering(smallPrint, ink), vg.Point{X: c.Max.X + toName, Y: e.y}, e.label)
	}
}
