package server_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/wire"
)

const (
	success    = wire.ReturnCode_RETURN_CODE_SUCCESS
	timeout    = wire.ReturnCode_RETURN_CODE_TIMEOUT
	full       = wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL
	unknown    = wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION
	badShape   = wire.ReturnCode_RETURN_CODE_REQUEST_SHAPE_EXCEPTION
	badRequest = wire.ReturnCode_RETURN_CODE_INVALID_REQUEST
	notMade    = wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED
	unreadable = wire.ReturnCode_RETURN_CODE_REQUEST_DESERIALIZATION_EXCEPTION
)

// all is one question of each kind.
func all() []synapse.Synapse {
	return []synapse.Synapse{
		&synapse.TextLastHiddenState{},
		&synapse.TextCausalLM{TopK: 8},
		&synapse.TextCausalLMNext{TopK: 8},
		generate(),
		score(),
	}
}

func generate() *synapse.TextSeq2Seq {
	task, _ := synapse.TaskNamed("TextSeq2Seq")
	q := task.Default().(*synapse.TextSeq2Seq)
	q.NumToGenerate, q.NumReturnSequences, q.NumBeams = 8, 1, 1
	return q
}

func TestEverySynapseIsAnswered(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	b := texts(3, 5)
	questions := all()
	reply := p.ask(b, questions...)
	require.Equal(t, success, reply.GetReturnCode())
	require.Equal(t, a.hotkey.Address(), reply.GetHotkey())
	results := synapse.ParseReply(reply, b, questions...)
	for i, r := range results {
		require.Nil(t, r.Fault, "%s", questions[i].Task().Name)
		require.NotNil(t, r.Answer)
	}
	require.EqualValues(t, b.Texts, a.model.calls.Load(), "five synapses with one input are one pass for each text")

	scores := results[4].Answer.(*synapse.LogProbs)
	for i := range b.Texts {
		want := b.Text(i)[1:]
		for j, got := range scores.Text(i) {
			require.InDelta(t, -float64(want[j])/1000, got, 1e-6)
		}
	}
	generated := results[3].Answer.Tensor().Int64s()
	require.EqualValues(t, follows(b.Text(0)[4], 0), generated[5])
}

func TestOnlyEqualInputsShareAPass(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	m := p.request(text(1, 2, 3), score(), score())
	m.Tensors[1] = p.request(text(1, 2, 4), score()).Tensors[0]
	reply, err := p.send(m)
	require.NoError(t, err)
	requireCodes(t, reply, success, success)
	require.EqualValues(t, 2, a.model.calls.Load())
}

func TestOneSynapseFailsAlone(t *testing.T) {
	a := start(t)
	a.model.hold = func(context.Context, []int32) error { return nil }
	m := a.peer(t)
	request := m.request(text(1, 2, 3), score(), score(), score())
	request.Synapses[1].SynapseType = 77
	request.Tensors[2].Shape = []int64{2, 3}
	reply, err := m.send(request)
	require.NoError(t, err)
	require.Equal(t, success, reply.GetReturnCode())
	require.Equal(t, success, reply.GetSynapses()[0].GetReturnCode())
	require.NotEqual(t, success, reply.GetSynapses()[1].GetReturnCode())
	require.Equal(t, unreadable, reply.GetSynapses()[2].GetReturnCode())
}

// What one item needs, and the model cannot give, is no fault of the others in its group.
func TestWhatOneItemBreaksIsTriedApart(t *testing.T) {
	a := start(t, func(o *server.Options) {
		o.Model = modelFunc(func(ctx context.Context, tokens []int32, needs []synapse.Need) error {
			for _, n := range needs {
				if n.Hidden != nil {
					return fmt.Errorf("%w: no hidden states", server.ErrUnsupported)
				}
			}
			return new(model).Answer(ctx, tokens, needs)
		})
	})
	reply := a.peer(t).ask(texts(2, 4), &synapse.TextLastHiddenState{}, score())
	requireCodes(t, reply, notMade, success)
	require.Contains(t, reply.GetSynapses()[0].GetMessage(), "no hidden states")
}

type modelFunc func(context.Context, []int32, []synapse.Need) error

func (f modelFunc) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	return f(ctx, tokens, needs)
}

