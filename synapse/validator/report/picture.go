package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// picture is one figure of the report, or the reason why there is none.
type picture struct {
	id, file string
	heading  string
	caption  string // below the picture
	says     string // what somebody learns from it who does not see it
	missing  string // why there is no picture; then plot is nil
	plot     *plot.Plot
	width    vg.Length
	height   vg.Length
}

// dpi is that of PNG files: sharp on paper, and small.
const dpi = 150

// WritePNG writes the pictures: ranking.png, loss-size.png, loss-time.png, synergy.png and
// divergence.png. For one without data there is no file, even if there was one before.
func WritePNG(dir string, d *Data) error {
	for _, p := range pictures(d.ordered()) {
		path := filepath.Join(dir, p.file)
		var err error
		if p.plot == nil {
			err = remove(path)
		} else {
			err = replace(path, p.png)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pictures are all figures in the order of the report. Servers are in theirs.
func pictures(d *Data) []picture {
	return []picture{ranking(d), lossSize(d), lossTime(d), synergy(d), divergence(d)}
}

func (p picture) png(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(p.width, p.height), vgimg.UseDPI(dpi))
	if err := p.draw(c); err != nil {
		return err
	}
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// svg is the picture as an element of a page: without the prologue of a file.
func (p picture) svg() ([]byte, error) {
	c := vgsvg.NewWith(vgsvg.UseWH(p.width, p.height))
	if err := p.draw(c); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	_, body, found := bytes.Cut(b.Bytes(), []byte("<svg"))
	_, body, closed := bytes.Cut(body, []byte(">"))
	if !found || !closed {
		return nil, fmt.Errorf("%w: %s: no SVG came of it", ErrPicture, p.id)
	}
	return body, nil
}

// draw turns a panic of the library, which is how it reports numbers it cannot draw, into
// an error: a report must not end a validator.
func (p picture) draw(c vg.CanvasSizer) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %s: %v", ErrPicture, p.id, fault)
		}
	}()
	whole := draw.New(c)
	whole.SetColor(color.White)
	whole.Fill(whole.Path())
	const edge = 6 // names may stand out a little
	p.plot.Draw(draw.Crop(whole, edge, -edge, edge, -edge))
	return nil
}
