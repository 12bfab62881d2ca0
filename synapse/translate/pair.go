package translate

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
)

var (
	// ErrVocabulary is returned when a vocabulary cannot be translated from or to.
	ErrVocabulary = errors.New("unsuitable vocabulary")
	// ErrToken is returned when a text has a token that the standard vocabulary lacks.
	ErrToken = errors.New("token outside the standard vocabulary")
	// ErrText is returned when a text has no tokens to translate.
	ErrText = errors.New("nothing to translate")
	// ErrNoRoom is returned by a model that cannot run over so many tokens: what it would have been asked again for is then guessed.
	ErrNoRoom = errors.New("no room in the model")
	// ErrMethod is returned when there is no such method.
	ErrMethod = errors.New("unknown method of translation")
)

// maxSize is more tokens than any vocabulary has; tables of it stay in memory.
const maxSize = 1 << 21

// Pair is a server's vocabulary and the standard one. What depends only on the
// two is made when it is first wanted, once, and kept. Its methods may be called
// from several goroutines.
type Pair struct {
	// CleanUp makes [Reference] tidy what it decodes as the reference's decoder
	// does, such as " ," to ",": it then translates another text than the one that
	// is given. Set it before the pair is used; false leaves the text alone.
	CleanUp bool

	server, standard Vocabulary

	identical func() bool
	phrases   func() (sequences, error)
	reference func() (*reference, error)
	exact     func() (*exact, error)
}

// NewPair joins two vocabularies. Errors wrap [ErrVocabulary].
func NewPair(server, standard Vocabulary) (*Pair, error) {
	for _, v := range []Vocabulary{server, standard} {
		if n := v.Size(); n < 1 || n > maxSize {
			return nil, fmt.Errorf("%w: %d tokens are not between 1 and %d", ErrVocabulary, n, maxSize)
		}
	}
	p := &Pair{server: server, standard: standard}
	p.identical = sync.OnceValue(p.compare)
	p.phrases = sync.OnceValues(p.spellExactly)
	p.reference = sync.OnceValues(func() (*reference, error) { return newReference(p) })
	p.exact = sync.OnceValues(func() (*exact, error) { return newExact(p) })
	return p, nil
}

// Identical reports whether every token of the one vocabulary stands for the
// same in the other, so that nothing needs to be translated.
func (p *Pair) Identical() bool { return p.identical() }

// Warm makes what a method needs now and not when it is first wanted, which takes
// a second or so, and says whether it can be made.
func (p *Pair) Warm(m Method) error {
	if _, err := p.phrases(); err != nil || p.Identical() {
		return err
	}
	var err error
	if m == Reference {
		_, err = p.reference()
	} else {
		_, err = p.exact()
	}
	return err
}

func (p *Pair) compare() bool {
	n := p.server.Size()
	if n != p.standard.Size() {
		return false
	}
	for t := range int32(n) {
		if !bytes.Equal(p.server.Piece(t), p.standard.Piece(t)) {
			return false
		}
	}
	return true
}

// Prepare begins the translation of a text. Errors wrap [ErrToken], [ErrText]
// or [ErrMethod], or are those of the vocabularies.
func (p *Pair) Prepare(standard []int32, m Method) (Text, error) {
	if m != Exact && m != Reference {
		return nil, fmt.Errorf("%w: %q is neither %q nor %q", ErrMethod, m, Exact, Reference)
	}
	if len(standard) == 0 {
		return nil, fmt.Errorf("%w: no tokens", ErrText)
	}
	for i, t := range standard {
		if t < 0 || int(t) >= p.standard.Size() {
			return nil, fmt.Errorf("%w: %d at position %d, must be below %d", ErrToken, t, i, p.standard.Size())
		}
	}
	switch {
	case p.Identical():
		return newPlain(p, standard), nil
	case m == Reference:
		r, err := p.reference()
		if err != nil {
			return nil, err
		}
		return r.prepare(standard)
	}
	x, err := p.exact()
	if err != nil {
		return nil, err
	}
	return x.prepare(standard)
}
