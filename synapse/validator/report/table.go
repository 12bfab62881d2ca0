package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strconv"
)

// serverRow is a server in the table, in words.
type serverRow struct {
	Rank, UID, Name, Hotkey                        string
	Loss, Behind, BitsPerByte, Size, Params, Range string
	Score, Weight, Emitted, ResponseTime           string
	Divergence, Answered, Codes                    string
	Color                                          template.CSS
}

// rows are the table's.
func (d *Data) rows() []serverRow {
	known, digits, shades := d.known(), d.lossDecimals(), d.shades()
	list := make([]serverRow, len(d.Servers))
	for i := range d.Servers {
		s := &d.Servers[i]
		r := serverRow{
			Rank: unknown, UID: strconv.Itoa(s.UID), Name: clean(s.Name, longestInTables), Hotkey: clean(s.Hotkey, longestInTables),
			Loss: plusMinus(s.Loss, s.Error, digits), Behind: unknown, BitsPerByte: fixed(s.BitsPerByte, 3),
			Size: size(s.Size), Params: size(s.Params), Score: score(s.Score), Weight: fixed(s.Weight, 4),
			Emitted: strconv.Itoa(s.Emitted), ResponseTime: fixed(s.ResponseTime, 3),
			Divergence: plusMinus(s.Divergence, s.DivergenceError, 3), Codes: codes(s.Codes),
			Answered: fmt.Sprintf("%d of %d", s.Answered, s.Asked),
			Color:    css(shades[i].color),
		}
		if finite(s.ParamsLow, s.ParamsHigh) {
			r.Range = size(s.ParamsLow) + " to " + size(s.ParamsHigh)
		}
		if i < known {
			r.Rank, r.Behind = strconv.Itoa(i+1), fixed(s.Loss-d.Servers[0].Loss, digits)
		}
		list[i] = r
	}
	return list
}

// score is a number of any size, with four digits at least.
func score(v float64) string {
	if !finite(v) {
		return unknown
	}
	if math.Abs(v) >= 1000 && math.Abs(v) < 1e9 {
		return fixed(math.Round(v), 0)
	}
	return minus(strconv.FormatFloat(v, 'g', 4, 64))
}

// css is the colour in which pictures show a server.
func css(c color.Color) template.CSS {
	r, g, b, _ := c.RGBA()
	return template.CSS(fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8))
}
