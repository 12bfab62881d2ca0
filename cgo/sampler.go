package llama

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"unsafe"
)

// SamplerParams is a chain of llama.cpp's samplers, in its tools' order: bias,
// penalties, top-k, typical, top-p, min-p, temperature, draw.
type SamplerParams struct {
	Seed     uint32
	Temp     float32 // ≤ 0: the most likely token
	TopK     int     // ≤ 0: off
	TopP     float32 // 1: off
	MinP     float32 // 0: off
	TypicalP float32 // 1: off

	PenaltyLast                                int     // tokens looked back at; 0: off
	PenaltyRepeat, PenaltyFreq, PenaltyPresent float32 // 1, 0, 0: off

	Grammar string            // GBNF with a rule "root"; empty: none
	Bias    map[Token]float32 // added to the logits
}

// Sampler picks tokens for one sequence; it remembers those it was told of.
type Sampler struct {
	*object
	c     *C.ax_sampler
	vocab *Vocab
}

// RandomSeed draws a seed that reproduces: any value but the one that
// llama.cpp reads as "random".
func RandomSeed() uint32 { return rand.Uint32N(1<<32 - 1) }

// NewSampler builds the chain; a grammar that does not parse is an error.
func NewSampler(m *Model, p SamplerParams) (*Sampler, error) {
	if err := m.acquire(); err != nil {
		return nil, err
	}
	defer m.release()
	var pin runtime.Pinner
	defer pin.Unpin()
	cp := C.ax_sampler_params{
		seed: C.uint32_t(p.Seed), temp: C.float(p.Temp), top_p: C.float(p.TopP), min_p: C.float(p.MinP),
		typical_p: C.float(p.TypicalP), top_k: C.int32_t(p.TopK),
		penalty_last_n: C.int32_t(p.PenaltyLast), penalty_repeat: C.float(p.PenaltyRepeat),
		penalty_freq: C.float(p.PenaltyFreq), penalty_present: C.float(p.PenaltyPresent),
	}
	if p.Grammar != "" {
		cp.grammar = C.CString(p.Grammar)
		defer C.free(unsafe.Pointer(cp.grammar))
	}
	if len(p.Bias) > 0 {
		ids, values := make([]C.int32_t, 0, len(p.Bias)), make([]C.float, 0, len(p.Bias))
		for t, b := range p.Bias {
			if err := m.vocab.check([]Token{t}); err != nil {
				return nil, err
			}
			ids, values = append(ids, C.int32_t(t)), append(values, C.float(b))
		}
		pin.Pin(&ids[0])
		pin.Pin(&values[0])
		cp.bias_tokens, cp.bias_values, cp.n_bias = &ids[0], &values[0], C.int32_t(len(ids))
	}
	var cs *C.ax_sampler
	var e C.ax_error
	if C.ax_sampler_new(m.c, &cp, &cs, &e) != 0 {
		return nil, failure(&e)
	}
	s := &Sampler{c: cs, vocab: &m.vocab, object: newObject(m.object, func() { C.ax_sampler_free(cs) })}
	closeWhenLost(s, s.object)
	return s, nil
}

// Accept tells the sampler of a token, for the penalties. A generated token
// also moves the grammar on; one of the prompt does not.
func (s *Sampler) Accept(t Token, generated bool) error {
	if err := s.vocab.check([]Token{t}); err != nil {
		return err
	}
	if err := s.acquire(); err != nil {
		return err
	}
	defer s.release()
	var e C.ax_error
	if C.ax_sampler_accept(s.c, C.int32_t(t), C.bool(generated), &e) != 0 {
		return failure(&e)
	}
	return nil
}

// Sample picks a token from a row of logits as long as the vocabulary. Banned
// tokens are not picked. It does not accept the token.
func (s *Sampler) Sample(logits []float32, banned []Token) (Token, error) {
	if len(logits) != s.vocab.Size {
		return NoToken, fmt.Errorf("row of %d logits for a vocabulary of %d", len(logits), s.vocab.Size)
	}
	if err := s.vocab.check(banned); err != nil {
		return NoToken, err
	}
	if err := s.acquire(); err != nil {
		return NoToken, err
	}
	defer s.release()
	var pb *C.int32_t
	if len(banned) > 0 {
		pb = (*C.int32_t)(&banned[0])
	}
	var t C.int32_t
	var e C.ax_error
	if C.ax_sampler_sample(s.c, (*C.float)(&logits[0]), C.int32_t(len(logits)), pb, C.int32_t(len(banned)), &t, &e) != 0 {
		return NoToken, failure(&e)
	}
	return Token(t), nil
}
