package synapse

import (
	"errors"
	"math"

	"axon/synapse/wire"
)

// parseBatch reads a batch. Ids outside the standard tokenizer are refused here
// where they do not even fit, and by Check otherwise. What no limits allow is not
// read: ids of one byte take twenty times as much here.
func parseBatch(task *Task, w *wire.Tensor, l Limits) (Batch, *Fault) {
	if _, ok := fromWire(w.GetDtype()); !ok {
		return Batch{}, unreadable(noType(w))
	}
	t, err := Decode(w, int(min(product(l.Texts, l.Length), math.MaxInt32)))
	if err != nil {
		return Batch{}, unreadable(err)
	}
	if len(t.Shape) != 2 || t.Len() == 0 {
		return Batch{}, noRectangle(task, t.Shape)
	}
	if t.DType.floating() {
		return Batch{}, unreadable(wrong(ErrDecode, "token ids of type %v", t.DType))
	}
	b := Batch{Texts: t.Shape[0], Length: t.Shape[1], Tokens: make([]int32, t.Len())}
	get := t.integer()
	for i := range b.Tokens {
		id := get(i)
		if id != int64(int32(id)) {
			return Batch{}, notAToken(i, b.Length, id)
		}
		b.Tokens[i] = int32(id)
	}
	return b, nil
}

// noType is the reference's word for a tensor of no type.
func noType(w *wire.Tensor) error {
	return wrong(ErrDecode, "Unknown bittensor.Dtype or no equivalent torch.dtype for bittensor.dtype = %d", w.GetDtype())
}

// unreadable sorts what is wrong with a request's tensor as the reference does.
func unreadable(err error) *Fault {
	if errors.Is(err, ErrShape) || errors.Is(err, ErrLimit) {
		return Faultf(badShape, "Input shape exception with error:%v", err)
	}
	return Faultf(wire.ReturnCode_RETURN_CODE_REQUEST_DESERIALIZATION_EXCEPTION, "Input deserialization exception with error:%v", err)
}

// tensor is the batch as it is sent.
func (b Batch) tensor() Tensor {
	ids := make([]int64, len(b.Tokens))
	for i, id := range b.Tokens {
		ids[i] = int64(id)
	}
	return NewInt64(ids, b.Texts, b.Length)
}
