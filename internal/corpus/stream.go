package corpus

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sync"
)

// piece is a slot of a stream, as cutter.window takes it, or why there is none.
type piece struct {
	text     []byte
	from, to int
	err      error
}

// stream is a corpus that goes by once. Its slots are drawn as they come.
type stream struct {
	cutter
	seed  uint64
	rate  float64
	slot  int
	input iter.Seq[piece]

	// A goroutine reads, so that who waits for a window can stop waiting.
	begin, end sync.Once
	pieces     chan piece // closed behind the last one
	closed     chan struct{}

	mu     sync.Mutex
	next   uint64 // slots that have gone by
	tried  uint64 // and those that were looked at
	found  bool   // a window among them
	broken error  // why nothing more can be read
}

func newStream(o Options) *stream {
	s := &stream{
		cutter: cutter{o.Tokenizer, o.Length},
		seed:   o.Seed, rate: o.Rate, slot: o.slot(),
		pieces: make(chan piece), closed: make(chan struct{}),
	}
	if s.rate == 0 {
		s.rate = 1
	}
	s.input = textPieces(o.Stdin, s.slot)
	if o.Field != "" {
		s.input = linePieces(o.Stdin, s.slot, o.Field)
	}
	return s
}

// Fingerprint implements Corpus.
func (s *stream) Fingerprint() string { return "stream" }

// Size implements Corpus.
func (s *stream) Size() Size { return Size{} }

// Close implements Corpus.
func (s *stream) Close() error {
	s.end.Do(func() { close(s.closed) })
	return nil
}

// read passes pieces on until the stream ends or is closed.
func (s *stream) read() {
	defer close(s.pieces)
	for p := range s.input {
		select {
		case s.pieces <- p:
		case <-s.closed:
			return
		}
	}
}

// Draw implements Corpus. A position further on is gone to without tokenising what lies
// between; one that has gone by is ErrPassed.
func (s *stream) Draw(ctx context.Context, p Position, n int) (windows [][]int32, next Position, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Epoch > 0 || p.Slot < s.next {
		return nil, p, fmt.Errorf("%w: epoch %d, slot %d is asked for, and the next is slot %d of the only one", ErrPassed, p.Epoch, p.Slot, s.next)
	}
	s.begin.Do(func() { go s.read() })
	for len(windows) < n {
		window, err := s.draw(ctx, p.Slot)
		if err != nil {
			return windows, s.position(p), err
		}
		if window != nil {
			windows = append(windows, window)
		}
	}
	return windows, s.position(p), nil
}

// position is where the stream is, or is on its way to.
func (s *stream) position(p Position) Position { return Position{Slot: max(p.Slot, s.next)} }

// draw gives the window of the next slot; nil if it holds none, lies before the slot
// from, or is not taken.
func (s *stream) draw(ctx context.Context, from uint64) ([]int32, error) {
	p, err := s.receive(ctx)
	if err != nil {
		return nil, err
	}
	index := s.next
	s.next++
	if index < from || share(s.seed, index) >= s.rate {
		return nil, nil
	}
	s.tried++
	window, err := s.window(p.text, p.from, p.to)
	s.found = s.found || window != nil
	return window, err
}

func (s *stream) receive(ctx context.Context) (piece, error) {
	if err := ctx.Err(); err != nil {
		return piece{}, err
	}
	select {
	case <-s.closed:
		return piece{}, fmt.Errorf("draw from standard input: %w", os.ErrClosed)
	default:
	}
	select {
	case <-ctx.Done():
		return piece{}, ctx.Err()
	case <-s.closed:
		return piece{}, fmt.Errorf("draw from standard input: %w", os.ErrClosed)
	case p, ok := <-s.pieces:
		switch {
		case p.err != nil && !errors.Is(p.err, ErrLine):
			s.broken = p.err
		case !ok:
			return piece{}, s.atEnd()
		}
		return p, p.err
	}
}

// atEnd is io.EOF, and says more if nothing of what was looked at held a window, or if
// reading failed.
func (s *stream) atEnd() error {
	if s.broken != nil {
		return s.broken
	}
	if s.found || s.tried < s.next {
		return io.EOF
	}
	return fmt.Errorf("%w: a window of %d tokens takes about %d bytes of one document, as UTF-8 and with blanks; "+
		"standard input held none at %d places: %w", ErrTooShort, s.length, 9*s.length/2, s.tried, io.EOF)
}

// textPieces divides a stream, which is one document.
func textPieces(r io.Reader, slot int) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		var before []byte // what the cutter needs to see of the slot before
		in := bufio.NewReaderSize(r, slot+around)
		if _, err := skipMark(in); err != nil {
			yield(piece{err: err})
			return
		}
		for {
			ahead, err := in.Peek(slot + around)
			if err != nil && !errors.Is(err, io.EOF) {
				yield(piece{err: fmt.Errorf("read standard input: %w", err)})
				return
			}
			n := min(slot, len(ahead))
			if n == 0 || !yield(piece{text: slices.Concat(before, ahead), from: len(before), to: len(before) + n}) {
				return
			}
			before = slices.Clone(ahead[max(0, n-around):n])
			if _, err := in.Discard(n); err != nil {
				return // cannot be: these bytes are in the buffer
			}
		}
	}
}

// linePieces divides the texts of a stream of JSON lines. Slots are counted through them,
// and belong to the text in which they begin. A line that holds no text is an error, and the
// stream goes on behind it.
func linePieces(r io.Reader, slot int, field string) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		in := bufio.NewReader(r)
		offset, err := skipMark(in)
		if err != nil {
			yield(piece{err: err})
			return
		}
		from := 0 // where the next slot begins in the next text
		for {
			text, size, err := nextText(in, field)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				goOn := yield(piece{err: fmt.Errorf("standard input, line at byte %d: %w", offset, err)})
				if !goOn || !errors.Is(err, ErrLine) {
					return
				}
			}
			offset += size
			for ; from < len(text); from += slot {
				if !yield(piece{text: text, from: from, to: min(from+slot, len(text))}) {
					return
				}
			}
			from -= len(text)
		}
	}
}

// nextText reads a line, and says how many bytes it took.
func nextText(r *bufio.Reader, field string) (text []byte, size int64, err error) {
	line, size, err := nextLine(r)
	if err != nil {
		return nil, size, err
	}
	text, err = lineText(line, field)
	return text, size, err
}

// skipMark passes over a mark that some programs put in front of UTF-8, and gives its size.
func skipMark(r *bufio.Reader) (size int64, err error) {
	head, err := r.Peek(len(byteOrderMark))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read standard input: %w", err)
	}
	if !bytes.Equal(head, []byte(byteOrderMark)) {
		return 0, nil
	}
	n, err := r.Discard(len(head))
	return int64(n), err
}
