package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Formats are those that NewPrinter knows.
var Formats = []string{"md", "csv", "json", "jsonl"}

// Printer writes rows as they come. Close ends what Row began.
type Printer[R any] interface {
	Row(R) error
	Close() error
}

// Table is what a kind of row looks like to readers (md) and to programs
// (csv); json and jsonl are made of the row itself.
type Table[R any] struct {
	columns []column[R]
	fields  []field[R]
}

// column is one column of the md table.
type column[R any] struct {
	title string
	width int
	right bool
	cell  func(R) string
}

// field is one column of the csv table.
type field[R any] struct {
	name string
	of   func(R) string
}

// NewPrinter makes a printer of a table.
func NewPrinter[R any](w io.Writer, format string, t Table[R]) (Printer[R], error) {
	switch format {
	case "md":
		return &markdown[R]{w: w, columns: t.columns}, nil
	case "csv":
		return &commas[R]{w: csv.NewWriter(w), fields: t.fields}, nil
	case "json":
		return &jsonList[R]{w: w}, nil
	case "jsonl":
		return &jsonLines[R]{w: w}, nil
	}
	return nil, fmt.Errorf("output %q: must be %s", format, strings.Join(Formats, ", "))
}

// markdown prints a table whose columns have fixed widths, so that it is
// readable before it is complete.
type markdown[R any] struct {
	w       io.Writer
	columns []column[R]
	started bool
}

func (m *markdown[R]) Row(r R) error {
	if !m.started {
		m.started = true
		if err := m.header(); err != nil {
			return err
		}
	}
	return m.line(func(c column[R]) string { return pad(c.cell(r), c.width, c.right) })
}

func (m *markdown[R]) header() error {
	if err := m.line(func(c column[R]) string { return pad(c.title, c.width, c.right) }); err != nil {
		return err
	}
	var b strings.Builder
	for _, c := range m.columns {
		rule, end := strings.Repeat("-", c.width+1), "-"
		if c.right {
			end = ":"
		}
		b.WriteString("|" + rule + end)
	}
	_, err := fmt.Fprintln(m.w, b.String()+"|")
	return err
}

func (m *markdown[R]) line(cell func(column[R]) string) error {
	var b strings.Builder
	for _, c := range m.columns {
		b.WriteString("| " + cell(c) + " ")
	}
	_, err := fmt.Fprintln(m.w, b.String()+"|")
	return err
}

func pad(s string, width int, right bool) string {
	fill := strings.Repeat(" ", max(0, width-len([]rune(s))))
	if right {
		return fill + s
	}
	return s + fill
}

func (m *markdown[R]) Close() error { return nil }

// commas prints CSV: the scalars of JSON, without the single samples.
type commas[R any] struct {
	w       *csv.Writer
	fields  []field[R]
	started bool
}

func number(f float64, digits int) string { return strconv.FormatFloat(f, 'f', digits, 64) }

func (c *commas[R]) Row(r R) error {
	if !c.started {
		c.started = true
		if err := c.line(func(f field[R]) string { return f.name }); err != nil {
			return err
		}
	}
	return c.line(func(f field[R]) string { return f.of(r) })
}

func (c *commas[R]) line(cell func(field[R]) string) error {
	line := make([]string, len(c.fields))
	for i, f := range c.fields {
		line[i] = cell(f)
	}
	_ = c.w.Write(line) // Error repeats it
	c.w.Flush()
	return c.w.Error()
}

func (c *commas[R]) Close() error { return nil }

// jsonList prints an array, which is complete whenever Close was called.
type jsonList[R any] struct {
	w    io.Writer
	rows int
}

func (l *jsonList[R]) Row(r R) error {
	b, err := json.MarshalIndent(r, "  ", "  ")
	if err != nil {
		return err
	}
	before := ",\n  "
	if l.rows == 0 {
		before = "[\n  "
	}
	l.rows++
	_, err = fmt.Fprintf(l.w, "%s%s", before, b)
	return err
}

func (l *jsonList[R]) Close() error {
	end := "\n]"
	if l.rows == 0 {
		end = "[]"
	}
	_, err := fmt.Fprintln(l.w, end)
	return err
}

// jsonLines prints an object on each line.
type jsonLines[R any] struct{ w io.Writer }

func (l *jsonLines[R]) Row(r R) error { return json.NewEncoder(l.w).Encode(r) }

func (l *jsonLines[R]) Close() error { return nil }
