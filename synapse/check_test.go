package synapse

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse/wire"
)

const shapeCode = wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION

func TestLimitsAreRefusedWithBothNumbers(t *testing.T) {
	cmppack := Serializers{ForwardResponse: wire.Serializer_SERIALIZER_CMPPACK}
	limits := Limits{Texts: 64, Length: 256, TopK: 4096, Answer: 100_000, Generate: 300, Beams: 8}
	small := batchOfShape(1, 3)
	sampled := func(change func(*TextSeq2Seq)) Synapse {
		q := seq2Seq.Default().(*TextSeq2Seq)
		change(q)
		return q
	}
	for _, c := range []struct {
		synapse Synapse
		batch   Batch
		code    wire.ReturnCode
		words   string
	}{
		{&TextCausalLM{TopK: 1}, batchOfShape(512, 1), badShape, "512 texts exceed the limit 64"},
		{&TextCausalLM{TopK: 1}, batchOfShape(1, 257), badShape, "257 tokens of a text exceed the limit 256"},
		{&TextCausalLM{TopK: 1}, batchOfShape(0, 3), badShape, "Input shape exception with error:forward_request_tensor.shape must be in [-1, -1], got: [0, 3] for synapse: TextCausalLM"},
		{&TextCausalLM{TopK: 1}, Batch{Texts: math.MaxInt32, Length: math.MaxInt32, Tokens: make([]int32, 1)}, badShape, "got: [2147483647, 2147483647]"},
		{&TextCausalLM{TopK: 1}, Batch{Texts: 2, Length: 2, Tokens: []int32{1, 2, 3, 50257}}, badRequest, "token 1 of text 1 is 50257, the standard tokenizer has 0 to 50256"},
		{&TextCausalLM{TopK: 1}, Batch{Texts: 1, Length: 1, Tokens: []int32{-1}}, badRequest, "token 0 of text 0 is -1"},
		{&TextCausalLM{}, small, badRequest, "topk 0 asks for nothing, 1 is the least"},
		{&TextCausalLM{TopK: -1}, small, notEncoded, "topk -1 is not among 1 to 50257"},
		{&TextCausalLM{TopK: math.MaxInt32}, small, notEncoded, "topk 2147483647 is not among 1 to 50257"},
		{&TextCausalLM{TopK: 4097}, small, badRequest, "4097 entries a position exceed the limit 4096"},
		{&TextCausalLM{TopK: 4096}, batchOfShape(5, 3), badRequest, "122880 numbers of an answer exceed the limit 100000"},
		{&TextCausalLM{TopK: 4, Coding: cmppack}, small, badRequest, "CMPPACK rounds the token ids of the answer beyond 2048, ask for MSGPACK"},
		{&TextCausalLM{TopK: 4, Coding: Serializers{ForwardRequest: 1}}, Batch{Texts: 1, Length: 1, Tokens: []int32{2049}}, badRequest, "CMPPACK rounds token ids from 2048 on, such as 2049"},
		{&TextCausalLM{TopK: 4, Coding: Serializers{ForwardRequest: 100}}, small, wire.ReturnCode_RETURN_CODE_REQUEST_DESERIALIZATION_EXCEPTION, "there is no serializer 100 for a request"},
		{&TextCausalLM{TopK: 4, Coding: Serializers{ForwardResponse: 7}}, small, notEncoded, "there is no serializer 7 for the answer of this synapse"},
		{&TextCausalLMNext{TopK: 4, Coding: Serializers{ForwardResponse: 100}}, small, notEncoded, "there is no serializer 100"},
		{&TextCausalLMNext{TopK: 4, Coding: cmppack}, small, badRequest, "CMPPACK"},
		{&TextCausalLMNext{TopK: math.MaxInt32}, small, notEncoded, "topk 2147483647"},
		{&TextCausalLMNext{TopK: 4096}, batchOfShape(13, 1), badRequest, "106509 numbers of an answer exceed the limit 100000"},
		{&TextLastHiddenState{}, batchOfShape(1, 100), badRequest, "102400 numbers of an answer exceed the limit 100000"},
		{&TextLastHiddenState{Mask: []int32{1, 1}}, small, badRequest, "duplicate"},
		{&TextLastHiddenState{Mask: []int32{0, 1, 2, -1}}, small, shapeCode, "greater than the sequence length"},
		{&TextLastHiddenState{Mask: []int32{-4}}, small, shapeCode, "Mask element -4 cannot be interpreted for sequence_length 3"},
		{&TextLastHiddenState{Mask: []int32{3}}, small, notEncoded, "mask element 3 of a text of 3 tokens"},
		{&TextCrossEntropy{}, batchOfShape(1, 1), badShape, "2 are the least"},
		{&TextCrossEntropy{Coding: Serializers{ForwardResponse: 100}}, small, notEncoded, "there is no serializer 100"},
		{seq2Seq.Default(), batchOfShape(1, 3), 0, ""},
		{sampled(func(q *TextSeq2Seq) { q.NumToGenerate = 301 }), small, badRequest, "301 tokens of a generated text exceed the limit 300"},
		{sampled(func(q *TextSeq2Seq) { q.NumToGenerate = 0 }), small, badRequest, "num_to_generate 0 is below 1"},
		{sampled(func(q *TextSeq2Seq) { q.NumToGenerate = math.MaxInt32 }), small, badRequest, "2147483647 tokens of a generated text exceed the limit 300"},
		{sampled(func(q *TextSeq2Seq) { q.NumBeams = 9 }), small, badRequest, "9 beams exceed the limit 8"},
		{sampled(func(q *TextSeq2Seq) { q.NumBeams = -1 }), small, badRequest, "num_beams -1 is below 1"},
		{sampled(func(q *TextSeq2Seq) { q.NumBeamGroups = 2 }), small, badRequest, "5 beams do not make 2 groups"},
		{sampled(func(q *TextSeq2Seq) { q.NumBeamGroups = 0 }), small, badRequest, "num_beam_groups 0 is below 1"},
		{sampled(func(q *TextSeq2Seq) { q.NumReturnSequences = 6 }), small, badRequest, "6 sequences exceed the 5 beams"},
		{sampled(func(q *TextSeq2Seq) { q.NumReturnSequences, q.DoSample = 9, true }), small, badRequest, "9 sequences a text exceed the limit 8"},
		{sampled(func(q *TextSeq2Seq) { q.TopP = float32(math.NaN()) }), small, badRequest, "top_p NaN is out of range"},
		{sampled(func(q *TextSeq2Seq) { q.Temperature = 0 }), small, badRequest, "temperature 0 is out of range"},
		{sampled(func(q *TextSeq2Seq) { q.RepetitionPenalty = -1 }), small, badRequest, "repetition_penalty -1"},
		{sampled(func(q *TextSeq2Seq) { q.LengthPenalty = float32(math.Inf(1)) }), small, badRequest, "length_penalty +Inf"},
		{sampled(func(q *TextSeq2Seq) { q.MaxTime = 0 }), small, badRequest, "max_time 0"},
		{sampled(func(q *TextSeq2Seq) { q.Coding = cmppack }), small, badRequest, "CMPPACK"},
	} {
		fault := c.synapse.Check(c.batch, limits)
		if c.words == "" {
			require.Nil(t, fault)
			continue
		}
		require.NotNil(t, fault, c.words)
		require.Equal(t, c.code, fault.Code, fault.Message)
		require.Contains(t, fault.Message, c.words)
	}
}

