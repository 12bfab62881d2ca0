package corpus

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
)

// files is a corpus whose texts can be read in any order. Nothing of it changes.
type files struct {
	cutter
	documents []document // by start
	size      Size
	seed      uint64
	field     string
	print     string
	slot      int // bytes
}

func openFiles(ctx context.Context, o Options) (*files, error) {
	l, err := list(ctx, o.Paths)
	if err != nil {
		return nil, err
	}
	f := &files{
		cutter:    cutter{o.Tokenizer, o.Length},
		documents: l.documents,
		size:      Size{Files: len(l.documents), Skipped: l.skipped, Bytes: l.total},
		seed:      o.Seed,
		field:     o.field(),
		slot:      o.slot(),
	}
	f.size.Windows = (l.total + int64(f.slot) - 1) / int64(f.slot)
	f.print = f.fingerprint()
	switch {
	case l.total == 0:
		return nil, fmt.Errorf("%w in %q: name files that hold some (%d were passed over: hidden, empty, binary or no regular files)",
			ErrNoText, o.Paths, l.skipped)
	case l.total < int64(f.length): // a token has a byte
		return nil, f.tooShort(0)
	}
	return f, nil
}

func (f *files) fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "1 %d %d %d %q\n", f.length, f.slot, f.seed, f.field)
	for i := range f.documents {
		d := &f.documents[i]
		fmt.Fprintf(h, "%q %d %d %v\n", d.name, d.end, d.modified, d.lines)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Fingerprint implements Corpus.
func (f *files) Fingerprint() string { return f.print }

// Size implements Corpus.
func (f *files) Size() Size { return f.size }

// Close implements Corpus. Files are open only while they are read.
func (f *files) Close() error { return nil }

// Slots in a row that hold no window before Draw gives up: as many as an epoch has, but
// enough to find a rare place in a short text, and not so many that nobody would wait.
const (
	minBarren = 1 << 10
	maxBarren = 1 << 16
)

// Draw implements Corpus.
func (f *files) Draw(ctx context.Context, p Position, n int) (windows [][]int32, next Position, err error) {
	order := newOrder(f.seed, p.Epoch, f.size.Bytes, int64(f.slot))
	for barren := uint64(0); len(windows) < n; {
		if err := ctx.Err(); err != nil {
			return windows, p, err
		}
		if p.Slot >= order.size {
			p = Position{Epoch: p.Epoch + 1}
			order = newOrder(f.seed, p.Epoch, f.size.Bytes, int64(f.slot))
			continue
		}
		window, err := f.at(order.start(p.Slot))
		p.Slot++
		if err != nil {
			return windows, p, err
		}
		if window != nil {
			windows, barren = append(windows, window), 0
			continue
		}
		if barren++; barren >= min(max(order.size, minBarren), maxBarren) {
			return windows, p, f.tooShort(barren)
		}
	}
	return windows, p, nil
}

func (f *files) tooShort(places uint64) error {
	return fmt.Errorf("%w: a window of %d tokens takes about %d bytes of one document, as UTF-8 and with blanks; "+
		"%d bytes in %d files hold none at %d places; add text or ask for shorter windows",
		ErrTooShort, f.length, 9*f.length/2, f.size.Bytes, f.size.Files, places)
}

// at gives the window of the slot that begins at a byte of all bytes.
func (f *files) at(start int64) (window []int32, err error) {
	i, exact := slices.BinarySearchFunc(f.documents, start, func(d document, start int64) int { return cmp.Compare(d.start, start) })
	if !exact {
		i--
	}
	d := &f.documents[i]
	file, err := d.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	offset := d.begin + start - d.start
	if d.lines {
		return f.ofLine(file, d, offset)
	}
	return f.ofText(file, d, offset)
}

// ofText reads a slot, and around it what the cutter needs to see.
func (f *files) ofText(file *os.File, d *document, offset int64) ([]int32, error) {
	end := min(offset+int64(f.slot), d.end)
	from := max(offset-around, d.begin)
	text := make([]byte, min(end+around, d.end)-from)
	if err := readAt(file, text, from); err != nil {
		return nil, fmt.Errorf("read %s: %w", d.name, err)
	}
	return f.window(text, int(offset-from), int(end-from))
}

// ofLine reads the line in which a slot begins. The slot begins as many bytes behind the
// beginning of the line's text as it does behind the line's, so that the slots of a line
// share nothing; a text is no longer than its line, whose other bytes are no text.
func (f *files) ofLine(file *os.File, d *document, offset int64) ([]int32, error) {
	line, start, err := lineAt(file, d.begin, d.end, offset)
	if err != nil {
		return nil, fmt.Errorf("%s, line at byte %d: %w", d.name, start, err)
	}
	text, err := lineText(line, f.field)
	if err != nil {
		return nil, fmt.Errorf("%s, line at byte %d: %w", d.name, start, err)
	}
	from := offset - start
	if from >= int64(len(text)) {
		return nil, nil
	}
	return f.window(text, int(from), min(int(from)+f.slot, len(text)))
}
