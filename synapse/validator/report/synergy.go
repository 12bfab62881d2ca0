package report

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// What the heat map shows: so many servers, the best ones; numbers in its cells where
// there are few; names of uids on their side where there are many.
const (
	mostInMap     = 30
	mostNumbered  = 12
	mostUpright   = 16
	keptForScale  = 64
	cellSize      = 0.2 * vg.Inch
	smallestMap   = 4.6 * vg.Inch
	besidesTheMap = 2.6 * vg.Inch
)

// synergy shows which pairs of servers predict better together than the better one alone.
func synergy(d *Data) picture {
	pic := picture{id: "synergy", file: SynergyPNG, heading: "Synergy of pairs"}
	h, all := d.heat()
	if h == nil {
		pic.missing = "Synergy was not measured: it takes two servers with answers to the same texts."
		return pic
	}
	n := len(h.uids)
	p := newPlot("", "")
	p.X.Tick.Marker, p.Y.Tick.Marker = h.ticks(false), h.ticks(true)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Min, a.Max, a.Padding = 0, float64(n), 2
		a.Tick.Length, a.LineStyle.Width = 0, 0
	}
	if n > mostUpright {
		p.X.Tick.Label.Rotation = math.Pi / 2
		p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YCenter
	}
	p.Add(h)
	side := max(smallestMap, cellSize*vg.Length(n))
	pic.plot, pic.width, pic.height = p, side+besidesTheMap, side+0.5*vg.Inch
	pic.caption = "By how many nats per token the mean of two servers' probabilities loses less than the better one alone. " +
		"Blue pairs complement each other, orange ones do not; grey was not measured."
	if all > n {
		pic.caption += fmt.Sprintf(" The best %d of %d servers.", n, all)
	}
	pic.says = fmt.Sprintf("A map of the synergy of each pair of %d servers.", n)
	if best := d.bestPairs(1); len(best) > 0 {
		pic.says += fmt.Sprintf(" The most have %s and %s: %s nats per token.", best[0].One, best[0].Other, best[0].Nats)
	}
	return pic
}

// heat is a map of pairs.
type heat struct {
	uids   []int
	labels map[int]string
	values [][]float64 // symmetric; NaN: not measured
	most   float64     // the end of the scale of colours
}

// heat makes the map of the best servers that were compared, and says how many there were.
func (d *Data) heat() (h *heat, all int) {
	place := make(map[int]int)
	d.Synergy.each(func(i, j int, _ float64) {
		place[d.Synergy.UIDs[i]], place[d.Synergy.UIDs[j]] = i, j
	})
	h = &heat{labels: d.labels()}
	for i := range d.Servers {
		if _, ok := place[d.Servers[i].UID]; ok && !slices.Contains(h.uids, d.Servers[i].UID) {
			h.uids = append(h.uids, d.Servers[i].UID)
		}
	}
	all = len(h.uids)
	if all < 2 {
		return nil, all
	}
	h.uids = h.uids[:min(all, mostInMap)]
	for _, a := range h.uids {
		row := make([]float64, 0, len(h.uids))
		for _, b := range h.uids {
			i, j := place[a], place[b]
			v := math.NaN()
			if i != j {
				v = d.Synergy.at(min(i, j), max(i, j))
			}
			if drawable(v) {
				h.most = max(h.most, math.Abs(v))
			}
			row = append(row, v)
		}
		h.values = append(h.values, row)
	}
	return h, all
}

func (m *Matrix) at(i, j int) float64 {
	if i < len(m.Values) && j < len(m.Values[i]) {
		return m.Values[i][j]
	}
	return math.NaN()
}

func (h *heat) ticks(names bool) plot.ConstantTicks {
	var list []plot.Tick
	for i, uid := range h.uids {
		t := plot.Tick{Value: float64(i) + 0.5, Label: "#" + strconv.Itoa(uid)}
		if names { // from above
			t.Value, t.Label = float64(len(h.uids)-i)-0.5, h.labels[uid]
		}
		list = append(list, t)
	}
	return list
}

