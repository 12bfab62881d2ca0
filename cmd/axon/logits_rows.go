package main

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/rowfile"
	"axon/kernels"
)

// printRows prints the rows that --rows names, one a line, as they are read.
func printRows(c *cli.Context, path string, r *rowfile.Reader) error {
	from, to, err := rowRange(c.String("rows"), r.Header().Rows())
	if err != nil {
		return err
	}
	format := appendRowJSON
	if !c.Bool("json") {
		p := textRows{limit: math.MaxInt}
		if c.IsSet("top-k") {
			p.limit = max(c.Int("top-k"), 0)
		}
		if p.vocab, err = rowsVocabulary(c, r.Header()); err != nil {
			return err
		}
		if p.vocab != nil {
			defer func() { _ = p.close() }()
		}
		format = p.append
	}
	if from == to {
		return nil
	}
	out := bufio.NewWriterSize(c.App.Writer, 1<<16)
	err = r.Seek(from)
	if err == nil {
		err = copyRows(c, out, r, to, format)
	}
	if err := errors.Join(out.Flush(), c.Context.Err()); err != nil {
		return err
	}
	return damaged(c, path, err)
}

func copyRows(c *cli.Context, out io.Writer, r *rowfile.Reader, to uint64, format func([]byte, *rowfile.Row) []byte) error {
	var row rowfile.Row
	var line []byte
	for c.Context.Err() == nil {
		if err := r.Read(&row); err != nil {
			return err
		}
		line = append(format(line[:0], &row), '\n')
		if _, err := out.Write(line); err != nil || row.Position+1 >= to {
			return err
		}
	}
	return nil
}

// rowRange reads A:B, A:, :B or A, for a file of so many rows.
func rowRange(s string, rows uint64) (from, to uint64, err error) {
	a, b, isRange := strings.Cut(s, ":")
	number := func(text string, otherwise uint64) uint64 {
		if text == "" && isRange {
			return otherwise
		}
		n, e := strconv.ParseUint(text, 10, 63)
		if e != nil {
			err = usageError("--rows %q: must be A:B, with row numbers from 0, as in 0:10 or 1000:", s)
		}
		return n
	}
	from = number(a, 0)
	to = from + 1
	if isRange {
		to = number(b, rows)
	}
	switch {
	case err != nil:
	case from > to:
		err = usageError("--rows %q: the second number is behind the last row and must not be below the first", s)
	case to > rows && (!isRange || b != "") || from > rows:
		err = usageError("--rows %q: there are rows 0 … %d", s, rows-1)
	}
	return from, to, err
}

// appendRowJSON writes a row as an object: tokens ascend, logarithms are natural,
// null is that of 0.
func appendRowJSON(b []byte, row *rowfile.Row) []byte {
	b = strconv.AppendUint(append(b, `{"position":`...), row.Position, 10)
	b = strconv.AppendInt(append(b, `,"target":`...), int64(row.Target.Token), 10)
	b = appendLog(append(b, `,"target_logprob":`...), row.Target.LogProb)
	b = appendLog(append(b, `,"rest":`...), row.Top.Rest)
	b = append(b, `,"tokens":[`...)
	for i, e := range row.Top.Entries {
		b = strconv.AppendInt(appendComma(b, i), int64(e.Index), 10)
	}
	b = append(b, `],"logprobs":[`...)
	for i, e := range row.Top.Entries {
		b = appendLog(appendComma(b, i), e.Value)
	}
	return append(b, ']', '}')
}

func appendComma(b []byte, i int) []byte {
	if i == 0 {
		return b
	}
	return append(b, ',')
}

// appendLog writes a logarithm with as many digits as float32 needs.
func appendLog(b []byte, v float32) []byte {
	if math.IsInf(float64(v), -1) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, float64(v), 'g', -1, 32)
}

// textRows writes rows for people: position, token that came, rest, and the tokens
// of the row, the likeliest first.
type textRows struct {
	vocab  *vocabulary // nil: ids only
	limit  int         // tokens of a row
	sorted []kernels.Entry
}

// vocabulary is that of a model which was opened for nothing else.
type vocabulary struct {
	*engine.Vocab
	close func() error
}

func (p *textRows) close() error { return p.vocab.close() }

func (p *textRows) append(b []byte, row *rowfile.Row) []byte {
	b = append(strconv.AppendUint(b, row.Position, 10), '\t')
	b = append(p.token(append(b, "came "...), row.Target.Token), ' ')
	b = append(appendShort(b, row.Target.LogProb), '\t')
	b = appendShort(append(b, "rest "...), row.Top.Rest)
	p.sorted = append(p.sorted[:0], row.Top.Entries...)
	slices.SortStableFunc(p.sorted, func(a, b kernels.Entry) int { return cmp.Compare(b.Value, a.Value) })
	for _, e := range p.sorted[:min(p.limit, len(p.sorted))] {
		b = append(p.token(append(b, '\t'), e.Index), ' ')
		b = appendShort(b, e.Value)
	}
	return b
}

func (p *textRows) token(b []byte, t int32) []byte {
	b = strconv.AppendInt(b, int64(t), 10)
	if p.vocab == nil {
		return b
	}
	return strconv.AppendQuote(append(b, ' '), string(p.vocab.Piece(t)))
}

func appendShort(b []byte, v float32) []byte { return strconv.AppendFloat(b, float64(v), 'f', 4, 32) }

// rowsVocabulary opens the vocabulary that --model names, or the built-in model's if
// the rows are that one's. Otherwise there is none.
func rowsVocabulary(c *cli.Context, h *rowfile.Header) (*vocabulary, error) {
	if c.String("model") == "" {
		if own, err := modelFingerprint(c); err != nil || own != h.Fingerprint {
			return nil, err
		}
	}
	o, err := modelOptions(c)
	if err != nil {
		return nil, err
	}
	o.VocabOnly = true
	m, err := engine.OpenModel(c.Context, o)
	if err != nil {
		return nil, err
	}
	if v := m.Vocab(); v.Size != h.Vocab {
		_ = m.Close()
		return nil, usageError("%s has a vocabulary of %d tokens, the rows have one of %d; name the model of the rows, %s", nameOf(o), v.Size, h.Vocab, h.Model)
	}
	return &vocabulary{m.Vocab(), m.Close}, nil
}
