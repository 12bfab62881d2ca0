package client_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/wire"
)

func TestTimeout(t *testing.T) {
	s := serve(t, blocked)
	c := newClient(t, client.Options{Timeout: 50 * time.Millisecond})
	r := ask(t, c, s.endpoint())
	require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, r.Fault().Code)
	require.Positive(t, r.Duration)
	require.Zero(t, r.BytesIn)
}

func TestCallersDeadline(t *testing.T) {
	s := serve(t, blocked)
	c := newClient(t, client.Options{Timeout: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := c.Forward(ctx, s.endpoint(), text(1, 2), &synapse.TextCrossEntropy{}, &synapse.TextCausalLM{TopK: 2})
	require.Len(t, r.Results, 2)
	for _, result := range r.Results {
		require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, result.Fault.Code)
		require.Nil(t, result.Answer)
	}
}

func TestCancelled(t *testing.T) {
	entered := make(chan struct{})
	s := serve(t, func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
		close(entered)
		return blocked(ctx, m)
	})
	c := newClient(t, client.Options{Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	r := c.Forward(ctx, s.endpoint(), text(1, 2), &synapse.TextCrossEntropy{})
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, r.Fault().Code)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

func TestWaitingForAPlaceEndsWithTheContext(t *testing.T) {
	entered := make(chan struct{}, 1)
	s := serve(t, func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
		entered <- struct{}{}
		return blocked(ctx, m)
	})
	for _, o := range []client.Options{{Concurrency: 1}, {InFlight: 1}} {
		o.Timeout = time.Hour
		c := newClient(t, o)
		first, stop := context.WithCancel(t.Context())
		done := make(chan client.Reply)
		go func() { done <- c.Forward(first, s.endpoint(), text(1), &synapse.TextCrossEntropy{}) }()
		<-entered
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		f := c.Forward(ctx, s.endpoint(), text(1), &synapse.TextCrossEntropy{}).Fault()
		cancel()
		require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, f.Code)
		require.ErrorContains(t, f, "waiting for 1")
		stop()
		<-done
	}
}

// deadAddress is one that nobody listens at.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestDeadEndpoint(t *testing.T) {
	e := client.Endpoint{Address: deadAddress(t), Hotkey: newKey(t).Public()}
	patient := newClient(t, client.Options{Backoff: time.Hour})
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAVAILABLE, ask(t, patient, e).Fault().Code)
	f := ask(t, patient, e).Fault()
	require.Equal(t, wire.ReturnCode_RETURN_CODE_BACKOFF, f.Code)
	require.ErrorContains(t, f, e.Address)

	eager := newClient(t, client.Options{Backoff: -1})
	for range 3 {
		require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAVAILABLE, ask(t, eager, e).Fault().Code)
	}
}

func TestADeadEndpointComesBack(t *testing.T) {
	key, address := newKey(t), deadAddress(t)
	e := client.Endpoint{Address: address, Hotkey: key.Public()}
	c := newClient(t, client.Options{Backoff: time.Nanosecond})
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAVAILABLE, ask(t, c, e).Fault().Code)
	serveAt(t, address, key, answer)
	require.Nil(t, ask(t, c, e).Fault())
}

func TestWrongHotkey(t *testing.T) {
	s := serve(t, answer)
	e := s.endpoint()
	e.Hotkey = newKey(t).Public()
	f := ask(t, newClient(t, client.Options{}), e).Fault()
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED, f.Code)
	require.ErrorContains(t, f, "Signature mismatch")
	require.Zero(t, s.calls())
}

func TestBadEndpoints(t *testing.T) {
	c := newClient(t, client.Options{})
	hotkey := newKey(t).Public()
	for _, e := range []client.Endpoint{
		{}, {Address: "127.0.0.1:8091"}, {Hotkey: hotkey}, {Address: "127.0.0.1", Hotkey: hotkey}, {Address: ":8091", Hotkey: hotkey},
		{Address: "127.0.0.1:0", Hotkey: hotkey}, {Address: "127.0.0.1:65536", Hotkey: hotkey}, {Address: "127.0.0.1:http", Hotkey: hotkey},
	} {
		require.ErrorIs(t, e.Validate(), client.ErrEndpoint)
		require.Equal(t, wire.ReturnCode_RETURN_CODE_BAD_ENDPOINT, ask(t, c, e).Fault().Code, "%+v", e)
	}
}

func TestQuestionsThatAreNotSent(t *testing.T) {
	s := serve(t, answer)
	c := newClient(t, client.Options{MaxReply: 1 << 20})
	score := &synapse.TextCrossEntropy{}
	for _, q := range []struct {
		batch    synapse.Batch
		synapses []synapse.Synapse
		code     wire.ReturnCode
		words    string
	}{
		{synapse.Batch{}, []synapse.Synapse{score}, wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST, "Empty Request"},
		{synapse.Batch{Texts: 2, Length: 2, Tokens: []int32{1, 2, 3}}, []synapse.Synapse{score}, wire.ReturnCode_RETURN_CODE_REQUEST_SERIALIZATION_EXCEPTION, "[2, 2]"},
		{text(make([]int32, 4096)...), []synapse.Synapse{&synapse.TextCausalLM{TopK: 4096}}, wire.ReturnCode_RETURN_CODE_INVALID_REQUEST, "exceeds the limit 1048576"},
	} {
		f := c.Forward(t.Context(), s.endpoint(), q.batch, q.synapses...).Fault()
		require.Equal(t, q.code, f.Code)
		require.ErrorContains(t, f, q.words)
	}
	require.Empty(t, c.Forward(t.Context(), s.endpoint(), text(1)).Results)
	require.Zero(t, s.calls())
}

// spoiled is the right answer, changed.
func spoiled(change func(m *wire.TensorMessage)) script {
	return func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
		m, err := answer(ctx, m)
		if err == nil {
			change(m)
		}
		return m, err
	}
}

func TestSpoiledReplies(t *testing.T) {
	c := newClient(t, client.Options{})
	for name, test := range map[string]struct {
		change func(m *wire.TensorMessage)
		code   wire.ReturnCode
		words  string
	}{
		"oversized": {func(m *wire.TensorMessage) { m.Tensors[0].Buffer = make([]byte, 3<<20) },
			wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, "received message larger than max"},
		"no synapse": {func(m *wire.TensorMessage) { m.Synapses, m.Tensors = nil, nil },
			wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, ""},
		"no tensor": {func(m *wire.TensorMessage) { m.Tensors = nil },
			wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, ""},
		"two synapses": {func(m *wire.TensorMessage) { m.Synapses = append(m.Synapses, m.Synapses[0]) },
			wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "2 synapses and 1 tensors"},
		"many tensors": {func(m *wire.TensorMessage) { m.Tensors = append(m.Tensors, make([]*wire.Tensor, 1000)...) },
			wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "1001 tensors"},
		"truncated": {func(m *wire.TensorMessage) { m.Tensors[0].Buffer = m.Tensors[0].Buffer[:20] },
			wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, c, serve(t, spoiled(test.change)).endpoint())
			require.Len(t, r.Results, 1)
			require.NotNil(t, r.Fault())
			require.Equal(t, test.code, r.Fault().Code, "%v", r.Fault())
			require.ErrorContains(t, r.Fault(), test.words)
		})
	}
}

func TestKeysWithoutASecretHalf(t *testing.T) {
	_, err := client.New(client.Options{Key: auth.PublicOnly(newKey(t).Public())})
	require.ErrorIs(t, err, client.ErrOptions)
}
