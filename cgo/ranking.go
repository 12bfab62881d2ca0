package llama

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
)

// Step is one sampler of a Ranking's chain: a k above 0 is llama.cpp's top_k,
// which sorts the k largest logits to the front and drops the others; 0 is its
// dist, which computes the probabilities of what is left, and draws.
type Step int32

// Softmax is the step that computes probabilities.
const Softmax Step = 0

// Candidate is what is left of one token of a row.
type Candidate struct {
	Token    Token
	Logit, P float32 // P: 0 without a softmax
}

// Ranking runs a chain of llama.cpp's samplers over rows of logits that belong
// to no model: its own softmax and top-k, to be measured beside ours. One
// goroutine may use it at a time.
type Ranking struct {
	*object
	c   *C.ax_ranking
	err C.ax_error // of a call; here, so that a call allocates nothing
}

// NewRanking builds the chain.
func NewRanking(steps ...Step) (*Ranking, error) {
	if err := Init(); err != nil {
		return nil, err
	}
	list := make([]C.int32_t, len(steps))
	for i, s := range steps {
		if s < 0 {
			return nil, fmt.Errorf("%w: top-k of %d", ErrOption, s)
		}
		list[i] = C.int32_t(s)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: a chain of no samplers", ErrOption)
	}
	var c *C.ax_ranking
	var e C.ax_error
	if C.ax_ranking_new(&list[0], C.int32_t(len(list)), &c, &e) != 0 {
		return nil, failure(&e)
	}
	r := &Ranking{c: c, object: newObject(nil, func() { C.ax_ranking_free(c) })}
	closeWhenLost(r, r.object)
	return r, nil
}

// Apply turns a row into candidates, as llama.cpp's tools do, and sends them
// through the chain. The row must hold no NaN, on which sorting is undefined.
func (r *Ranking) Apply(row []float32) error {
	if len(row) == 0 {
		return errors.New("row of logits is empty")
	}
	if err := r.acquire(); err != nil {
		return err
	}
	defer r.release()
	if C.ax_ranking_apply(r.c, (*C.float)(&row[0]), C.int32_t(len(row)), &r.err) != 0 {
		return failure(&r.err)
	}
	return nil
}

// Top gives the first n candidates that the last Apply left, at most.
func (r *Ranking) Top(n int) ([]Candidate, error) {
	if n < 1 {
		return nil, nil
	}
	if err := r.acquire(); err != nil {
		return nil, err
	}
	defer r.release()
	list := make([]C.ax_candidate, n)
	got := int(C.ax_ranking_get(r.c, &list[0], C.int32_t(n)))
	top := make([]Candidate, got)
	for i, c := range list[:got] {
		top[i] = Candidate{Token(c.token), float32(c.logit), float32(c.p)}
	}
	return top, nil
}
