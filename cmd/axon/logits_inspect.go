package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"axon/internal/progress"
	"axon/internal/rowfile"
	"axon/kernels"
	"axon/kernels/pack"
)

func inspectFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "inspect", Usage: "describe a `FILE` of rows instead of writing one; - is standard input", TakesFile: true},
		&cli.StringFlag{Name: "rows", Usage: "with --inspect: print rows `A:B`, that is A … B-1; either may be left out"},
		&cli.BoolFlag{Name: "json", Usage: "with --inspect: print JSON; with --rows, one object a row"},
	}
}

func inspect(c *cli.Context) error {
	for _, name := range []string{"output", "file", "force", "mode", "kl", "max-step", "skip"} {
		if c.IsSet(name) {
			return usageError("--inspect reads a file of rows; --%s is for writing one", name)
		}
	}
	if c.Args().Present() {
		return usageError("--inspect reads a file of rows; %q is one argument too many", c.Args().First())
	}
	path := c.String("inspect")
	f, err := openInput(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r, err := rowfile.NewReader(f)
	if err != nil {
		return damaged(c, path, err)
	}
	if c.IsSet("rows") {
		return printRows(c, path, r)
	}
	return printReport(c, path, f, r)
}

// openInput opens a file to read, or standard input.
func openInput(path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the rows: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close()
		return nil, fmt.Errorf("%s is a directory; name a file of rows", path)
	}
	return f, nil
}

// damaged turns the end of reading into what a person should know: an interrupted
// file is no failure.
func damaged(c *cli.Context, path string, err error) error {
	var at *rowfile.Error
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, rowfile.ErrUnfinished) && errors.As(err, &at):
		fmt.Fprintf(c.App.ErrWriter, "axon: %s is unfinished: %s, at byte %d; the command that began it goes on after row %d\n", path, at.Text, at.Offset, at.Row)
		return nil
	case errors.Is(err, rowfile.ErrCorrupt) && errors.As(err, &at):
		return fmt.Errorf("%s: %w; the rows below %d are whole", path, err, at.Row)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// rowsReport is what inspect says of a file. Numbers are those of the rows that can
// be read.
type rowsReport struct {
	File    string          `json:"file"`
	Header  *rowfile.Header `json:"header"`
	Rows    uint64          `json:"rows"`
	Wanted  uint64          `json:"rows_when_finished"`
	State   string          `json:"state"` // finished, unfinished or damaged
	Problem string          `json:"problem,omitempty"`
	Bytes   int64           `json:"bytes"`

	BytesPerRow float64 `json:"bytes_per_row"`
	// CrossEntropy is the model's for the tokens that came, in nats, as axon score
	// --whole has it. Null: a token came that could not.
	CrossEntropy *float64 `json:"cross_entropy"`
	Perplexity   *float64 `json:"perplexity"`
	// RowsCrossEntropy is what is left of it in the rows: a token that is not in a row
	// has an equal share of the row's rest.
	RowsCrossEntropy *float64 `json:"cross_entropy_of_rows"`
	RowsPerplexity   *float64 `json:"perplexity_of_rows"`
	InTopK           float64  `json:"targets_in_top_k"` // share of the tokens that came

	nats, rowNats float64
	hits          uint64
}

func printReport(c *cli.Context, path string, f *os.File, r *rowfile.Reader) error {
	bar := progress.Start(os.Stderr, "reading "+filepath.Base(path), 1)
	defer bar.Stop()
	rep := &rowsReport{File: path, Header: r.Header(), Wanted: r.Header().Rows()}
	err := rep.read(c, r, func(offset int64) {
		if info, err := f.Stat(); err == nil && info.Size() > 0 {
			bar.Set(float64(offset) / float64(info.Size()))
		}
	})
	bar.Stop()
	if errors.Is(err, context.Canceled) {
		return err
	}
	rep.finish(r, err)
	if err := rep.write(c); err != nil {
		return err
	}
	return damaged(c, path, err)
}

