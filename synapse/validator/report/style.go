package report

import (
	"cmp"
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of Okabe and Ito, which people with any colour vision tell apart, without
// the yellow that white paper swallows.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xFF}, color.RGBA{0xD5, 0x5E, 0x00, 0xFF}, color.RGBA{0x00, 0x9E, 0x73, 0xFF},
	color.RGBA{0xCC, 0x79, 0xA7, 0xFF}, color.RGBA{0xE6, 0x9F, 0x00, 0xFF}, color.RGBA{0x56, 0xB4, 0xE9, 0xFF},
	color.RGBA{0x50, 0x3A, 0x8C, 0xFF}, color.RGBA{0x00, 0x00, 0x00, 0xFF},
}

var (
	ink   = color.RGBA{0x22, 0x26, 0x2B, 0xFF}
	faint = color.RGBA{0xB8, 0xBD, 0xC4, 0xFF} // servers without a colour of their own
	axis  = color.RGBA{0x8A, 0x90, 0x98, 0xFF}
	rule  = color.RGBA{0xE9, 0xEB, 0xEE, 0xFF}
)

// Of more servers than colours, so many from either end have one.
const (
	bestColoured, worstColoured = 5, 3
	inColour                    = " The best 5 and the last 3 servers have a colour and a name, as far as there is room."
)

// shade says how a server is drawn: those with a name also have a colour of their own.
type shade struct {
	color color.Color
	named bool
}

// shades are those of all servers, in their order.
func (d *Data) shades() []shade {
	list := make([]shade, len(d.Servers))
	known := d.known()
	for i := range list {
		list[i] = shade{color: faint}
		switch fromEnd := known - i; {
		case i >= known:
		case known <= len(palette) || i < bestColoured:
			list[i] = shade{palette[i], true}
		case fromEnd <= worstColoured:
			list[i] = shade{palette[len(palette)-fromEnd], true}
		}
	}
	return list
}

// ordered is the same with servers in ascending order of their loss, those without one at
// the end.
func (d *Data) ordered() *Data {
	o := *d
	o.Servers = slices.Clone(d.Servers)
	slices.SortStableFunc(o.Servers, func(a, b Server) int {
		switch known := drawable(a.Loss); {
		case known != drawable(b.Loss):
			return map[bool]int{true: -1, false: 1}[known]
		case known:
			return cmp.Compare(a.Loss, b.Loss)
		}
		return 0
	})
	return &o
}

// known is how many servers, from the first on, have a loss.
func (d *Data) known() int {
	for i := range d.Servers {
		if !drawable(d.Servers[i].Loss) {
			return i
		}
	}
	return len(d.Servers)
}

const smallPrint = 9

func face(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func lettering(size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: face(size), XAlign: draw.XLeft, YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// newPlot is an empty figure with axes and a grid.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = face(10), ink
		a.Tick.Label.Font, a.Tick.Label.Color = face(smallPrint), ink
		a.LineStyle.Color, a.Tick.LineStyle.Color = axis, axis
		a.Padding, a.Label.Padding = 4, 4
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = rule, rule
	grid.Horizontal.Width, grid.Vertical.Width = 0.75, 0.75
	p.Add(grid)
	return p
}

// stroke is a line style.
func stroke(c color.Color, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width, Dashes: dashes}
}

// veil is a colour that lets others through.
func veil(c color.Color, alpha uint8) color.Color {
	r, g, b, _ := c.RGBA()
	return color.NRGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), alpha}
}
