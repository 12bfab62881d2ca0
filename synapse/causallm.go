package synapse

import (
	"fmt"
	"math"

	"axon/kernels"
	"axon/synapse/wire"
)

// TextCausalLM asks at every position for the likeliest tokens that follow it.
//
// Answer: float32 [Texts, Length, 2·TopK]: the TopK largest probabilities over
// the standard tokens in descending order, then their ids. As SERIALIZER_PACKED
// the same, ids ascending, in the packed form of axon/kernels/pack.
type TextCausalLM struct {
	Coding Serializers
	TopK   int
}

var causalLM = &Task{
	Type:    wire.SynapseType_SYNAPSE_TYPE_TEXT_CAUSAL_LM,
	Name:    "TextCausalLM",
	Timeout: blockTime,
	Default: func() Synapse { return &TextCausalLM{TopK: 512} },
	Parse: func(settings []byte) (Synapse, error) {
		var m wire.TextCausalLM
		if err := unmarshal(settings, &m); err != nil {
			return nil, err
		}
		return &TextCausalLM{Coding: codingOf(&m), TopK: int(m.GetTopk())}, nil
	},
}

// Task is TextCausalLM.
func (*TextCausalLM) Task() *Task { return causalLM }

// Serializers are the synapse's.
func (q *TextCausalLM) Serializers() *Serializers { return &q.Coding }

// Settings are the synapse's message.
func (q *TextCausalLM) Settings() []byte {
	return marshal(&wire.TextCausalLM{
		Topk:                           int32Of(q.TopK),
		ForwardRequestSerializerType:   q.Coding.ForwardRequest,
		ForwardResponseSerializerType:  q.Coding.ForwardResponse,
		BackwardRequestSerializerType:  q.Coding.BackwardRequest,
		BackwardResponseSerializerType: q.Coding.BackwardResponse,
	})
}

// Check refuses what exceeds the limits, and CMPPACK, which rounds ids.
func (q *TextCausalLM) Check(b Batch, l Limits) *Fault {
	if f := firstFault(checkBatch(q.Task(), b, l), q.Coding.checkCoding(wire.Serializer_SERIALIZER_PACKED), checkTopK(q.TopK, l)); f != nil {
		return f
	}
	if f := q.Coding.checkIDs(b, true); f != nil && !l.LossyIDs {
		return f
	}
	return checkAnswer(q, b, l)
}

// Load is the text itself.
func (*TextCausalLM) Load(b Batch) int { return b.Length }

// Numbers is a probability and an id for each entry.
func (q *TextCausalLM) Numbers(b Batch) (least, most int64) {
	n := product(b.Texts, b.Length, 2, q.TopK)
	return n, n
}

// Answer writes rows to their places.
func (q *TextCausalLM) Answer(b Batch) ([]Need, func() (*wire.Tensor, error)) {
	if q.Coding.ForwardResponse == wire.Serializer_SERIALIZER_PACKED {
		return q.answerPacked(b)
	}
	out := newOutput(Float32, b.Texts, b.Length, 2*q.TopK)
	come := make(arrivals, b.Texts*b.Length)
	needs := make([]Need, b.Texts)
	for text := range needs {
		needs[text] = Need{K: q.TopK, Order: kernels.Descending, Row: func(pos int, top kernels.Sparse) error {
			if len(top.Entries) != q.TopK {
				return q.wrongLength(len(top.Entries))
			}
			row, err := come.claimPosition(b, text, pos)
			if err == nil {
				out.putCausalLM(row, top.Entries)
			}
			return err
		}}
	}
	return needs, func() (*wire.Tensor, error) {
		if err := come.check(); err != nil {
			return nil, err
		}
		return out.finish(q.Coding.ForwardResponse)
	}
}

func (q *TextCausalLM) wrongLength(n int) error {
	return Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "a row of %d entries instead of %d", n, q.TopK)
}

// putCausalLM writes a row: the probabilities of the entries, whose values are
// log-probabilities, and then their ids.
func (o *output) putCausalLM(row int, top []kernels.Entry) {
	at := row * 2 * len(top)
	for i, e := range top {
		o.putFloat(at+i, float32(math.Exp(float64(e.Value))))
		o.putFloat(at+len(top)+i, float32(e.Index))
	}
}

