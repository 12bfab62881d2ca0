package synapse

import (
	"axon/kernels"
	"axon/kernels/pack"
	"axon/synapse/wire"
)

// answerPacked keeps rows until all have come, since one after the other is
// packed.
func (q *TextCausalLM) answerPacked(b Batch) ([]Need, func() (*wire.Tensor, error)) {
	rows := make([]kernels.Sparse, b.Texts*b.Length)
	entries := make([]kernels.Entry, len(rows)*q.TopK)
	come := make(arrivals, len(rows))
	needs := make([]Need, b.Texts)
	for text := range needs {
		needs[text] = Need{K: q.TopK, Order: kernels.ByIndex, Row: func(pos int, top kernels.Sparse) error {
			if len(top.Entries) != q.TopK {
				return q.wrongLength(len(top.Entries))
			}
			row, err := come.claimPosition(b, text, pos)
			if err == nil {
				rows[row] = kernels.Sparse{Entries: entries[row*q.TopK : (row+1)*q.TopK], Rest: top.Rest}
				copy(rows[row].Entries, top.Entries)
			}
			return err
		}}
	}
	return needs, func() (*wire.Tensor, error) {
		if err := come.check(); err != nil {
			return nil, err
		}
		return q.pack(b, rows)
	}
}

// pack makes the message of all rows.
func (q *TextCausalLM) pack(b Batch, rows []kernels.Sparse) (*wire.Tensor, error) {
	encoder, err := pack.NewEncoder(pack.Params{Vocab: NetworkVocabulary})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if err := encoder.Add(r); err != nil {
			return nil, Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION, "%v", err)
		}
	}
	array := Tensor{DType: Float32, Shape: []int{b.Texts, b.Length, 2 * q.TopK}}
	return message(array, encoder.Batch(nil), wire.Serializer_SERIALIZER_PACKED), nil
}

// unpack reads packed rows. Nothing is allocated that their bytes do not allow for.
func (d *Distributions) unpack(w *wire.Tensor) error {
	rows := d.Texts * d.Length
	shape := w.GetShape()
	if len(shape) != 3 || shape[0] != int64(d.Texts) || shape[1] != int64(d.Length) || shape[2] != int64(2*d.TopK) {
		return wrong(ErrShape, "packed rows of the shape %v, want [%d %d %d]", shape[:min(len(shape), maxRank)], d.Texts, d.Length, 2*d.TopK)
	}
	batch, err := pack.Parse(w.GetBuffer(), pack.Limits{Vocab: NetworkVocabulary, Rows: rows, Entries: d.TopK})
	if err != nil {
		return wrong(ErrDecode, "%v", err)
	}
	if batch.Len() != rows {
		return wrong(ErrShape, "%d packed rows, want %d", batch.Len(), rows)
	}
	d.packed = make([]kernels.Sparse, rows)
	for i := range d.packed {
		if err := batch.Row(i, &d.packed[i]); err != nil {
			return wrong(ErrDecode, "%v", err)
		}
	}
	return nil
}
