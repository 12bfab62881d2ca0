package engine

import (
	"fmt"
	"math"

	llama "axon/cgo"
	"axon/kernels"
)

// RandomSeed is the Sampling.Seed that draws a new seed for each request.
const RandomSeed = math.MaxUint32

// Sampling says how the next token is picked. The zero value is greedy: the
// most likely token, no penalties.
type Sampling struct {
	Temp     float32 // temperature; 0: greedy
	TopK     int     // only the k most likely; 0: all
	TopP     float32 // only the most likely whose probabilities reach p together; 0 or 1: all
	MinP     float32 // only those at least p times as likely as the most likely; 0: all
	TypicalP float32 // locally typical sampling; 0 or 1: off

	RepeatPenalty    float32 // divides the logits of recent tokens; 0 or 1: off
	FrequencyPenalty float32 // subtracted for each recent occurrence
	PresencePenalty  float32 // subtracted for any recent occurrence
	RepeatLast       int     // tokens that count as recent, prompt included; 0: 64, -1: the whole context
	NoRepeatNGram    int     // no n tokens in a row occur twice, prompt included; 0: off

	Grammar string            // GBNF with a rule "root": only texts that match
	Bias    map[Token]float32 // added to logits
	Seed    uint32            // of the draws; RandomSeed: a new one each time
}

// Validate lists everything that is wrong with the settings.
func (s *Sampling) Validate() error {
	var f faults
	f.check(finite(s.Temp) && s.Temp >= 0, "temperature %v: must be 0 (greedy) or more", s.Temp)
	f.check(s.TopK >= 0 && s.TopK <= math.MaxInt32, "top-k %d: must be 0 (all) or more", s.TopK)
	f.check(fraction(s.TopP), "top-p %v: must be 0 to 1", s.TopP)
	f.check(fraction(s.MinP), "min-p %v: must be 0 to 1", s.MinP)
	f.check(fraction(s.TypicalP), "typical-p %v: must be 0 to 1", s.TypicalP)
	f.check(finite(s.RepeatPenalty) && s.RepeatPenalty >= 0, "repeat penalty %v: must be 0 (off) or more", s.RepeatPenalty)
	f.check(finite(s.FrequencyPenalty), "frequency penalty %v: must be finite", s.FrequencyPenalty)
	f.check(finite(s.PresencePenalty), "presence penalty %v: must be finite", s.PresencePenalty)
	f.check(s.RepeatLast >= -1, "repeat window %d: must be -1 (all) or more", s.RepeatLast)
	f.check(s.NoRepeatNGram >= 0, "n-gram size %d: must be 0 (off) or more", s.NoRepeatNGram)
	f.note(checkGrammar(s.Grammar))
	return f.err()
}

// recent is the number of tokens that the penalties look back at.
func (s *Sampling) recent(context int) int {
	if s.RepeatLast < 0 {
		return context
	}
	return min(or(s.RepeatLast, 64), context)
}

// picker picks the tokens of one sequence.
type picker struct {
	sampler *llama.Sampler // nil: plain greedy
	ngram   int
	tokens  []Token // prompt and what was picked
	banned  []Token
}

func newPicker(m *Model, s *Sampling, prompt []Token, seed uint32, context int) (*picker, error) {
	p := &picker{ngram: s.NoRepeatNGram, tokens: append([]Token{}, prompt...)}
	if s.plain() && len(m.vocab.Suppressed) == 0 {
		return p, nil
	}
	recent := s.recent(context)
	sampler, err := llama.NewSampler(m.m, llama.SamplerParams{
		Seed: seed, Temp: s.Temp, TopK: s.TopK, TopP: or(s.TopP, 1), MinP: s.MinP, TypicalP: or(s.TypicalP, 1),
		PenaltyLast: recent, PenaltyRepeat: or(s.RepeatPenalty, 1),
		PenaltyFreq: s.FrequencyPenalty, PenaltyPresent: s.PresencePenalty,
		Grammar: s.Grammar, Bias: s.Bias,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: sampling: %w", ErrRequest, err)
	}
	p.sampler = sampler
	for _, t := range prompt[max(0, len(prompt)-recent):] {
		if err := sampler.Accept(t, false); err != nil {
			_ = sampler.Close()
			return nil, err
		}
	}
	return p, nil
}

// plain reports whether the most likely token is picked, always.
func (s *Sampling) plain() bool {
	return s.Temp == 0 && s.Grammar == "" && len(s.Bias) == 0 && s.NoRepeatNGram == 0 &&
		or(s.RepeatPenalty, 1) == 1 && s.FrequencyPenalty == 0 && s.PresencePenalty == 0
}

// pick chooses the next token from a row and remembers it.
func (p *picker) pick(logits []float32) (Token, error) {
	if p.sampler == nil {
		i, err := kernels.ArgMax(logits)
		p.tokens = append(p.tokens, Token(i))
		return Token(i), err
	}
	p.banned = bannedByNGram(p.banned[:0], p.tokens, p.ngram)
	t, err := p.sampler.Sample(logits, p.banned)
	if err != nil {
		return t, err
	}
	p.tokens = append(p.tokens, t)
	return t, p.sampler.Accept(t, true)
}

func (p *picker) close() {
	if p.sampler != nil {
		_ = p.sampler.Close()
	}
}

// bannedByNGram appends the tokens that would complete an n-gram that tokens
// already contain.
func bannedByNGram(dst, tokens []Token, n int) []Token {
	if n == 0 || len(tokens) < n {
		return dst
	}
	last := tokens[len(tokens)-n+1:]
	for i := 0; i+n <= len(tokens); i++ {
		if commonPrefix(tokens[i:i+n-1], last) == n-1 {
			dst = append(dst, tokens[i+n-1])
		}
	}
	return dst
}