func TestIDsMayBeRoundedIfLimitsSaySo(t *testing.T) {
	b := Batch{Texts: 1, Length: 1, Tokens: []int32{50256}}
	all := Serializers{ForwardRequest: 1, ForwardResponse: 1}
	for _, q := range []Synapse{&TextCausalLM{TopK: 3, Coding: all}, &TextCausalLMNext{TopK: 3, Coding: all}, &TextLastHiddenState{Coding: all}} {
		l := usualLimits()
		require.NotNil(t, q.Check(b, l))
		l.LossyIDs = true
		require.Nil(t, q.Check(b, l))
		_, err := NewForward("", b, q)
		require.ErrorContains(t, err, "CMPPACK", "a client of ours does not ask so")
	}
	few := Batch{Texts: 1, Length: 1, Tokens: []int32{2047}}
	require.Nil(t, (&TextLastHiddenState{Coding: all}).Check(few, usualLimits()), "nothing is lost")
	_, err := NewForward("", few, &TextLastHiddenState{Coding: all})
	require.NoError(t, err)
}

func TestLimitsOfZeroAllowNothing(t *testing.T) {
	for _, task := range Tasks() {
		require.NotNil(t, task.Default().Check(batchOfShape(1, 2), Limits{}), task.Name)
		require.Nil(t, task.Default().Check(batchOfShape(1, 2), usualLimits()), task.Name)
	}
}

func TestTasksAreFound(t *testing.T) {
	for _, task := range Tasks() {
		byType, ok := TaskOf(task.Type)
		require.True(t, ok)
		byName, ok := TaskNamed(task.Name)
		require.True(t, ok)
		require.Same(t, byType, byName)
		q := task.Default()
		require.Same(t, task, q.Task())
		again, err := task.Parse(q.Settings())
		require.NoError(t, err)
		require.Equal(t, q, again)
		require.NotNil(t, q.Serializers())
		_, err = task.Parse([]byte{0xff})
		require.ErrorIs(t, err, ErrDecode)
	}
	_, ok := TaskOf(wire.SynapseType_SYNAPSE_TYPE_NULL)
	require.False(t, ok)
	_, ok = TaskNamed("TextCausal")
	require.False(t, ok)
	require.Panics(t, func() { Register(&Task{Type: 77, Name: "TextCausalLM"}) })
	require.Panics(t, func() { Register(&Task{Type: wire.SynapseType_SYNAPSE_TYPE_TEXT_CAUSAL_LM, Name: "Another"}) })
}
