package synapse

import (
	"math"

	"axon/synapse/wire"
)

// TextLastHiddenState asks for the hidden states of a model's last layer.
//
// Answer: float32 [Texts, Length, 1024], or with a mask [Texts·len(Mask), 1024],
// the masked positions of one text after the other. A model of another width has
// its states put in the middle, with zeros on both sides; a wider one is refused.
type TextLastHiddenState struct {
	Coding Serializers
	// Mask are the positions that are wanted, negative ones counted from the end;
	// none: all of them. The same position may come twice by two names.
	Mask []int32
}

var lastHiddenState = &Task{
	Type:    wire.SynapseType_SYNAPSE_TYPE_TEXT_LAST_HIDDEN_STATE,
	Name:    "TextLastHiddenState",
	Timeout: blockTime,
	Default: func() Synapse { return &TextLastHiddenState{} },
	Parse: func(settings []byte) (Synapse, error) {
		var m wire.TextLastHiddenState
		if err := unmarshal(settings, &m); err != nil {
			return nil, err
		}
		return &TextLastHiddenState{Coding: codingOf(&m), Mask: m.GetMask()}, nil
	},
}

// Task is TextLastHiddenState.
func (*TextLastHiddenState) Task() *Task { return lastHiddenState }

// Serializers are the synapse's.
func (q *TextLastHiddenState) Serializers() *Serializers { return &q.Coding }

// Settings are the synapse's message.
func (q *TextLastHiddenState) Settings() []byte {
	return marshal(&wire.TextLastHiddenState{
		Mask:                           q.Mask,
		ForwardRequestSerializerType:   q.Coding.ForwardRequest,
		ForwardResponseSerializerType:  q.Coding.ForwardResponse,
		BackwardRequestSerializerType:  q.Coding.BackwardRequest,
		BackwardResponseSerializerType: q.Coding.BackwardResponse,
	})
}

// Check refuses masks that do not fit the batch, and what exceeds the limits.
func (q *TextLastHiddenState) Check(b Batch, l Limits) *Fault {
	if f := firstFault(checkBatch(q.Task(), b, l), q.Coding.checkCoding()); f != nil {
		return f
	}
	if f := q.Coding.checkIDs(b, false); f != nil && !l.LossyIDs {
		return f
	}
	if _, f := q.wanted(b.Length); f != nil {
		return f
	}
	return checkAnswer(q, b, l)
}

// Load is the text itself.
func (*TextLastHiddenState) Load(b Batch) int { return b.Length }

// Numbers is those of the positions that are wanted.
func (q *TextLastHiddenState) Numbers(b Batch) (least, most int64) {
	positions := b.Length
	if len(q.Mask) > 0 {
		positions = len(q.Mask)
	}
	n := product(b.Texts, positions, NetworkDimension)
	return n, n
}

// wanted are the positions of each text that are answered, in the answer's order.
func (q *TextLastHiddenState) wanted(length int) ([]int, *Fault) {
	if len(q.Mask) == 0 {
		all := make([]int, length)
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	const shape, prefix = wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "Synapse response shape exception with error: "
	if len(q.Mask) > length {
		return nil, Faultf(shape, prefix+"Trying to use a mask greater than the sequence length.")
	}
	seen := make(map[int32]bool, len(q.Mask))
	positions := make([]int, len(q.Mask))
	for i, at := range q.Mask {
		switch pos := int(at); {
		case seen[at]:
			return nil, Faultf(badRequest, "There are duplicate elements in the mask")
		case pos < -length || pos > length:
			return nil, Faultf(shape, prefix+"Mask element %d cannot be interpreted for sequence_length %d", pos, length)
		case pos == length: // the reference lets it pass, and then fails
			return nil, Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION, "mask element %d of a text of %d tokens", pos, length)
		case pos < 0:
			positions[i] = pos + length
		default:
			positions[i] = pos
		}
		seen[at] = true
	}
	return positions, nil
}

