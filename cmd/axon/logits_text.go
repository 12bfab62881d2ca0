package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	llama "axon/cgo"
	"axon/engine"
	"axon/internal/progress"
)

// How a long text is cut to be tokenised, in bytes. The overlap is what must come
// out alike on both sides of a cut.
const (
	textBlock   = 1 << 20
	textOverlap = 16 << 10
)

// blockTokenizer tokenises a text of any size in blocks, so that only its tokens are
// in memory, four bytes each.
//
// It cuts only between a newline and a letter, which no byte-level BPE joins, and
// only where the tokens behind the cut come out alike with and without what stands
// before it. Where they do not, and for vocabularies of other kinds, the rest of the
// text is tokenised at once, as it would have been as a whole.
type blockTokenizer struct {
	vocab          *engine.Vocab
	block, overlap int // bytes

	text   []byte // read, and not yet tokenised
	whole  bool   // read everything before going on
	tokens []engine.Token
	size   int64 // bytes tokenised
}

// readTokens tokenises a text as axon score does: with the tokens that the vocabulary
// puts around a text, without the newline at its end.
func (b *blockTokenizer) readTokens(ctx context.Context, in *textInput) error {
	bar := progress.Start(os.Stderr, "tokenising "+filepath.Base(in.name), float64(max(in.size, 1)))
	defer bar.Stop()
	b.whole = b.vocab.Kind != llama.VocabBPE
	for ctx.Err() == nil {
		more, err := b.fill(in)
		if err != nil {
			return err
		}
		if !more {
			return b.last()
		}
		cut, head, err := b.cut()
		if err != nil {
			return err
		}
		if b.size == 0 && cut > 0 && b.vocab.AddBOS { // where the first part is the last, Tokenize adds it
			b.tokens = append(b.tokens, b.vocab.BOS)
		}
		b.take(cut, head)
		bar.Set(float64(b.size))
	}
	return ctx.Err()
}

// fill reads until there is a block to cut, and reports whether there may be more.
func (b *blockTokenizer) fill(in *textInput) (more bool, err error) {
	want := b.block + b.overlap
	if b.whole {
		want = maxInput + 1
	}
	for len(b.text) < want {
		at := len(b.text)
		b.text = slices.Grow(b.text, 1<<16)
		b.text = b.text[:min(cap(b.text), want)]
		n, err := in.Read(b.text[at:])
		b.text = b.text[:at+n]
		if err == io.EOF { //nolint:errorlint // readers return it bare
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("cannot read %s: %w", in.name, err)
		}
	}
	if b.whole {
		return false, fmt.Errorf("%s cannot be tokenised in blocks and is larger than %d bytes; split it", in.name, maxInput)
	}
	return true, nil
}

// last tokenises what is left at the end of the text.
func (b *blockTokenizer) last() error {
	text := strings.TrimSuffix(string(b.text), "\n")
	first := b.size == 0
	tokens, err := b.vocab.Tokenize(text, first, false)
	if err != nil {
		return err
	}
	b.take(len(text), tokens)
	if !first && b.vocab.AddEOS {
		b.tokens = append(b.tokens, b.vocab.EOS)
	}
	b.text = nil
	return nil
}

// take appends the tokens of so many bytes.
func (b *blockTokenizer) take(size int, tokens []engine.Token) {
	b.tokens = append(b.tokens, tokens...)
	b.text = b.text[:copy(b.text, b.text[size:])]
	b.size += int64(size)
}

// cut finds where the text may be cut and gives the tokens before. Without such a
// place nothing is taken, and the text is read as a whole.
func (b *blockTokenizer) cut() (size int, head []engine.Token, err error) {
	end := lastCut(b.text)
	size = lastCut(b.text[:max(end-b.overlap, 0)])
	if size <= 0 {
		b.whole = true
		return 0, nil, nil
	}
	all, err := b.vocab.Tokenize(string(b.text[:end]), false, false)
	if err != nil {
		return 0, nil, err
	}
	tail, err := b.vocab.Tokenize(string(b.text[size:end]), false, false)
	if err != nil {
		return 0, nil, err
	}
	n := len(all) - len(tail)
	if n <= 0 || !slices.Equal(all[n:], tail) || b.length(all[:n]) != size {
		b.whole = true
		return 0, nil, nil
	}
	return size, all[:n], nil
}

func (b *blockTokenizer) length(tokens []engine.Token) int {
	n := 0
	for _, t := range tokens {
		n += len(b.vocab.Piece(t))
	}
	return n
}

// lastCut is the last place between a newline and a letter; 0: there is none.
func lastCut(text []byte) int {
	for i := len(text) - 1; i > 0; i-- {
		letter := text[i] | 0x20
		if text[i-1] == '\n' && letter >= 'a' && letter <= 'z' {
			return i
		}
	}
	return 0
}
