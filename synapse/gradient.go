package synapse

import (
	"fmt"
	"math"

	"axon/kernels"
	"axon/synapse/wire"
)

// Trainable is a synapse of whose answer the network has gradients: those of
// release 3.7.0. axon sends and checks them but trains nothing.
type Trainable interface {
	// EncodeGradient makes of a gradient what is sent of it. Errors wrap ErrEncode.
	EncodeGradient(b Batch, gradient Tensor) (Tensor, error)
	// DecodeGradient checks what was sent, which keeps its size until its Tensor is
	// asked for. Errors are those of [Decode].
	DecodeGradient(b Batch, sent Tensor) (Answer, error)
}

// parseGradient reads the gradient of an item whose batch has been read.
func (i *Item) parseGradient(w *wire.Tensor) {
	if i.Fault != nil || i.Synapse == nil {
		return
	}
	trained, ok := i.Synapse.(Trainable)
	if !ok {
		return // which is not implemented in any case
	}
	if _, ok := fromWire(w.GetDtype()); !ok {
		i.Fault = unreadable(noType(w))
		return
	}
	sent, err := Decode(w, math.MaxInt32)
	if err == nil {
		i.Gradient, err = trained.DecodeGradient(i.Batch, sent)
	}
	if err != nil {
		i.Gradient, i.Fault = nil, unreadable(err)
	}
}

// asSent is a gradient that is sent as it is.
type asSent Tensor

// Tensor is the gradient.
func (g asSent) Tensor() Tensor { return Tensor(g) }

func wrongGradient(kind error, q Synapse, g Tensor, want string) error {
	return wrong(kind, "backward_request_gradient.shape must be in %s, got: %s for synapse: %s", want, listed(g.Shape), q.Task().Name)
}

// EncodeGradient checks float32 [Texts, Length−len(Mask), 1024], which is how
// long the reference wants it, and sends it as it is.
func (q *TextLastHiddenState) EncodeGradient(b Batch, g Tensor) (Tensor, error) {
	return g, q.checkGradient(ErrEncode, b, g)
}

// DecodeGradient checks the same.
func (q *TextLastHiddenState) DecodeGradient(b Batch, g Tensor) (Answer, error) {
	return asSent(g), q.checkGradient(ErrShape, b, g)
}

func (q *TextLastHiddenState) checkGradient(kind error, b Batch, g Tensor) error {
	if sameShape(g.Shape, b.Texts, b.Length-len(q.Mask), NetworkDimension) {
		return nil
	}
	return wrongGradient(kind, q, g, fmt.Sprintf("[%d, %d, %d]", b.Texts, b.Length, NetworkDimension))
}

// EncodeGradient makes of [Texts, Length, 50258] the largest TopK of each
// position and their ids, as the reference does: float32 [Texts, Length, 2·TopK].
func (q *TextCausalLM) EncodeGradient(b Batch, g Tensor) (Tensor, error) {
	if !sameShape(g.Shape, b.Texts, b.Length, NetworkVocabulary) {
		return Tensor{}, q.wrongGradient(ErrEncode, b, g.Shape)
	}
	if q.TopK < 1 || q.TopK > NetworkVocabulary {
		return Tensor{}, wrong(ErrEncode, "selected index k out of range")
	}
	values := g.Float32s()
	out := newOutput(Float32, b.Texts, b.Length, 2*q.TopK)
	var scratch kernels.Scratch
	var top []kernels.Entry
	for row := range b.Texts * b.Length {
		var err error
		top, _, err = kernels.Reduce(top[:0], values[row*NetworkVocabulary:(row+1)*NetworkVocabulary], q.TopK, kernels.Descending, &scratch)
		if err != nil {
			return Tensor{}, fmt.Errorf("%w: %w", ErrEncode, err)
		}
		for i, e := range top {
			out.putFloat(row*2*q.TopK+i, e.Value)
			out.putFloat(row*2*q.TopK+q.TopK+i, float32(e.Index))
		}
	}
	return out.array, nil
}

func (q *TextCausalLM) wrongGradient(kind error, b Batch, shape []int) error {
	return wrong(kind, "backward_request_gradient.shape: %s must be equivalent to forward_request_tensor.shape: %s for synapse: %s",
		listed(shape), listed([]int{b.Texts, b.Length}), q.Task().Name)
}

