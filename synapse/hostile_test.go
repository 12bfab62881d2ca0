package synapse

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"axon/synapse/wire"
)

const sender = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

// goodMessage asks all tasks about a batch.
func goodMessage(t testing.TB) *wire.TensorMessage {
	var all []Synapse
	for _, task := range Tasks() {
		all = append(all, task.Default())
	}
	m, err := NewForward(sender, Batch{Texts: 1, Length: 3, Tokens: []int32{9862, 8247, 4791}}, all...)
	require.NoError(t, err)
	return m
}

func TestHostileRequestsGetTheirFaults(t *testing.T) {
	nested := append(bytes.Repeat([]byte{0x91}, 1<<20), 0xc0)
	object := bytes.ReplaceAll(goodMessage(t).GetTensors()[0].GetBuffer(), []byte("\xa3<i8"), []byte("\xa3|O8"))
	kindO := bytes.Replace(goodMessage(t).GetTensors()[0].GetBuffer(), []byte("\xc4\x04kind\xc4\x00"), []byte("\xc4\x04kind\xc4\x01O"), 1)
	unreadable := wire.ReturnCode_RETURN_CODE_REQUEST_DESERIALIZATION_EXCEPTION
	for name, c := range map[string]struct {
		change func(*wire.TensorMessage)
		code   wire.ReturnCode // of the second synapse
	}{
		"no synapses":       {func(m *wire.TensorMessage) { m.Synapses = nil }, badShape},
		"nothing":           {func(m *wire.TensorMessage) { m.Synapses, m.Tensors = nil, nil }, emptyRequest},
		"too few tensors":   {func(m *wire.TensorMessage) { m.Tensors = m.Tensors[:2] }, badShape},
		"too many synapses": {func(m *wire.TensorMessage) { m.Synapses = make([]*wire.Synapse, 1000) }, badRequest},
		"null synapse":      {func(m *wire.TensorMessage) { m.Synapses[1] = &wire.Synapse{} }, notServed},
		"nil synapse":       {func(m *wire.TensorMessage) { m.Synapses[1] = nil }, notServed},
		"unknown synapse":   {func(m *wire.TensorMessage) { m.Synapses[1].SynapseType = -5 }, notServed},
		"settings cut off":  {func(m *wire.TensorMessage) { m.Synapses[1].SynapseData = []byte{0x10} }, badRequest},
		"no tensor":         {func(m *wire.TensorMessage) { m.Tensors[1] = nil }, unreadable},
		"no buffer":         {func(m *wire.TensorMessage) { m.Tensors[1].Buffer = nil }, badShape},
		"cut buffer":        {func(m *wire.TensorMessage) { m.Tensors[1].Buffer = m.Tensors[1].Buffer[:50] }, badShape},
		"nested":            {func(m *wire.TensorMessage) { m.Tensors[1].Buffer = nested }, unreadable},
		"object":            {func(m *wire.TensorMessage) { m.Tensors[1].Buffer = object }, unreadable},
		"kind of object":    {func(m *wire.TensorMessage) { m.Tensors[1].Buffer = kindO }, unreadable},
		"negative shape":    {func(m *wire.TensorMessage) { m.Tensors[1].Shape = []int64{-3, -1} }, unreadable},
		"lying shape":       {func(m *wire.TensorMessage) { m.Tensors[1].Shape = []int64{1 << 20, 1 << 20} }, unreadable},
		"overflowing shape": {func(m *wire.TensorMessage) { m.Tensors[1].Shape = []int64{1 << 32, 1 << 32} }, unreadable},
		"long shape":        {func(m *wire.TensorMessage) { m.Tensors[1].Shape = make([]int64, 1<<16) }, unreadable},
		"rank three":        {func(m *wire.TensorMessage) { m.Tensors[1].Shape = []int64{1, 1, 3} }, badShape},
		"no type":           {func(m *wire.TensorMessage) { m.Tensors[1].Dtype = 99 }, unreadable},
		"floats":            {func(m *wire.TensorMessage) { m.Tensors[1].Dtype = 1 }, unreadable},
		"short hotkey":      {func(m *wire.TensorMessage) { m.Hotkey = "5" }, exception},
		"huge ids": {func(m *wire.TensorMessage) {
			m.Tensors[1], _ = Encode(NewInt64([]int64{1, 2, 1 << 40}, 1, 3), 0)
		}, badRequest},
		"tensor positions": {func(m *wire.TensorMessage) { m.Synapses[1].TensorPos = make([]int32, 65) }, badRequest},
		"topk missing":     {func(m *wire.TensorMessage) { m.Synapses[1].SynapseData = nil }, badRequest},
		"long mask": {func(m *wire.TensorMessage) {
			m.Synapses[1].SynapseType = 1
			m.Synapses[1].SynapseData = (&TextLastHiddenState{Mask: make([]int32, 1<<16)}).Settings()
		}, shapeCode},
	} {
		t.Run(name, func(t *testing.T) {
			m := goodMessage(t)
			c.change(m)
			requireFrugal(t, m, func() {
				reply := ParseForward(m, usualLimits()).Reply("server")
				if len(reply.GetSynapses()) > 1 {
					require.Equal(t, c.code, reply.GetSynapses()[1].GetReturnCode(), reply)
				} else {
					require.Equal(t, c.code, reply.GetReturnCode(), reply)
				}
				require.Less(t, proto.Size(reply), proto.Size(m)+4096)
				ParseBackward(m, usualLimits()).Reply("server")
			})
		})
	}
}