// read goes through all rows, and returns what ended it.
func (rep *rowsReport) read(c *cli.Context, r *rowfile.Reader, progress func(offset int64)) error {
	var row rowfile.Row
	for {
		if err := c.Context.Err(); err != nil {
			return err
		}
		if err := r.Read(&row); err != nil {
			return err
		}
		nats, hit := surprise(&row, rep.Header.Vocab)
		rep.rowNats += nats
		rep.nats -= float64(row.Target.LogProb)
		if hit {
			rep.hits++
		}
		if rep.Rows++; rep.Rows%1024 == 0 {
			progress(r.Offset())
		}
	}
}

// surprise is −ln p of the token that came, in nats, and whether it is in the row.
func surprise(row *rowfile.Row, vocab int) (nats float64, hit bool) {
	entries := row.Top.Entries
	i, hit := slices.BinarySearchFunc(entries, row.Target.Token, func(e kernels.Entry, t int32) int { return int(e.Index) - int(t) })
	if hit {
		return -float64(entries[i].Value), true
	}
	return math.Log(float64(vocab-len(entries))) - float64(row.Top.Rest), false
}

func (rep *rowsReport) finish(r *rowfile.Reader, err error) {
	rep.Bytes, rep.State = r.Offset(), "finished"
	switch {
	case errors.Is(err, rowfile.ErrUnfinished):
		rep.State = "unfinished"
	case !errors.Is(err, io.EOF):
		rep.State = "damaged"
	}
	if rep.State != "finished" {
		rep.Problem = err.Error()
	}
	if rep.Rows == 0 {
		return
	}
	n := float64(rep.Rows)
	rep.BytesPerRow, rep.InTopK = float64(rep.Bytes)/n, float64(rep.hits)/n
	rep.CrossEntropy, rep.Perplexity = entropy(rep.nats / n)
	rep.RowsCrossEntropy, rep.RowsPerplexity = entropy(rep.rowNats / n)
}

// entropy is a cross-entropy in nats and its perplexity; nil: infinite.
func entropy(nats float64) (h, perplexity *float64) {
	if math.IsInf(nats, 0) {
		return nil, nil
	}
	p := math.Exp(nats)
	return &nats, &p
}

func (rep *rowsReport) write(c *cli.Context) error {
	if c.Bool("json") {
		return writeIndented(c, rep)
	}
	h, s := rep.Header, newSheet(c.App.Writer)
	s.row("file", "%s, %s", quoteControls(rep.File), rep.State)
	s.row("model", "%s, vocabulary of %d, %s", quoteControls(h.Model), h.Vocab, quoteControls(h.Fingerprint))
	s.row("text", "%s, %s, %d tokens, %s", quoteControls(h.Text), sizeText(h.TextBytes), h.Tokens, quoteControls(h.TokensHash))
	s.row("windows", "%d tokens, %d of them shared with the window before", h.Window, h.Overlap)
	for _, name := range slices.Sorted(maps.Keys(h.Settings)) {
		s.row(quoteControls(name), "%s", quoteControls(h.Settings[name]))
	}
	s.row("rows", "%d of %d, top %d, %s", rep.Rows, rep.Wanted, h.K, rep.packing())
	s.row("size", "%s, %.1f bytes a row", sizeText(rep.Bytes), rep.BytesPerRow)
	if rep.Rows > 0 {
		s.row("in the top-k", "%.2f%% of the tokens that came", 100*rep.InTopK)
		s.row("cross-entropy", "%s", entropyText(rep.CrossEntropy, rep.Perplexity))
		s.row("of the rows", "%s", entropyText(rep.RowsCrossEntropy, rep.RowsPerplexity))
	}
	s.row("written by", "%s", quoteControls(h.Tool))
	return s.w.Flush()
}

func (rep *rowsReport) packing() string {
	if h := rep.Header; h.Mode == pack.Quantised.String() {
		return fmt.Sprintf("%s to %v nats of divergence, in steps of %v at most", h.Mode, h.KL, h.MaxStep)
	}
	return rep.Header.Mode
}

func entropyText(h, perplexity *float64) string {
	if h == nil {
		return "infinite: a token came that could not"
	}
	return fmt.Sprintf("%.4f nats/token, perplexity %.4f", *h, *perplexity)
}
