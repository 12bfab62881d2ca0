package client

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"axon/synapse"
	"axon/synapse/wire"
)

func TestBytesPassThroughTheCodec(t *testing.T) {
	sent, err := bytesCodec{}.Marshal([]byte{1, 2, 3})
	require.NoError(t, err)
	var came []byte
	require.NoError(t, bytesCodec{}.Unmarshal(append(sent, mem.SliceBuffer{4}), &came))
	require.Equal(t, []byte{1, 2, 3, 4}, came)
	_, err = bytesCodec{}.Marshal("text")
	require.Error(t, err)
	require.Error(t, bytesCodec{}.Unmarshal(sent, new(string)))
}

// FuzzReply reads whatever a server may send.
func FuzzReply(f *testing.F) {
	q := []synapse.Synapse{&synapse.TextCrossEntropy{}, &synapse.TextCausalLM{TopK: 3}, &synapse.TextCausalLMNext{TopK: 3}}
	b := synapse.Batch{Texts: 2, Length: 2, Tokens: []int32{1, 2, 3, 4}}
	asked, err := synapse.NewForward("a client", b, q...)
	require.NoError(f, err)
	asked.ReturnCode = wire.ReturnCode_RETURN_CODE_SUCCESS
	for _, change := range []func(){func() {}, func() { asked.Tensors = asked.Tensors[:1] }, func() { asked.Synapses = nil }} {
		change()
		seed, err := proto.Marshal(asked)
		require.NoError(f, err)
		f.Add(seed)
	}
	f.Add([]byte{0x2a, 0, 0x2a, 0, 0x2a, 0, 0x2a, 0}) // four empty tensors
	f.Fuzz(func(t *testing.T, data []byte) {
		m, fault := unmarshal(data, len(q))
		if fault != nil {
			require.Nil(t, m)
			return
		}
		require.LessOrEqual(t, max(len(m.GetTensors()), len(m.GetSynapses())), len(q))
		for _, r := range synapse.ParseReply(m, b, q...) {
			require.NotEqual(t, r.Answer == nil, r.Fault == nil, "an answer or a fault")
		}
	})
}

func TestReplySize(t *testing.T) {
	b := synapse.Batch{Texts: 2, Length: 10}
	for _, c := range []struct {
		synapse synapse.Synapse
		numbers int64
	}{
		{&synapse.TextLastHiddenState{}, 2 * 10 * 1024},
		{&synapse.TextCausalLM{TopK: 512}, 2 * 10 * 512 * 2},
		{&synapse.TextCausalLMNext{TopK: 4096}, 2 * 4096 * 34},
		{&synapse.TextSeq2Seq{NumReturnSequences: 3, NumToGenerate: 50}, 2 * 3 * 50},
		{&synapse.TextCrossEntropy{}, 2 * 9},
	} {
		got := replySize(b, []synapse.Synapse{c.synapse}) - replyRoom - int64(len(c.synapse.Settings()))
		require.Equal(t, 8*c.numbers, got, "%T", c.synapse)
	}
	for _, k := range []int{math.MinInt, -1, 0} {
		require.Less(t, replySize(b, []synapse.Synapse{&synapse.TextCausalLM{TopK: k}}), int64(2*replyRoom))
	}
	huge := synapse.Batch{Texts: math.MaxInt32, Length: math.MaxInt32}
	require.Equal(t, int64(math.MaxInt64), replySize(huge, []synapse.Synapse{&synapse.TextCausalLM{TopK: math.MaxInt32}, &synapse.TextCausalLM{TopK: 1}}))
}

func TestPrintable(t *testing.T) {
	require.Equal(t, "a b c  d", printable("a\nb\x1bc\u009b\x7fd"))
	require.Equal(t, "é\uFFFD", printable("é\xff"))
	require.LessOrEqual(t, len(printable(string(make([]byte, 5000)))), maxMessage+len("…"))
}

func TestFaultsOfContexts(t *testing.T) {
	require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, faultOf(context.DeadlineExceeded).Code)
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, faultOf(context.Canceled).Code)
}
