package synapse

import (
	"math"

	"axon/synapse/wire"
)

// TextCausalLMNext asks which of the server's own tokens may follow each text,
// spelt in standard tokens: see [Phrases].
//
// Answer: float32 [n], the compact form of each text's phrases one after the
// other, at least Texts·(2·TopK+1) numbers.
type TextCausalLMNext struct {
	Coding Serializers
	TopK   int
}

var causalLMNext = &Task{
	Type:    wire.SynapseType_SYNAPSE_TYPE_TEXT_CAUSAL_LM_NEXT,
	Name:    "TextCausalLMNext",
	Timeout: blockTime,
	Default: func() Synapse { return &TextCausalLMNext{TopK: 4096} },
	Parse: func(settings []byte) (Synapse, error) {
		var m wire.TextCausalLMNext
		if err := unmarshal(settings, &m); err != nil {
			return nil, err
		}
		return &TextCausalLMNext{Coding: codingOf(&m), TopK: int(m.GetTopk())}, nil
	},
}

// Task is TextCausalLMNext.
func (*TextCausalLMNext) Task() *Task { return causalLMNext }

// Serializers are the synapse's.
func (q *TextCausalLMNext) Serializers() *Serializers { return &q.Coding }

// Settings are the synapse's message.
func (q *TextCausalLMNext) Settings() []byte {
	return marshal(&wire.TextCausalLMNext{
		Topk:                           int32Of(q.TopK),
		ForwardRequestSerializerType:   q.Coding.ForwardRequest,
		ForwardResponseSerializerType:  q.Coding.ForwardResponse,
		BackwardRequestSerializerType:  q.Coding.BackwardRequest,
		BackwardResponseSerializerType: q.Coding.BackwardResponse,
	})
}

// Check refuses what exceeds the limits, and CMPPACK, which rounds tokens. The
// size of the answer is taken for phrases of one token.
func (q *TextCausalLMNext) Check(b Batch, l Limits) *Fault {
	if f := firstFault(checkBatch(q.Task(), b, l), q.Coding.checkCoding(), checkTopK(q.TopK, l)); f != nil {
		return f
	}
	if f := q.Coding.checkIDs(b, true); f != nil && !l.LossyIDs {
		return f
	}
	return checkAnswer(q, b, l)
}

// phraseTokens is more than the phrases of an answer have on average: nearly all have
// one or two tokens.
const phraseTokens = 32

// Load is the text itself.
func (*TextCausalLMNext) Load(b Batch) int { return b.Length }

// Numbers is a probability and the tokens of each phrase, and a floor for each text.
func (q *TextCausalLMNext) Numbers(b Batch) (least, most int64) {
	return product(b.Texts, 1+2*q.TopK), product(b.Texts, 2+phraseTokens, q.TopK)
}

// Answer keeps each text's phrases in their compact form.
func (q *TextCausalLMNext) Answer(b Batch) ([]Need, func() (*wire.Tensor, error)) {
	texts := make([][]float32, b.Texts)
	come := make(arrivals, b.Texts)
	needs := make([]Need, b.Texts)
	for text := range needs {
		needs[text] = Need{NextK: q.TopK, Next: func(p Phrases) error {
			if len(p.List) != q.TopK {
				return Faultf(badRequest, "the model has %d phrases, of which %d were asked for", len(p.List), q.TopK)
			}
			err := come.claim(text)
			if err == nil {
				texts[text] = AppendPhrases(nil, p)
			}
			return err
		}}
	}
	return needs, func() (*wire.Tensor, error) {
		if err := come.check(); err != nil {
			return nil, err
		}
		return q.compact(texts).finish(q.Coding.ForwardResponse)
	}
}

// compact joins the texts' numbers. Phrases may be spelt without any token, but
// a receiver wants so many numbers as if each had one: it passes over tokens
// after the last text.
func (q *TextCausalLMNext) compact(texts [][]float32) *output {
	n := 0
	for _, t := range texts {
		n += len(t)
	}
	out := newOutput(Float32, max(n, q.least(len(texts))))
	at := 0
	for _, t := range texts {
		for _, v := range t {
			out.putFloat(at, v)
			at++
		}
	}
	for ; at < out.array.Len(); at++ {
		out.putFloat(at, StandardVocabulary-1+tokenOffset)
	}
	return out
}

// least is how many numbers an answer has at least.
func (q *TextCausalLMNext) least(texts int) int { return texts * (2*q.TopK + 1) }

// Decode reads an answer: *[NextPhrases].
func (q *TextCausalLMNext) Decode(b Batch, w *wire.Tensor) (Answer, error) {
	t, err := Decode(w, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	if q.TopK < 0 || len(t.Shape) != 1 || int64(t.Shape[0]) < product(b.Texts, 2*q.TopK+1) {
		got := listed(t.Shape)
		return nil, wrong(ErrShape, "forward_response_tensor.shape must be in [>=%d x (2 x %d + 1)], got: %s for synapse: %s",
			b.Texts, q.TopK, got[1:len(got)-1], q.Task().Name)
	}
	values := t.Float32s()
	for _, v := range values {
		if v < -markSlack {
			return nil, wrong(ErrShape, "forward_response_tensor values below tolerance.")
		}
	}
	texts, err := ParsePhrases(values, q.TopK)
	if err != nil {
		return nil, err
	}
	if len(texts) != b.Texts {
		return nil, wrong(ErrDecode, "phrases of %d texts, want %d", len(texts), b.Texts)
	}
	n := &NextPhrases{texts}
	if width := n.width(); width > maxWidth { // all phrases of its tensor take as much
		return nil, wrong(ErrDecode, "a phrase of %d tokens exceeds the limit %d", width-1, maxWidth-1)
	}
	return n, nil
}

func (*TextCausalLMNext) answersWithIDs() bool { return true }
