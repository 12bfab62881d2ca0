package corpus

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Tokenizer cuts text into standard tokens. Every token is at least one byte of
// text, and white space begins a token where it follows something else.
type Tokenizer interface {
	Tokenize(text string) ([]int32, error)
}

// Options say where texts come from and how windows are made of them.
type Options struct {
	// Paths are files and folders, or "-" alone: Stdin. Files whose names end in
	// .jsonl or .ndjson are JSON lines, all others plain text. Folders are walked in
	// the order of names; what is hidden, empty, binary or no regular file is passed
	// over there, links to files are followed and links to folders are not. No file
	// is read twice, however many paths and symbolic links lead to it.
	Paths []string
	Stdin io.Reader
	// Field is the field of a JSON line that holds its text; "": "text". If it is set,
	// Stdin is JSON lines as well.
	Field string
	// Length is the number of tokens in a window.
	Length int
	// Seed stands for an order of slots.
	Seed uint64
	// Rate is the share of slots that are taken from a stream, above 0; 0: all.
	Rate float64
	// Tokenizer has to bear being called from many goroutines if Draw is.
	Tokenizer Tokenizer
}

const (
	// maxLength bounds a window, and by it the memory that a slot takes.
	maxLength = 1 << 20
	// bytesPerToken and slotMargin make a slot's size of a window's.
	bytesPerToken = 8
	slotMargin    = 64

	defaultField = "text"
	stdin        = "-"
)

// Validate lists all faults of the options at once; each wraps ErrOptions.
func (o *Options) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
		}
	}
	check(len(o.Paths) > 0, "no path; name files, folders, or - for standard input")
	check(len(o.Paths) == 1 || !slices.Contains(o.Paths, stdin), "standard input (-) cannot be mixed with %d other paths", len(o.Paths)-1)
	check(!o.stream() || o.Stdin != nil, "no standard input")
	check(o.Length >= 1 && o.Length <= maxLength, "windows of %d tokens: must be 1 … %d", o.Length, maxLength)
	check(o.Rate >= 0 && o.Rate <= 1, "rate %v: must be above 0, and 1 at most", o.Rate) // fails for NaN
	check(o.Rate == 0 || o.Rate == 1 || o.stream(), "rate %v is for standard input only", o.Rate)
	check(o.Tokenizer != nil, "no tokenizer")
	return errors.Join(faults...)
}

func (o *Options) stream() bool { return slices.Equal(o.Paths, []string{stdin}) }

// slot is the size of slots in bytes.
func (o *Options) slot() int { return bytesPerToken*o.Length + slotMargin }

func (o *Options) field() string {
	if o.Field == "" {
		return defaultField
	}
	return o.Field
}
