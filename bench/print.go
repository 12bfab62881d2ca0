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
type Printer interface {
	Row(Row) error
	Close() error
}

// NewPrinter makes a printer; with peer there are columns for the comparison.
func NewPrinter(w io.Writer, format string, peer bool) (Printer, error) {
	switch format {
	case "md":
		return &markdown{w: w, peer: peer}, nil
	case "csv":
		return &commas{w: csv.NewWriter(w)}, nil
	case "json":
		return &jsonList{w: w}, nil
	case "jsonl":
		return &jsonLines{w: w}, nil
	}
	return nil, fmt.Errorf("output %q: must be %s", format, strings.Join(Formats, ", "))
}

// column is one column of the md table.
type column struct {
	title string
	width int
	right bool
	cell  func(Row) string
}

var columns = []column{
	{"model", 30, false, func(r Row) string { return r.ModelType }},
	{"size", 10, true, func(r Row) string { return bytesText(r.ModelSize) }},
	{"params", 10, true, func(r Row) string { return countText(r.ModelParams) }},
	{"backend", 10, false, func(r Row) string { return r.Backends }},
	{"threads", 7, true, func(r Row) string { return strconv.Itoa(r.Threads) }},
	{"test", 18, true, func(r Row) string { return r.Name }},
	{"t/s", 18, true, func(r Row) string { return speedText(r.Speed) }},
}

var peerColumns = []column{
	{"peer", 24, false, func(r Row) string { return ofPeer(r, func(p *PeerSpeed) string { return p.Program }) }},
	{"peer t/s", 18, true, func(r Row) string { return ofPeer(r, func(p *PeerSpeed) string { return speedText(p.Speed) }) }},
	{"ratio (min–max)", 19, true, func(r Row) string { return ofPeer(r, ratioText) }},
}

func ofPeer(r Row, f func(*PeerSpeed) string) string {
	if r.Peer == nil {
		return "–"
	}
	return f(r.Peer)
}

func speedText(s Speed) string { return fmt.Sprintf("%.2f ± %.2f", s.AvgTS, s.StdDevTS) }

func ratioText(p *PeerSpeed) string {
	return fmt.Sprintf("%.3f (%.3f–%.3f)", p.Ratio.Median, p.Ratio.Min, p.Ratio.Max)
}

func bytesText(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

func countText(n uint64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.2f M", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f B", float64(n)/1e9)
}

// markdown prints a table whose columns have fixed widths, so that it is
// readable before it is complete.
type markdown struct {
	w       io.Writer
	peer    bool
	started bool
}

func (m *markdown) columns() []column {
	if m.peer {
		return append(columns[:len(columns):len(columns)], peerColumns...)
	}
	return columns
}

func (m *markdown) Row(r Row) error {
	if !m.started {
		m.started = true
		if err := m.header(); err != nil {
			return err
		}
	}
	return m.line(func(c column) string { return pad(c.cell(r), c.width, c.right) })
}

func (m *markdown) header() error {
	if err := m.line(func(c column) string { return pad(c.title, c.width, c.right) }); err != nil {
		return err
	}
	var b strings.Builder
	for _, c := range m.columns() {
		rule, end := strings.Repeat("-", c.width+1), "-"
		if c.right {
			end = ":"
		}
		b.WriteString("|" + rule + end)
	}
	_, err := fmt.Fprintln(m.w, b.String()+"|")
	return err
}

