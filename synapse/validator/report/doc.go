// Package report shows what a validator found of its servers: as one HTML file with
// pictures, and the same as PNG and CSV. It knows neither databases nor scoring: whoever
// fills in [Data] has measured and judged, and only numbers and words come in here.
//
// The HTML file needs nothing else: no script, no font, no picture from elsewhere, and
// says so to the browser (Content-Security-Policy). Names, addresses and return codes are
// the words of strangers: they are escaped, shortened, and freed of what is not seen. NaN
// and infinities stand for what is not known. A file appears whole or not at all.
//
// Pictures come from gonum.org/v1/plot, because one definition of a figure gives both SVG
// and PNG, with axes and fonts of its own.
//
// Start reading at [Data], then [HTML].
package report

import "errors"

// ErrPicture is returned when a picture cannot be drawn: when the library that draws it
// gives up on the numbers. The report is not written.
var ErrPicture = errors.New("picture cannot be drawn")
