package synapse

import (
	"math"

	"axon/synapse/wire"
)

// TextCrossEntropy asks how likely each token of the texts is after those before
// it: all that scoring a text takes, in four bytes a token. It is axon's own, not
// of release 3.7.0, and the example of how little a further synapse is: this
// file, its settings in wire, and its line in the registry.
//
// Answer: float32 [Texts, Length−1], the natural logarithm of the probability of
// the tokens at positions 1 … Length−1.
type TextCrossEntropy struct {
	Coding Serializers // of the forward direction
}

var crossEntropy = &Task{
	Type:    wire.SynapseType_SYNAPSE_TYPE_TEXT_CROSS_ENTROPY,
	Name:    "TextCrossEntropy",
	Timeout: blockTime,
	Default: func() Synapse { return &TextCrossEntropy{} },
	Parse: func(settings []byte) (Synapse, error) {
		var m wire.TextCrossEntropy
		if err := unmarshal(settings, &m); err != nil {
			return nil, err
		}
		return &TextCrossEntropy{Serializers{ForwardRequest: m.GetForwardRequestSerializerType(), ForwardResponse: m.GetForwardResponseSerializerType()}}, nil
	},
}

// Task is TextCrossEntropy.
func (*TextCrossEntropy) Task() *Task { return crossEntropy }

// Serializers are the synapse's.
func (q *TextCrossEntropy) Serializers() *Serializers { return &q.Coding }

// Settings are the synapse's message.
func (q *TextCrossEntropy) Settings() []byte {
	return marshal(&wire.TextCrossEntropy{
		ForwardRequestSerializerType:  q.Coding.ForwardRequest,
		ForwardResponseSerializerType: q.Coding.ForwardResponse,
	})
}

// Check refuses texts of one token, before which there is none, and what exceeds
// the limits.
func (q *TextCrossEntropy) Check(b Batch, l Limits) *Fault {
	if f := firstFault(checkBatch(q.Task(), b, l), q.Coding.checkCoding()); f != nil {
		return f
	}
	if f := q.Coding.checkIDs(b, false); f != nil && !l.LossyIDs {
		return f
	}
	if b.Length < 2 {
		return Faultf(badShape, "%d token of a text is likely after none, 2 are the least", b.Length)
	}
	return checkAnswer(q, b, l)
}

// Load is the text itself.
func (*TextCrossEntropy) Load(b Batch) int { return b.Length }

// Numbers is one for each token but the first.
func (q *TextCrossEntropy) Numbers(b Batch) (least, most int64) {
	n := product(b.Texts, b.Length-1)
	return n, n
}

// Answer writes log-probabilities to their places.
func (q *TextCrossEntropy) Answer(b Batch) ([]Need, func() (*wire.Tensor, error)) {
	width := b.Length - 1
	out := newOutput(Float32, b.Texts, width)
	come := make(arrivals, b.Texts*width)
	needs := make([]Need, b.Texts)
	for text := range needs {
		needs[text].LogProb = func(pos int, logProb float32) {
			if at := text*width + pos - 1; pos >= 1 && pos <= width && come.claim(at) == nil {
				out.putFloat(at, logProb)
			}
		}
	}
	return needs, func() (*wire.Tensor, error) {
		if err := come.check(); err != nil {
			return nil, err
		}
		return out.finish(q.Coding.ForwardResponse)
	}
}

// LogProbs are the answer of TextCrossEntropy, in nats.
type LogProbs struct {
	Texts, Length int // of the batch
	numbers       []float32
}

// Text is the log-probability of each token of a text but the first.
func (p *LogProbs) Text(i int) []float32 {
	return p.numbers[i*(p.Length-1) : (i+1)*(p.Length-1)]
}

// Tensor is float32 [Texts, Length−1].
func (p *LogProbs) Tensor() Tensor { return NewFloat32(p.numbers, p.Texts, p.Length-1) }

// Decode reads an answer: *[LogProbs]. What is above zero or no number is refused.
func (q *TextCrossEntropy) Decode(b Batch, w *wire.Tensor) (Answer, error) {
	t, err := Decode(w, b.Texts*b.Length)
	if err != nil {
		return nil, err
	}
	if !sameShape(t.Shape, b.Texts, b.Length-1) {
		return nil, wrong(ErrShape, "log-probabilities of the shape %s, want %s", listed(t.Shape), listed([]int{b.Texts, b.Length - 1}))
	}
	p := &LogProbs{Texts: b.Texts, Length: b.Length, numbers: t.Float32s()}
	for i, v := range p.numbers {
		if !(v <= logSlack) {
			return nil, wrong(ErrDecode, "a log-probability of %v", v)
		}
		p.numbers[i] = float32(math.Min(float64(v), 0))
	}
	return p, nil
}

// logSlack is how far above zero rounding may carry a log-probability, in nats.
const logSlack = 1e-3