// Ids of one byte take twenty where they are read.
func TestBatchesBeyondAllLimitsAreNotRead(t *testing.T) {
	const n = 1 << 20
	w, err := Encode(Tensor{DType: Uint8, Shape: []int{1, n}, Data: make([]byte, n)}, 0)
	require.NoError(t, err)
	w.Dtype = wire.DataType_DATA_TYPE_INT64
	l := Limits{Texts: 4, Length: 100}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, fault := parseBatch(causalLM, w, l)
	runtime.ReadMemStats(&after)
	require.NotNil(t, fault)
	require.Equal(t, badShape, fault.Code)
	require.Contains(t, fault.Message, "[1 1048576] has more than 400 elements")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(n))
}

// The tensor of phrases is as wide as the longest: one would make all others as long.
func TestPhrasesAreOfBearableLength(t *testing.T) {
	q := &TextCausalLMNext{TopK: 2}
	for tokens, fine := range map[int]bool{maxWidth - 1: true, maxWidth: false} {
		long := Phrases{List: []Phrase{{0.5, make([]int32, tokens)}, {0.25, []int32{1}}}}
		values := AppendPhrases(nil, long)
		w, err := Encode(NewFloat32(values, len(values)), 0)
		require.NoError(t, err)
		_, err = q.Decode(Batch{Texts: 1, Length: 1, Tokens: []int32{1}}, w)
		if fine {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "a phrase of 4096 tokens exceeds the limit 4095")
		}
	}
}

// requireFrugal checks that something allocates little more than a message has.
func requireFrugal(t *testing.T, m proto.Message, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(20*proto.Size(m)+1<<20))
}

func TestHostileRepliesAreFaults(t *testing.T) {
	b := Batch{Texts: 1, Length: 3, Tokens: []int32{1, 2, 3}}
	reply := func(q Synapse, w *wire.Tensor) *wire.TensorMessage {
		return &wire.TensorMessage{ReturnCode: success, Tensors: []*wire.Tensor{w},
			Synapses: []*wire.Synapse{{SynapseType: q.Task().Type, ReturnCode: success}}}
	}
	huge, err := Encode(NewFloat32(make([]float32, 1<<16), 1<<16), 0)
	require.NoError(t, err)
	lying := proto.Clone(huge).(*wire.Tensor)
	lying.Shape = []int64{1, 3, math.MaxInt64}
	for _, task := range Tasks() {
		for _, s := range []wire.Serializer{wire.Serializer_SERIALIZER_MSGPACK, wire.Serializer_SERIALIZER_PACKED} {
			q := task.Default()
			q.Serializers().ForwardResponse = s
			for name, w := range map[string]*wire.Tensor{"nil": nil, "empty": {Version: Version}, "huge": huge, "lying": lying, "bytes": {Dtype: 1, Shape: []int64{3}, Buffer: []byte("AXPK\x01")}} {
				m := reply(q, w)
				requireFrugal(t, m, func() {
					got := ParseReply(m, b, q)
					require.Len(t, got, 1)
					require.Nil(t, got[0].Answer, "%s %s", task.Name, name)
					require.Equal(t, notDecoded, got[0].Fault.Code)
				})
			}
		}
	}
}

