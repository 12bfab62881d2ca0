package synapse

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"axon/synapse/wire"
)

// fuzzLimits are small, so that what passes them is answered quickly.
var fuzzLimits = Limits{Texts: 4, Length: 16, TopK: 8, Answer: 1 << 17, Generate: 32, Beams: 4}

func seedMessage(f *testing.F, m proto.Message) {
	raw, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
}

func FuzzParseForward(f *testing.F) {
	for _, task := range Tasks() {
		m, err := NewForward(sender, Batch{Texts: 1, Length: 2, Tokens: []int32{5, 6}}, task.Default())
		if err != nil {
			f.Fatal(err)
		}
		seedMessage(f, m)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.TensorMessage
		if proto.Unmarshal(raw, &m) != nil {
			return
		}
		r := ParseForward(&m, fuzzLimits)
		for _, item := range r.Items {
			if item.Fault != nil {
				continue
			}
			// What passed can be answered, and asked again.
			needs, finish := item.Synapse.Answer(item.Batch)
			require.Len(t, needs, item.Batch.Texts)
			_, err := finish()
			require.ErrorAs(t, err, new(*Fault))
			_, err = newForward(m.GetHotkey(), item.Batch, []Synapse{item.Synapse})
			require.NoError(t, err)
		}
		requireAllFailed(t, r)
	})
}

func FuzzParseBackward(f *testing.F) {
	b := Batch{Texts: 1, Length: 2, Tokens: []int32{5, 6}}
	for _, c := range []struct {
		synapse  Synapse
		gradient Tensor // as it is sent
	}{
		{&TextCausalLMNext{TopK: 1}, NewFloat32([]float32{1, 2, 0.5, 0.25}, 4)},
		{&TextCausalLM{TopK: 1}, NewFloat32([]float32{0.5, 7, 0.5, 8}, 1, 2, 2)},
		{seq2Seq.Default(), NewFloat32(nil, 0)},
		{lastHiddenState.Default(), NewFloat32(nil, 1, 2, 0)},
	} {
		m, err := newForward(sender, b, []Synapse{c.synapse})
		if err != nil {
			f.Fatal(err)
		}
		w, err := Encode(c.gradient, 0)
		if err != nil {
			f.Fatal(err)
		}
		m.Tensors = append(m.Tensors, w)
		seedMessage(f, m)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.TensorMessage
		if proto.Unmarshal(raw, &m) != nil {
			return
		}
		r := ParseBackward(&m, fuzzLimits)
		for _, item := range r.Items {
			if item.Gradient != nil && product(max(item.Batch.Texts, 1), max(item.Batch.Length, 1)) < 16 {
				g := item.Gradient.Tensor()
				n, ok := Elements(g.Shape)
				require.True(t, ok && n == g.Len())
			}
		}
		requireAllFailed(t, r)
	})
}

// requireAllFailed checks the reply to a request of which nothing was answered.
func requireAllFailed(t *testing.T, r *Request) {
	t.Helper()
	reply := r.Reply("server")
	require.NotEqual(t, success, reply.GetReturnCode())
	require.Empty(t, reply.GetTensors())
	for _, s := range reply.GetSynapses() {
		require.NotEqual(t, success, s.GetReturnCode())
	}
}

func FuzzParseReply(f *testing.F) {
	b := Batch{Texts: 1, Length: 2, Tokens: []int32{5, 6}}
	for _, task := range Tasks() {
		w, err := Encode(zeros(1, 1), 0)
		if err != nil {
			f.Fatal(err)
		}
		seedMessage(f, &wire.TensorMessage{ReturnCode: success, Tensors: []*wire.Tensor{w},
			Synapses: []*wire.Synapse{{SynapseType: task.Type, ReturnCode: success, SynapseData: task.Default().Settings()}}})
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m wire.TensorMessage
		if proto.Unmarshal(raw, &m) != nil {
			return
		}
		for _, task := range Tasks() {
			for _, s := range []wire.Serializer{0, wire.Serializer_SERIALIZER_PACKED} {
				q := task.Default()
				q.Serializers().ForwardResponse = s
				if causal, ok := q.(*TextCausalLM); ok {
					causal.TopK = 2
				}
				for _, r := range ParseReply(&m, b, q) {
					require.True(t, (r.Answer == nil) != (r.Fault == nil))
					if r.Answer != nil {
						n, ok := Elements(r.Answer.Tensor().Shape)
						require.True(t, ok && n == r.Answer.Tensor().Len())
					}
				}
			}
		}
	})
}

func FuzzParseSettings(f *testing.F) {
	for _, task := range Tasks() {
		f.Add(task.Default().Settings())
	}
	f.Fuzz(func(t *testing.T, settings []byte) {
		for _, task := range Tasks() {
			q, err := task.Parse(settings)
			if err != nil {
				require.ErrorIs(t, err, ErrDecode)
				continue
			}
			again, err := task.Parse(q.Settings())
			require.NoError(t, err)
			require.Equal(t, q.Settings(), again.Settings())
			if b := batchOfShape(2, 3); q.Check(b, fuzzLimits) == nil {
				needs, _ := q.Answer(b)
				require.Len(t, needs, b.Texts)
			}
		}
	})
}
