package server_test

import (
	"context"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"axon/synapse"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// Every fault is told by its code, with both numbers where there are two, and none
// reaches the model.
func TestFaultsOfRequests(t *testing.T) {
	a := start(t, func(o *server.Options) {
		o.Limits = synapse.Limits{Texts: 4, Length: 16, TopK: 64, Answer: 4096, Generate: 32, Beams: 4}
	})
	p := a.peer(t)
	good := func(q synapse.Synapse) *wire.TensorMessage { return p.request(texts(2, 8), q) }
	shape := func(dims ...int64) *wire.TensorMessage {
		m := good(score())
		m.Tensors[0].Shape = dims
		return m
	}
	buffer := func(f func([]byte) []byte) *wire.TensorMessage {
		m := good(score())
		m.Tensors[0].Buffer = f(m.Tensors[0].Buffer)
		return m
	}
	ids := func(tokens ...int64) *wire.TensorMessage {
		tensor, err := synapse.Encode(synapse.NewInt64(tokens, 1, len(tokens)), wire.Serializer_SERIALIZER_MSGPACK)
		require.NoError(t, err)
		m := good(score())
		m.Tensors[0] = tensor
		return m
	}
	topk := func(k int) *wire.TensorMessage { return good(&synapse.TextCausalLM{TopK: k}) }
	next := func(k int) *wire.TensorMessage { return good(&synapse.TextCausalLMNext{TopK: k}) }
	encoding := wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION

	for _, c := range []struct {
		name    string
		request *wire.TensorMessage
		code    wire.ReturnCode
		words   []string
	}{
		{"too many texts", p.request(texts(5, 8), score()), badShape, []string{"5 ", "limit 4"}},
		{"too long texts", p.request(texts(2, 17), score()), badShape, []string{"17 ", "limit 16"}},
		{"too many entries", topk(65), badRequest, []string{"65 ", "limit 64"}},
		{"too large an answer", p.request(texts(4, 16), &synapse.TextCausalLM{TopK: 64}), badRequest, []string{"8192 ", "limit 4096"}},
		{"no entries", topk(0), badRequest, []string{"topk 0"}},
		{"fewer than none", topk(-1), encoding, []string{"topk -1"}},
		{"as many as there can be", topk(math.MaxInt32), encoding, []string{"2147483647"}},
		{"no phrases", next(0), badRequest, []string{"topk 0"}},
		{"fewer phrases than none", next(-1), encoding, []string{"topk -1"}},
		{"as many phrases as there can be", next(math.MaxInt32), encoding, []string{"2147483647"}},
		{"negative shape", shape(-2, -8), unreadable, nil},
		{"overflowing shape", shape(math.MaxInt64, math.MaxInt64), unreadable, nil},
		{"shape whose product overflows to the truth", shape(1<<62, 4, 16), unreadable, nil},
		{"lying shape", shape(4, 16), unreadable, nil},
		{"many dimensions", shape(make([]int64, 1000)...), unreadable, nil},
		{"three dimensions", shape(2, 8, 1), badShape, nil},
		{"token below zero", ids(1, -1), badRequest, []string{"-1", "50256"}},
		{"token beyond the vocabulary", ids(1, 50257), badRequest, []string{"50257", "50256"}},
		{"token beyond 32 bits", ids(1, 1<<40), badRequest, nil},
		{"truncated", buffer(func(b []byte) []byte { return b[:len(b)-1] }), 0, nil},
		{"nothing", buffer(func([]byte) []byte { return nil }), 0, nil},
		{"object array", buffer(func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "<i8", "|O8")) }), 0, nil},
		{"nested bomb", buffer(func([]byte) []byte { return []byte(strings.Repeat("\x91", 1<<20)) }), 0, nil},
		{"wide bomb", buffer(func([]byte) []byte { return []byte("\xdd\xff\xff\xff\xff") }), 0, nil},
		{"map bomb", buffer(func([]byte) []byte { return []byte("\xdf\xff\xff\xff\xff\xc4\x02nd\xc3") }), 0, nil},
		{"bytes that are not there", buffer(func([]byte) []byte { return []byte("\xc6\xff\xff\xff\xff") }), 0, nil},
		{"unknown synapse", with(good(score()), func(m *wire.TensorMessage) { m.Synapses[0].SynapseType = 99 }), notMade, nil},
		{"unknown serializer", with(good(score()), func(m *wire.TensorMessage) {
			m.Synapses[0].SynapseData = (&synapse.TextCrossEntropy{Coding: synapse.Serializers{ForwardResponse: 77}}).Settings()
		}), encoding, []string{"77"}},
		{"settings that are none", with(good(score()), func(m *wire.TensorMessage) { m.Synapses[0].SynapseData = []byte{0xff} }), badRequest, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply, err := p.send(c.request)
			require.NoError(t, err)
			s := reply.GetSynapses()[0]
			if c.code == 0 {
				require.Contains(t, []wire.ReturnCode{badShape, unreadable}, s.GetReturnCode())
			} else {
				require.Equal(t, c.code.String(), s.GetReturnCode().String(), s.GetMessage())
			}
			require.Equal(t, s.GetReturnCode(), reply.GetReturnCode())
			for _, w := range c.words {
				require.Contains(t, s.GetMessage(), w)
			}
			require.Less(t, len(s.GetMessage()), 512, "nothing is repeated at length")
		})
	}
	require.Zero(t, a.model.calls.Load())
	requireCodes(t, p.ask(texts(4, 16), score()), success)
}