// Plot draws cells, and the scale of colours beside them.
func (h *heat) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	n := len(h.uids)
	for i, row := range h.values {
		for j, v := range row {
			x, y := float64(j), float64(n-1-i)
			fill(c, h.color(v), tx(x), ty(y), tx(x+1), ty(y+1))
			if n <= mostNumbered && drawable(v) {
				style := lettering(7.5, ink)
				style.XAlign, style.Color = text.XCenter, legible(h.color(v))
				c.FillText(style, vg.Point{X: tx(x + 0.5), Y: ty(y + 0.5)}, fixed(v, h.decimals()))
			}
		}
	}
	h.scale(c)
}

// scale draws the colours that values have.
func (h *heat) scale(c draw.Canvas) {
	left, height := c.Max.X+14, c.Max.Y-c.Min.Y
	for i := range keptForScale {
		v := h.most * (2*(float64(i)+0.5)/keptForScale - 1)
		low := c.Min.Y + height*vg.Length(i)/keptForScale
		fill(c, h.color(v), left, low, left+11, low+height/keptForScale+0.3)
	}
	for _, part := range []float64{-1, -0.5, 0, 0.5, 1} {
		at := c.Min.Y + height*vg.Length((part+1)/2)
		c.FillText(lettering(smallPrint, ink), vg.Point{X: left + 15, Y: at}, fixed(part*h.most, h.decimals()))
	}
	title := lettering(smallPrint, ink)
	title.Rotation, title.XAlign = math.Pi/2, text.XCenter
	c.FillText(title, vg.Point{X: left + 58, Y: (c.Min.Y + c.Max.Y) / 2}, "synergy, nats per token")
}

// GlyphBoxes keep room for the scale.
func (h *heat) GlyphBoxes(*plot.Plot) []plot.GlyphBox {
	return []plot.GlyphBox{{X: 1, Rectangle: vg.Rectangle{Max: vg.Point{X: 80}}}}
}

// decimals are as many as two digits of the largest value need.
func (h *heat) decimals() int {
	if h.most <= 0 {
		return 2
	}
	return min(6, max(1, 2-int(math.Ceil(math.Log10(h.most)))))
}

// color goes from orange over white, which is nothing, to blue.
func (h *heat) color(v float64) color.Color {
	if !drawable(v) {
		return rule
	}
	if h.most == 0 {
		return color.White
	}
	end := palette[0]
	if v < 0 {
		end = palette[1]
	}
	part := math.Abs(v) / h.most
	r, g, b, _ := end.RGBA()
	mix := func(to uint32) uint8 { return uint8(255 - part*float64(255-to>>8)) }
	return color.RGBA{mix(r), mix(g), mix(b), 0xFF}
}

// legible is the colour of words on a colour.
func legible(on color.Color) color.Color {
	if color.GrayModel.Convert(on).(color.Gray).Y < 0x90 {
		return color.White
	}
	return ink
}

func fill(c draw.Canvas, clr color.Color, left, low, right, high vg.Length) {
	c.FillPolygon(clr, []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
}

// gain is a pair in the list of those that gain most.
type gain struct{ One, Other, Nats string }

// bestPairs are those with most synergy.
func (d *Data) bestPairs(most int) []gain {
	type pair struct {
		i, j int
		v    float64
	}
	var list []pair
	d.Synergy.each(func(i, j int, v float64) {
		list = append(list, pair{i, j, v})
	})
	slices.SortStableFunc(list, func(a, b pair) int { return cmp.Compare(b.v, a.v) })
	labels := d.labels()
	named := func(place int) string {
		uid := d.Synergy.UIDs[place]
		return cmp.Or(labels[uid], "#"+strconv.Itoa(uid))
	}
	var gains []gain
	for _, p := range list[:min(len(list), most)] {
		gains = append(gains, gain{named(p.i), named(p.j), fixed(p.v, 4)})
	}
	return gains
}
