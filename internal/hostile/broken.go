package hostile

import (
	"encoding/binary"
	"math"
	"slices"

	"axon/synapse"
	"axon/synapse/wire"
)

// number alters the numbers of an answer, which are those that the serializer makes of a
// tensor.
func number(f func(item *synapse.Item, values []float32)) func(Means) Lie {
	return always(func(item *synapse.Item) {
		t, err := synapse.Decode(item.Answer, math.MaxInt32)
		if err != nil {
			return
		}
		values := t.Float32s()
		f(item, values)
		item.Answer = encoded(item, values, t.Shape...)
	})
}

// encoded is a tensor in the serializer of the item, nil where that cannot write it.
func encoded(item *synapse.Item, values []float32, shape ...int) *wire.Tensor {
	w, err := synapse.Encode(synapse.NewFloat32(values, shape...), item.Synapse.Serializers().ForwardResponse)
	if err != nil {
		return nil
	}
	return w
}

// eachProbability changes the numbers that are probabilities: those of 1 and less among phrases and
// their floors, the first half of each row.
func eachProbability(item *synapse.Item, values []float32, f func(v float32) float32) {
	q, rows := item.Synapse.(*synapse.TextCausalLM)
	for i, v := range values {
		if rows && i%(2*q.TopK) < q.TopK || !rows && v <= 1 {
			values[i] = f(v)
		}
	}
}

// overfull multiplies probabilities, so that each text's sum, or each row's, is 1.05.
func overfull(item *synapse.Item, values []float32) {
	const sum = 1.05
	groups := item.Batch.Texts
	if _, rows := item.Synapse.(*synapse.TextCausalLM); rows {
		groups *= item.Batch.Length
	}
	mass := 0.0
	eachProbability(item, values, func(v float32) float32 { mass += float64(v); return v })
	// By the mean of the groups some would stay below: what is left out is made up for by the
	// least that a group can have.
	factor := float32(sum * float64(groups) / mass)
	eachProbability(item, values, func(v float32) float32 { return min(1, v*factor) })
}

// negative makes the first probability of each position, or the first of all, one of −0.5.
func negative(item *synapse.Item, values []float32) {
	step := len(values)
	if q, rows := item.Synapse.(*synapse.TextCausalLM); rows {
		step = 2 * q.TopK
	}
	for i := 0; i < len(values); i += step {
		values[i] = -0.5
	}
}

func notNumbers(item *synapse.Item, values []float32) {
	eachProbability(item, values, func(float32) float32 { return float32(math.NaN()) })
}

// tooMany names one more phrase of each text, or one more token of each position.
func tooMany(item *synapse.Item) {
	t, err := synapse.Decode(item.Answer, math.MaxInt32)
	if err != nil {
		return
	}
	values := t.Float32s()
	q, rows := item.Synapse.(*synapse.TextCausalLM)
	if !rows {
		const token = 2
		values = append([]float32{0, token}, values...)
		item.Answer = encoded(item, values, len(values))
		return
	}
	var wider []float32
	for row := range slices.Chunk(values, 2*q.TopK) {
		wider = slices.Concat(wider, row[:q.TopK], []float32{0}, row[q.TopK:], []float32{0})
	}
	item.Answer = encoded(item, wider, item.Batch.Texts, item.Batch.Length, 2*q.TopK+2)
}

// otherShape puts a dimension in front.
func otherShape(item *synapse.Item) {
	t, err := synapse.Decode(item.Answer, math.MaxInt32)
	if err != nil {
		return
	}
	item.Answer = encoded(item, t.Float32s(), append([]int{1}, t.Shape...)...)
}

// garbage replaces the numbers by bytes of a counter.
func garbage(item *synapse.Item) {
	buffer := item.Answer.GetBuffer()
	for i := 0; i+8 <= len(buffer); i += 8 {
		binary.LittleEndian.PutUint64(buffer[i:], uint64(i)*0x9e3779b97f4a7c15)
	}
}
