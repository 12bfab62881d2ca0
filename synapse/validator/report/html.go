package report

import (
	_ "embed" // the page
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"
)

//go:embed report.gohtml
var pageSource string

// page escapes what is filled in by where it stands.
var page = template.Must(template.New("report").Parse(pageSource))

// HTML writes the report as one HTML file. The error is the writer's, or ErrPicture.
func HTML(w io.Writer, d *Data) error {
	d = d.ordered()
	v := view{Title: clean(d.Title, longestInFiles), Verdict: d.verdict(), Pairs: d.compared(), Gains: d.bestPairs(mostGains)}
	if v.Title == "" {
		v.Title = "What the validator found"
	}
	if !d.Made.IsZero() {
		v.Made, v.MadeAt = d.Made.UTC().Format("2 January 2006, 15:04 UTC"), d.Made.UTC().Format(time.RFC3339)
	}
	for _, f := range d.Facts {
		v.Facts = append(v.Facts, Fact{clean(f.Name, longestInFiles), clean(f.Value, longestInFiles)})
	}
	for _, p := range pictures(d) {
		figure, err := p.figure()
		if err != nil {
			return err
		}
		v.Figures = append(v.Figures, figure)
	}
	v.Servers = d.rows()
	return page.Execute(w, v)
}

// view is the report in words and pictures.
type view struct {
	Title, Made, MadeAt string
	Verdict             []sentence
	Facts               []Fact
	Figures             []figure
	Pairs               []comparison
	Gains               []gain
	Servers             []serverRow
}

// sentence is a sentence in which strangers' names are set apart.
type sentence []phrase

type phrase struct{ Text, Name string }

// figure is a picture as the page has it.
type figure struct {
	ID, Heading, Caption, Says, Missing string
	Width, Height                       string
	SVG                                 template.HTML
}

func (p picture) figure() (figure, error) {
	f := figure{ID: p.id, Heading: p.heading, Caption: p.caption, Says: p.says, Missing: p.missing}
	if p.plot == nil {
		return f, nil
	}
	f.Width, f.Height = fmt.Sprintf("%.0f", p.width.Points()), fmt.Sprintf("%.0f", p.height.Points())
	body, err := p.svg()
	f.SVG = template.HTML(body) //nolint:gosec // made by the library, which escapes what it writes
	return f, err
}

// verdict says who predicts best, and by how much.
func (d *Data) verdict() []sentence {
	known, digits := d.known(), d.lossDecimals()
	if known == 0 {
		return []sentence{{{Text: "No server has a loss yet."}}}
	}
	best := &d.Servers[0]
	list := []sentence{{
		{Name: best.label()},
		{Text: " predicts best: it loses " + plusMinus(best.Loss, best.Error, digits) + " nats per token."},
	}}
	if known == 1 {
		return append(list, sentence{{Text: "No other server has a loss to compare it with."}})
	}
	second := &d.Servers[1]
	ahead := fixed(second.Loss-best.Loss, digits)
	how := ". Whether that is more than chance was not tested."
	for _, p := range d.Different {
		if p.Better != best.UID || p.Worse != second.UID {
			continue
		}
		ahead = plusMinus(p.Difference, p.Error, digits)
		how = ", which is significant at " + percent(p.Confidence) + "."
		if !p.Significant {
			how = ", which may be chance: at " + percent(p.Confidence) + " the two cannot be told apart."
		}
	}
	return append(list, sentence{{Text: "It is " + ahead + " nats ahead of "}, {Name: second.label()}, {Text: how}})
}

// percent is a confidence in words.
func percent(part float64) string {
	if !(part >= 0 && part <= 1) {
		return "an unknown confidence"
	}
	return strconv.FormatFloat(100*part, 'g', 4, 64) + " %"
}

// comparison is a pair of neighbours in words.
type comparison struct {
	Better, Worse, Difference, Rounds, Verdict string
	Significant                                bool
}

// Of more pairs than these, the first are listed; pairs.csv has all.
const mostCompared, mostGains = 40, 10

func (d *Data) compared() []comparison {
	labels := d.labels()
	named := func(uid int) string {
		if l, ok := labels[uid]; ok {
			return l
		}
		return "#" + strconv.Itoa(uid)
	}
	digits := decimals(func(yield func(float64) bool) {
		for _, p := range d.Different {
			if !yield(p.Error) {
				return
			}
		}
	})
	var list []comparison
	for _, p := range d.Different[:min(len(d.Different), mostCompared)] {
		c := comparison{named(p.Better), named(p.Worse), plusMinus(p.Difference, p.Error, digits), strconv.Itoa(p.Rounds),
			"cannot be told apart at " + percent(p.Confidence), p.Significant}
		if p.Significant {
			c.Verdict = "significant at " + percent(p.Confidence)
		}
		list = append(list, c)
	}
	return list
}