func with(m *wire.TensorMessage, change func(*wire.TensorMessage)) *wire.TensorMessage {
	change(m)
	return m
}

func TestFaultsOfMessages(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	for _, c := range []struct {
		name   string
		change func(*wire.TensorMessage)
		code   wire.ReturnCode
	}{
		{"no tensors", func(m *wire.TensorMessage) { m.Tensors = nil }, wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST},
		{"no synapses", func(m *wire.TensorMessage) { m.Synapses = nil }, badShape},
		{"nothing", func(m *wire.TensorMessage) { proto.Reset(m) }, wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST},
		{"a synapse too many", func(m *wire.TensorMessage) { m.Synapses = append(m.Synapses, m.Synapses[0]) }, badShape},
		{"a thousand synapses", func(m *wire.TensorMessage) {
			for range 1000 {
				m.Synapses, m.Tensors = append(m.Synapses, m.Synapses[0]), append(m.Tensors, m.Tensors[0])
			}
		}, badRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := p.request(text(1, 2), score())
			c.change(m)
			reply, err := p.send(m)
			require.NoError(t, err)
			require.Equal(t, c.code.String(), reply.GetReturnCode().String())
			require.Empty(t, reply.GetTensors())
		})
	}
	require.Zero(t, a.model.calls.Load())
}

func TestLargeMessages(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Message = 1 << 20 })
	p := a.peer(t)
	m := p.request(text(1, 2), score())
	m.Message = strings.Repeat("x", 1<<20)
	_, err := p.send(m)
	requireStatus(t, err, codes.ResourceExhausted, "1048576")
	require.Zero(t, a.model.calls.Load())
	require.NoError(t, p.tryScore())
}

// Of a few bytes each much could become in memory.
func TestRequestsOfManyParts(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	for name, c := range map[string]struct {
		change func(*wire.TensorMessage)
		words  string
	}{
		"tensors":  {func(m *wire.TensorMessage) { m.Tensors = make([]*wire.Tensor, 1<<20) }, "1 synapses and 1048576 tensors exceed 1024 of each"},
		"synapses": {func(m *wire.TensorMessage) { m.Synapses = make([]*wire.Synapse, 1<<20) }, "1048576 synapses and 1 tensors exceed 1024 of each"},
	} {
		t.Run(name, func(t *testing.T) {
			m := p.request(text(1, 2), score())
			c.change(m)
			before := decoded.Load()
			_, err := p.send(m)
			requireStatus(t, err, codes.InvalidArgument, c.words)
			require.Equal(t, before, decoded.Load())
		})
	}
	require.NoError(t, p.tryScore())
}

func TestBytesThatAreNoMessage(t *testing.T) {
	a := start(t)
	r := rawPeer(t, a.address)
	id := r.forward(a.peer(t))
	require.NoError(t, r.framer.WriteData(id, true, []byte{0, 0, 0, 0, 1, 0xff}))
	until(t, func() bool { return r.statusOf(id) == strconv.Itoa(int(codes.InvalidArgument)) })
	require.Contains(t, a.log.String(), "the request cannot be read")
}

// generations is a model that notes for how long it may generate.
type generations struct {
	model
	longest atomic.Int64
}

func (g *generations) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	for _, n := range needs {
		g.longest.Store(int64(n.Generation.MaxTime))
	}
	return g.model.Answer(ctx, tokens, needs)
}

// Who asks for longer is not refused: what there is by then is sent.
func TestTextsAreGeneratedForSoLong(t *testing.T) {
	g := new(generations)
	a := start(t, func(o *server.Options) { o.Model, o.Limits.MaxTime = g, 7*time.Second })
	p := a.peer(t)
	for asked, given := range map[float32]time.Duration{150: 7 * time.Second, 2: 2 * time.Second} {
		q := generate()
		q.MaxTime = asked
		requireCodes(t, p.ask(text(1, 2), q), success)
		require.Equal(t, given, time.Duration(g.longest.Load()))
	}
}
