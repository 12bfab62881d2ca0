package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// mostDivergent servers have a line, those furthest from the others first.
const mostDivergent = 28

// divergence shows which servers answer otherwise than all together.
func divergence(d *Data) picture {
	pic := picture{id: "divergence", file: DivergePNG, heading: "Divergence from the others"}
	shades := d.shades()
	var lines []line
	for i := range d.Servers {
		s := &d.Servers[i]
		if !drawable(s.Divergence) {
			continue
		}
		c := shades[i].color
		if !shades[i].named {
			c = axis
		}
		lines = append(lines, line{s.label(), plusMinus(s.Divergence, s.DivergenceError, 3), s.Divergence, s.DivergenceError, c})
	}
	if len(lines) == 0 {
		pic.missing = "No divergence was measured: it takes answers of several servers to the same texts."
		return pic
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.at, a.at) })
	all := len(lines)
	lines = lines[:min(all, mostDivergent)]
	pic.plot = dots(lines, "Hellinger distance from the mean of all servers, 0 to 1", math.NaN())
	pic.width, pic.height = pictureWidth, axesHeight+lineHeight*vg.Length(len(lines)+1)
	pic.caption = "How far each server's distribution is from the mean of all, with its 95 % interval."
	if all > len(lines) {
		pic.caption += fmt.Sprintf(" The %d furthest of %d.", len(lines), all)
	}
	pic.says = fmt.Sprintf("The divergence of %d servers in descending order; %s is furthest from the others.", all, lines[0].label)
	return pic
}
