package synapse

import (
	"axon/synapse/wire"
)

// badWriting is the code of a request that cannot be written.
const badWriting = wire.ReturnCode_RETURN_CODE_REQUEST_SERIALIZATION_EXCEPTION

// NewForward makes the message that asks each synapse about the batch, from a
// client of that address. Unlike the reference it asks all or nothing. Errors are
// a [*Fault]; one is that token ids would be sent, or come back, through float16.
func NewForward(hotkey string, b Batch, synapses ...Synapse) (*wire.TensorMessage, error) {
	for _, s := range synapses {
		if f := checkLossless(s, b); f != nil {
			return nil, f
		}
	}
	return newForward(hotkey, b, synapses)
}

// newForward makes the message whatever becomes of ids.
func newForward(hotkey string, b Batch, synapses []Synapse) (*wire.TensorMessage, error) {
	m := newMessage(hotkey, synapses)
	if len(b.Tokens) == 0 || len(synapses) == 0 {
		return nil, Faultf(wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST, "Empty Request")
	}
	for _, s := range synapses {
		t, err := writeBatch(s, b)
		if err != nil {
			return nil, err
		}
		m.Tensors = append(m.Tensors, t)
	}
	return m, nil
}

// NewBackward makes the message that sends gradients of answers, one for each
// synapse, of the shape of its answer's tensor. The reference writes gradients
// with the serializer of the forward request, and so does this. Errors are a
// [*Fault].
func NewBackward(hotkey string, b Batch, synapses []Synapse, gradients []Tensor) (*wire.TensorMessage, error) {
	if len(gradients) != len(synapses) || len(synapses) == 0 {
		return nil, Faultf(badWriting, "%d gradients of %d synapses", len(gradients), len(synapses))
	}
	m, err := newForward(hotkey, b, synapses)
	if err != nil {
		return nil, err
	}
	for i, s := range synapses {
		t, err := writeGradient(s, b, gradients[i])
		if err != nil {
			return nil, err
		}
		m.Tensors = append(m.Tensors, t)
	}
	return m, nil
}

func newMessage(hotkey string, synapses []Synapse) *wire.TensorMessage {
	m := &wire.TensorMessage{Version: Version, Hotkey: hotkey, RequiresGrad: true}
	for _, s := range synapses {
		m.Synapses = append(m.Synapses, &wire.Synapse{SynapseType: s.Task().Type, SynapseData: s.Settings()})
	}
	return m
}

func writeBatch(s Synapse, b Batch) (*wire.Tensor, error) {
	if product(max(b.Texts, 0), max(b.Length, 0)) != int64(len(b.Tokens)) {
		return nil, unwritable(wrong(ErrEncode, "%s", noRectangleWords(s.Task(), []int{b.Texts, b.Length})))
	}
	t, err := Encode(b.tensor(), s.Serializers().ForwardRequest)
	if err != nil {
		return nil, unwritable(err)
	}
	return t, nil
}

func writeGradient(s Synapse, b Batch, gradient Tensor) (*wire.Tensor, error) {
	trained, ok := s.(Trainable)
	if !ok {
		return nil, unwritable(wrong(ErrEncode, "%s has no gradients", s.Task().Name))
	}
	compact, err := trained.EncodeGradient(b, gradient)
	if err != nil {
		return nil, unwritable(err)
	}
	t, err := Encode(compact, s.Serializers().ForwardRequest)
	if err != nil {
		return nil, unwritable(err)
	}
	return t, nil
}

func unwritable(err error) error {
	return Faultf(badWriting, "Input serialization exception with error:%v", err)
}

// checkLossless refuses a question or an answer whose token ids change on the way.
func checkLossless(s Synapse, b Batch) *Fault {
	ids, _ := s.(interface{ answersWithIDs() bool })
	return s.Serializers().checkIDs(b, ids != nil && ids.answersWithIDs())
}