// Answer writes hidden states to their places.
func (q *TextLastHiddenState) Answer(b Batch) ([]Need, func() (*wire.Tensor, error)) {
	wanted, f := q.wanted(b.Length)
	if f != nil {
		return nil, func() (*wire.Tensor, error) { return nil, f }
	}
	out := newOutput(Float32, q.shape(b)...)
	come := make(arrivals, b.Texts*b.Length)
	needs := make([]Need, b.Texts)
	for text := range needs {
		needs[text].Hidden = func(pos int, state []float32) error {
			if len(state) > NetworkDimension {
				return Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "a hidden state of %d numbers exceeds the network's %d", len(state), NetworkDimension)
			}
			if _, err := come.claimPosition(b, text, pos); err != nil {
				return err
			}
			for slot, at := range wanted {
				if at == pos {
					out.putState(text*len(wanted)+slot, state)
				}
			}
			return nil
		}
	}
	return needs, func() (*wire.Tensor, error) {
		if err := come.check(); err != nil {
			return nil, err
		}
		return out.finish(q.Coding.ForwardResponse)
	}
}

// putState writes a state into the middle of a row.
func (o *output) putState(row int, state []float32) {
	at := row*NetworkDimension + (NetworkDimension-len(state))/2
	for i, v := range state {
		o.putFloat(at+i, v)
	}
}

// shape is the answer's.
func (q *TextLastHiddenState) shape(b Batch) []int {
	if len(q.Mask) > 0 {
		return []int{b.Texts * len(q.Mask), NetworkDimension}
	}
	return []int{b.Texts, b.Length, NetworkDimension}
}

// HiddenStates are the answer of TextLastHiddenState, as wide as the network has
// them. Positions that were not asked for are zero.
type HiddenStates struct {
	Texts, Length int
	numbers       []float32
}

// At is the state at a position of a text: 1024 numbers, not to be changed.
func (h *HiddenStates) At(text, pos int) []float32 {
	row := text*h.Length + pos
	return h.numbers[row*NetworkDimension : (row+1)*NetworkDimension]
}

// Tensor is float32 [Texts, Length, 1024].
func (h *HiddenStates) Tensor() Tensor {
	return NewFloat32(h.numbers, h.Texts, h.Length, NetworkDimension)
}

// Decode reads an answer: *[HiddenStates]. All positions are taken where a mask
// asks for some, as in the reference. NaN becomes zero, and infinities the
// largest number.
func (q *TextLastHiddenState) Decode(b Batch, w *wire.Tensor) (Answer, error) {
	wanted, f := q.wanted(b.Length)
	if f != nil {
		return nil, wrong(ErrDecode, "%s", f.Message)
	}
	t, err := Decode(w, b.Texts*b.Length*NetworkDimension)
	if err != nil {
		return nil, err
	}
	values := finite(t.Float32s())
	h := &HiddenStates{Texts: b.Texts, Length: b.Length}
	switch {
	case sameShape(t.Shape, b.Texts, b.Length, NetworkDimension):
		h.numbers = values
		if len(q.Mask) == 0 {
			return h, nil
		}
		return h.only(wanted), nil
	case !sameShape(t.Shape, b.Texts*len(wanted), NetworkDimension):
		return nil, wrong(ErrShape, "forward_response_tensor.shape must be in [%d, %d, %d], got: %s for synapse: %s",
			b.Texts, b.Length, NetworkDimension, listed(t.Shape), q.Task().Name)
	}
	h.numbers = make([]float32, b.Texts*b.Length*NetworkDimension)
	for text := range b.Texts {
		for slot, pos := range wanted {
			copy(h.At(text, pos), values[(text*len(wanted)+slot)*NetworkDimension:])
		}
	}
	return h, nil
}

// only clears all but some positions of each text.
func (h *HiddenStates) only(positions []int) *HiddenStates {
	keep := make([]bool, h.Length)
	for _, pos := range positions {
		keep[pos] = true
	}
	for text := range h.Texts {
		for pos, k := range keep {
			if !k {
				clear(h.At(text, pos))
			}
		}
	}
	return h
}

// finite replaces in place what is no finite number: NaN by zero, infinities by
// the largest number of their sign.
func finite(values []float32) []float32 {
	for i, v := range values {
		switch {
		case v != v:
			values[i] = 0
		default:
			values[i] = max(-math.MaxFloat32, min(v, math.MaxFloat32))
		}
	}
	return values
}