// Decode reads an answer: *[Distributions].
func (q *TextCausalLM) Decode(b Batch, w *wire.Tensor) (Answer, error) {
	d := &Distributions{Texts: b.Texts, Length: b.Length, TopK: q.TopK}
	if q.TopK < 0 || q.TopK > NetworkVocabulary {
		return nil, wrong(ErrDecode, "topk %d of %d tokens", q.TopK, NetworkVocabulary)
	}
	if q.Coding.ForwardResponse == wire.Serializer_SERIALIZER_PACKED {
		return d, d.unpack(w)
	}
	t, err := Decode(w, int(min(product(b.Texts, b.Length, 2*q.TopK), math.MaxInt32)))
	if err != nil {
		return nil, err
	}
	if !sameShape(t.Shape, b.Texts, b.Length, 2*q.TopK) {
		return nil, wrong(ErrShape, "forward_response_tensor.shape must be in [%d, %d, %d], got: %s for synapse: %s",
			b.Texts, b.Length, 2*q.TopK, listed(t.Shape), q.Task().Name)
	}
	d.compact = t.Float32s()
	return d, d.checkIDs()
}

// ParseCausalLM reads one position's answer, half probabilities, half ids, over
// a vocabulary. Of an id that comes twice the later counts, fractions of ids are
// cut off, and a mass of 1 and more leaves 1e-40 for all other tokens, as in the
// reference. Probabilities that are negative or no numbers are refused, as are
// ids outside the vocabulary: ErrDecode.
func ParseCausalLM(row []float32, vocabulary int) (kernels.Sparse, error) {
	k := len(row) / 2
	if len(row)%2 != 0 || k > vocabulary {
		return kernels.Sparse{}, fmt.Errorf("%w: %d numbers for a position over %d tokens", ErrDecode, len(row), vocabulary)
	}
	d := kernels.Sparse{Entries: make([]kernels.Entry, k)}
	mass := 0.0
	for i := range d.Entries {
		p := float64(row[i])
		id, err := tokenID(row[k+i], vocabulary)
		if err != nil {
			return kernels.Sparse{}, err
		}
		if !(p >= 0 && p <= math.MaxFloat32) {
			return kernels.Sparse{}, fmt.Errorf("%w: a probability of %v", ErrDecode, p)
		}
		mass += p
		d.Entries[i] = kernels.Entry{Index: id, Value: float32(math.Log(p + leastRest))}
	}
	d.Entries = distinct(d.Entries, vocabulary)
	d.Rest = float32(math.Log(max(min(1-mass, 1), leastRest)))
	return d, nil
}

// tokenID reads an id, whose fraction does not count.
func tokenID(v float32, vocabulary int) (int32, error) {
	if id := math.Trunc(float64(v)); id >= 0 && id < float64(vocabulary) {
		return int32(id), nil
	}
	return 0, fmt.Errorf("%w: token %v of %d", ErrDecode, v, vocabulary)
}

// distinct orders entries by index and keeps the last of each. It sorts by bytes of the
// index, the lowest first, which takes a tenth of the time of comparisons.
func distinct(entries []kernels.Entry, vocabulary int) []kernels.Entry {
	other := make([]kernels.Entry, len(entries))
	for shift := 0; (vocabulary-1)>>shift > 0; shift += 8 {
		var starts [257]int
		for _, e := range entries {
			starts[1+e.Index>>shift&0xff]++
		}
		for i := range 256 {
			starts[i+1] += starts[i]
		}
		for _, e := range entries {
			digit := e.Index >> shift & 0xff
			other[starts[digit]] = e
			starts[digit]++
		}
		entries, other = other, entries
	}
	kept := entries[:0]
	for i, e := range entries {
		if i+1 == len(entries) || entries[i+1].Index != e.Index {
			kept = append(kept, e)
		}
	}
	return kept
}

func (*TextCausalLM) answersWithIDs() bool { return true }