// DecodeGradient checks [Texts, Length, 2·TopK] and its ids.
func (q *TextCausalLM) DecodeGradient(b Batch, sent Tensor) (Answer, error) {
	if q.TopK < 0 || q.TopK > NetworkVocabulary || !sameShape(sent.Shape, b.Texts, b.Length, 2*q.TopK) {
		return nil, q.wrongGradient(ErrShape, b, sent.Shape)
	}
	g := &sparseGradient{Distributions{Texts: b.Texts, Length: b.Length, TopK: q.TopK, compact: sent.Float32s()}}
	return g, g.rows.checkIDs()
}

// sparseGradient is the gradient of TextCausalLM, zero where none was sent.
type sparseGradient struct{ rows Distributions }

// Tensor is float32 [Texts, Length, 50258].
func (g *sparseGradient) Tensor() Tensor {
	d := &g.rows
	values := make([]float32, d.Texts*d.Length*NetworkVocabulary)
	for i := range d.Texts * d.Length {
		row := d.row(i)
		for j, v := range row[:d.TopK] {
			values[i*NetworkVocabulary+int(row[d.TopK+j])] = v
		}
	}
	return NewFloat32(values, d.Texts, d.Length, NetworkVocabulary)
}

// EncodeGradient makes of [Texts, TopK+1, width] its first column, which is that
// of the probabilities: float32 [2+Texts·(TopK+1)], texts and width first.
func (q *TextCausalLMNext) EncodeGradient(b Batch, g Tensor) (Tensor, error) {
	if len(g.Shape) != 3 || g.Shape[0] != b.Texts || g.Shape[1] != q.TopK+1 || g.Shape[2] < 1 {
		return Tensor{}, q.wrongGradient(ErrEncode, b, g.Shape)
	}
	width := g.Shape[2]
	values := g.Float32s()
	sent := []float32{float32(b.Texts), float32(width)}
	for at := 0; at < len(values); at += width {
		sent = append(sent, values[at])
	}
	return NewFloat32(sent, len(sent)), nil
}

func (q *TextCausalLMNext) wrongGradient(kind error, b Batch, shape []int) error {
	return wrong(kind, "backward_request_gradient.shape must be in [%d, (%d + 1), max_len], got: %s for synapse: %s",
		b.Texts, q.TopK, listed(shape), q.Task().Name)
}

// maxWidth is how many tokens, and a probability, a phrase may have in a tensor or a gradient.
const maxWidth = 1 << 12

// DecodeGradient checks the same.
func (q *TextCausalLMNext) DecodeGradient(b Batch, sent Tensor) (Answer, error) {
	v := sent.Float32s()
	if len(sent.Shape) != 1 || len(v) < 2 || q.TopK < 0 || int64(len(v)-2) != product(b.Texts, q.TopK+1) || int64(v[0]) != int64(b.Texts) {
		return nil, q.wrongGradient(ErrShape, b, sent.Shape)
	}
	if !(v[1] >= 1 && v[1] <= maxWidth) {
		return nil, wrong(ErrShape, "a width of %v is not among 1 to %d", v[1], maxWidth)
	}
	return &probGradient{b.Texts, q.TopK + 1, int(v[1]), v[2:]}, nil
}

// probGradient is the gradient of the probabilities of phrases.
type probGradient struct {
	texts, rows, width int
	values             []float32
}

// Tensor is float32 [texts, topk+1, width], zero but for its first column.
func (g *probGradient) Tensor() Tensor {
	values := make([]float32, len(g.values)*g.width)
	for i, v := range g.values {
		values[i*g.width] = v
	}
	return NewFloat32(values, g.texts, g.rows, g.width)
}

// EncodeGradient checks that there is none: [0].
func (q *TextSeq2Seq) EncodeGradient(_ Batch, g Tensor) (Tensor, error) {
	return g, q.checkGradient(ErrEncode, g)
}

// DecodeGradient checks the same.
func (q *TextSeq2Seq) DecodeGradient(_ Batch, g Tensor) (Answer, error) {
	return asSent(g), q.checkGradient(ErrShape, g)
}

func (q *TextSeq2Seq) checkGradient(kind error, g Tensor) error {
	if len(g.Shape) > 1 || g.Len() > 0 {
		return wrongGradient(kind, q, g, "[0]")
	}
	return nil
}