func (m *markdown) line(cell func(column) string) error {
	var b strings.Builder
	for _, c := range m.columns() {
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

func (m *markdown) Close() error { return nil }

// commas prints CSV: the scalars of JSON, without the single samples.
type commas struct {
	w       *csv.Writer
	started bool
}

type csvField struct {
	name string
	of   func(Row) string
}

var csvFields = []csvField{
	{"build", func(r Row) string { return r.Build }},
	{"llama_cpp", func(r Row) string { return r.LlamaCpp }},
	{"backends", func(r Row) string { return r.Backends }},
	{"model_filename", func(r Row) string { return r.ModelFilename }},
	{"model_type", func(r Row) string { return r.ModelType }},
	{"model_size", func(r Row) string { return strconv.FormatUint(r.ModelSize, 10) }},
	{"model_n_params", func(r Row) string { return strconv.FormatUint(r.ModelParams, 10) }},
	{"n_batch", func(r Row) string { return strconv.Itoa(r.Batch) }},
	{"n_ubatch", func(r Row) string { return strconv.Itoa(r.UBatch) }},
	{"n_threads", func(r Row) string { return strconv.Itoa(r.Threads) }},
	{"type_k", func(r Row) string { return r.TypeK }},
	{"type_v", func(r Row) string { return r.TypeV }},
	{"n_gpu_layers", func(r Row) string { return strconv.Itoa(r.GPULayers) }},
	{"no_kv_offload", func(r Row) string { return strconv.FormatBool(r.NoKVOffload) }},
	{"flash_attn", func(r Row) string { return r.Flash }},
	{"n_prompt", func(r Row) string { return strconv.Itoa(r.Prompt) }},
	{"n_gen", func(r Row) string { return strconv.Itoa(r.Gen) }},
	{"n_depth", func(r Row) string { return strconv.Itoa(r.Depth) }},
	{"n_parallel", func(r Row) string { return strconv.Itoa(r.Parallel) }},
	{"test", func(r Row) string { return r.Name }},
	{"test_time", func(r Row) string { return r.Time }},
	{"avg_ns", func(r Row) string { return number(r.AvgNS, 0) }},
	{"stddev_ns", func(r Row) string { return number(r.StdDevNS, 0) }},
	{"avg_ts", func(r Row) string { return number(r.AvgTS, 6) }},
	{"stddev_ts", func(r Row) string { return number(r.StdDevTS, 6) }},
	{"peer", csvOfPeer(func(p *PeerSpeed) string { return p.Program })},
	{"peer_avg_ts", csvOfPeer(func(p *PeerSpeed) string { return number(p.AvgTS, 6) })},
	{"peer_stddev_ts", csvOfPeer(func(p *PeerSpeed) string { return number(p.StdDevTS, 6) })},
	{"ratio", csvOfPeer(func(p *PeerSpeed) string { return number(p.Ratio.Median, 6) })},
	{"ratio_min", csvOfPeer(func(p *PeerSpeed) string { return number(p.Ratio.Min, 6) })},
	{"ratio_max", csvOfPeer(func(p *PeerSpeed) string { return number(p.Ratio.Max, 6) })},
}

func csvOfPeer(f func(*PeerSpeed) string) func(Row) string {
	return func(r Row) string {
		if r.Peer == nil {
			return ""
		}
		return f(r.Peer)
	}
}

func number(f float64, digits int) string { return strconv.FormatFloat(f, 'f', digits, 64) }

func (c *commas) Row(r Row) error {
	if !c.started {
		c.started = true
		if err := c.line(func(f csvField) string { return f.name }); err != nil {
			return err
		}
	}
	return c.line(func(f csvField) string { return f.of(r) })
}

func (c *commas) line(cell func(csvField) string) error {
	fields := make([]string, len(csvFields))
	for i, f := range csvFields {
		fields[i] = cell(f)
	}
	_ = c.w.Write(fields) // Error repeats it
	c.w.Flush()
	return c.w.Error()
}

func (c *commas) Close() error { return nil }

// jsonList prints an array, which is complete whenever Close was called.
type jsonList struct {
	w    io.Writer
	rows int
}

func (l *jsonList) Row(r Row) error {
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

func (l *jsonList) Close() error {
	end := "\n]"
	if l.rows == 0 {
		end = "[]"
	}
	_, err := fmt.Fprintln(l.w, end)
	return err
}

// jsonLines prints an object on each line.
type jsonLines struct{ w io.Writer }

func (l *jsonLines) Row(r Row) error { return json.NewEncoder(l.w).Encode(r) }

func (l *jsonLines) Close() error { return nil }