func TestFailedRepliesAreNoSuccess(t *testing.T) {
	q, b := causalLM.Default(), batchOfShape(1, 3)
	for name, c := range map[string]struct {
		m     *wire.TensorMessage
		fault Fault
	}{
		"nothing":         {&wire.TensorMessage{}, Fault{wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE, "Remote Server Failure: "}},
		"nil":             {nil, Fault{wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE, "Remote Server Failure: "}},
		"message's words": {&wire.TensorMessage{ReturnCode: exception, Message: "x"}, Fault{exception, "Remote Server Failure: x"}},
		"own code missing": {&wire.TensorMessage{ReturnCode: exception, Synapses: []*wire.Synapse{{Message: "own"}}},
			Fault{exception, "Remote Server Failure: own"}},
		"no code": {&wire.TensorMessage{ReturnCode: success, Synapses: []*wire.Synapse{{}}, Tensors: []*wire.Tensor{{}}},
			Fault{wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE, ""}},
		"long words": {&wire.TensorMessage{ReturnCode: exception, Message: strings.Repeat("é", 1<<20)},
			Fault{exception, "Remote Server Failure: " + strings.Repeat("é", maxWords/2)}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ParseReply(c.m, b, q)
			require.Equal(t, []Result{{Fault: &c.fault}}, got)
		})
	}
}

func TestARequestIsAllOrNothing(t *testing.T) {
	b := Batch{Texts: 1, Length: 2, Tokens: []int32{1, 2}}
	bad := &TextCausalLM{TopK: 3, Coding: Serializers{ForwardRequest: 100}}
	_, err := NewForward(sender, b, causalLM.Default(), bad)
	requireFault(t, err, badWriting)
	_, err = NewForward(sender, b)
	requireFault(t, err, emptyRequest)
	_, err = NewForward(sender, Batch{Texts: 3, Length: 2, Tokens: []int32{1, 2}}, causalLM.Default())
	requireFault(t, err, badWriting)
	_, err = NewBackward(sender, b, []Synapse{crossEntropy.Default()}, []Tensor{NewFloat32(nil, 0)})
	requireFault(t, err, badWriting)
	_, err = NewBackward(sender, b, []Synapse{causalLM.Default()}, nil)
	requireFault(t, err, badWriting)
}

func ExampleRequest() {
	question := &TextCrossEntropy{}
	batch := Batch{Texts: 1, Length: 3, Tokens: []int32{464, 3290, 1816}}
	asked, err := NewForward(sender, batch, question)
	if err != nil {
		panic(err)
	}

	// The server, whose model finds each token half as likely as the one before.
	request := ParseForward(asked, usualLimits())
	for _, item := range request.Items {
		if item.Fault != nil {
			continue
		}
		needs, finish := item.Synapse.Answer(item.Batch)
		for _, need := range needs {
			need.LogProb(1, float32(math.Log(0.5)))
			need.LogProb(2, float32(math.Log(0.25)))
		}
		if item.Answer, err = finish(); err != nil {
			panic(err)
		}
	}
	answered := request.Reply("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty")

	for _, result := range ParseReply(answered, batch, question) {
		fmt.Println(result.Answer.(*LogProbs).Text(0))
	}
	// Output: [-0.6931472 -1.3862944]
}