func TestErrorsOfTheModel(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		code    wire.ReturnCode
		message string
	}{
		"too long":    {fmt.Errorf("%w: 9 tokens exceed the limit 8", server.ErrTooLong), badShape, "text too long: 9 tokens exceed the limit 8"},
		"busy":        {fmt.Errorf("%w: 8 texts", server.ErrBusy), full, "model busy: 8 texts"},
		"unsupported": {server.ErrUnsupported, notMade, "not supported by this model"},
		"invalid":     {server.ErrInvalid, badRequest, "invalid text"},
		"a fault":     {synapse.Faultf(wire.ReturnCode_RETURN_CODE_BACKOFF, "later"), wire.ReturnCode_RETURN_CODE_BACKOFF, "later"},
		"its own":     {errors.New("secret"), unknown, "Exception on Server"},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			a.model.hold = func(context.Context, []int32) error { return c.err }
			reply := a.peer(t).score(1, 2)
			requireCodes(t, reply, c.code)
			require.Equal(t, c.code, reply.GetReturnCode())
			require.Equal(t, c.message, reply.GetSynapses()[0].GetMessage())
		})
	}
}

func TestPanicEndsOneAnswerOnly(t *testing.T) {
	a := start(t)
	a.model.hold = func(_ context.Context, tokens []int32) error {
		if tokens[0] == 13 {
			panic("thirteen")
		}
		return nil
	}
	p := a.peer(t)
	requireCodes(t, p.score(13, 2), unknown)
	requireCodes(t, p.score(14, 2), success)
	_, metrics := a.get("/metrics")
	require.Regexp(t, `axon_panics_total\{.*\} 1\n`, metrics)
	require.Contains(t, a.log.String(), "thirteen")
}

// A panic outside of the model: nothing but that call ends.
func TestPanicOfThePolicyIsAnInternalError(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Policy = policy{mayAsk: func(wire.SynapseType) error { panic("policy") }} })
	p := a.peer(t)
	_, err := p.send(p.request(text(1, 2), score()))
	requireStatus(t, err, codes.Internal, "fault of the server")
	require.NotContains(t, err.Error(), "policy")
	require.Contains(t, a.log.String(), "policy")
}

type policy struct {
	priority func(auth.PublicKey) float64
	mayAsk   func(wire.SynapseType) error
}

func (p policy) Priority(hotkey auth.PublicKey) float64 {
	if p.priority == nil {
		return 0
	}
	return p.priority(hotkey)
}

func (p policy) MayAsk(_ auth.PublicKey, task wire.SynapseType) error {
	if p.mayAsk == nil {
		return nil
	}
	return p.mayAsk(task)
}

func TestPolicyRefusesATask(t *testing.T) {
	a := start(t, func(o *server.Options) {
		o.Policy = policy{mayAsk: func(task wire.SynapseType) error {
			if task == wire.SynapseType_SYNAPSE_TYPE_TEXT_CAUSAL_LM {
				return errors.New("stake 1 is below 2")
			}
			return nil
		}}
	})
	reply := a.peer(t).ask(text(1, 2), &synapse.TextCausalLM{TopK: 4}, score())
	requireCodes(t, reply, unknown, success)
	require.Equal(t, "Synapse Check Failed: stake 1 is below 2", reply.GetSynapses()[0].GetMessage())
}

func TestBackwardIsCheckedAndRefused(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	_, err := p.client.Backward(t.Context(), new(wire.TensorMessage))
	requireStatus(t, err, codes.Unauthenticated, "Request signature missing")
	gradient := synapse.NewFloat32(make([]float32, 2*synapse.NetworkVocabulary), 1, 2, synapse.NetworkVocabulary)
	m, err := synapse.NewBackward(p.key.String(), text(1, 2), []synapse.Synapse{&synapse.TextCausalLM{TopK: 4}}, []synapse.Tensor{gradient})
	require.NoError(t, err)
	reply, err := p.client.Backward(p.signed(t.Context()), m)
	require.NoError(t, err)
	requireCodes(t, reply, notMade)
	require.Zero(t, a.model.calls.Load())
}

func TestCompressedRequests(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	reply, err := p.client.Forward(p.signed(t.Context()), p.request(text(1, 2), score()), grpc.UseCompressor(gzip.Name))
	require.NoError(t, err)
	requireCodes(t, reply, success)
	// Zeros that are small on the wire and large in memory.
	bomb := &wire.TensorMessage{Message: string(make([]byte, 5<<20))}
	_, err = p.client.Forward(p.signed(t.Context()), bomb, grpc.UseCompressor(gzip.Name))
	requireStatus(t, err, codes.ResourceExhausted)
}

func TestHealthAndReflectionAreOpen(t *testing.T) {
	a := start(t)
	conn, err := grpc.NewClient(a.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	for _, service := range []string{"", "Bittensor"} {
		h, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		require.NoError(t, err)
		require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, h.GetStatus())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "Bittensor"},
	}))
	answer, err := stream.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, answer.GetFileDescriptorResponse().GetFileDescriptorProto())
}
