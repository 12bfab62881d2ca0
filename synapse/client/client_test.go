package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"math"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/wire"
)

func TestForward(t *testing.T) {
	s := serve(t, answer)
	key := newKey(t)
	c := newClient(t, client.Options{Key: key})
	e := s.endpoint()
	e.UID = 7
	r := c.Forward(t.Context(), e, synapse.Batch{Texts: 2, Length: 3, Tokens: []int32{1, 2, 3, 4, 5, 6}}, &synapse.TextCrossEntropy{})
	require.Nil(t, r.Fault())
	require.Equal(t, e, r.Endpoint)
	require.Equal(t, []float32{-1, -2, -1, -2}, r.Results[0].Answer.Tensor().Float32s())
	require.Positive(t, r.Duration)
	require.Positive(t, r.BytesOut)
	require.Positive(t, r.BytesIn)

	require.Len(t, s.callers, 1)
	require.Equal(t, key.Public(), s.callers[0].Hotkey, "signed by the client's key")
	require.Equal(t, auth.FormatV2, s.callers[0].Format)
}

// A server that stops answers what it has taken and takes nothing else. That others cannot
// reach it any more is no reason to hang up on those that wait for its answer.
func TestAnswersOfAServerThatStopsArrive(t *testing.T) {
	taken, finish := make(chan struct{}), make(chan struct{})
	take := sync.OnceFunc(func() { close(taken) })
	s := serve(t, func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
		take()
		<-finish
		return answer(ctx, m)
	})
	c := newClient(t, client.Options{Backoff: -1, InFlight: 4})
	waiting := make(chan client.Reply, 1)
	go func() {
		waiting <- c.Forward(context.Background(), s.endpoint(), text(1, 2, 3), &synapse.TextCrossEntropy{})
	}()
	<-taken
	stopped := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(stopped)
	}()
	// Until the client has heard of it, the server takes its calls, which then wait as the first.
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r := c.Forward(ctx, s.endpoint(), text(1, 2, 3), &synapse.TextCrossEntropy{})
		return r.Fault().Code == wire.ReturnCode_RETURN_CODE_UNAVAILABLE
	}, 10*time.Second, time.Millisecond, "the server takes no more calls")
	for range 5 {
		require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAVAILABLE, ask(t, c, s.endpoint()).Fault().Code)
	}
	close(finish)
	require.Nil(t, (<-waiting).Fault())
	<-stopped
}

func TestSeveralSynapsesInOneCall(t *testing.T) {
	s := serve(t, answer)
	c := newClient(t, client.Options{})
	next := synapse.TextCausalLMNext{TopK: 1}
	r := c.Forward(t.Context(), s.endpoint(), text(11, 12), &synapse.TextCrossEntropy{}, &next)
	require.Nil(t, r.Fault())
	require.Len(t, r.Results, 2)
	require.Equal(t, []float32{-1}, r.Results[0].Answer.Tensor().Float32s())
	require.Equal(t, []int32{11}, r.Results[1].Answer.(*synapse.NextPhrases).Texts[0].List[0].Tokens)
	require.Equal(t, 1, s.calls())
}

func TestOldEndpointsGetOldSignatures(t *testing.T) {
	s := serve(t, answer)
	c := newClient(t, client.Options{})
	for version, format := range map[int]auth.Format{0: auth.FormatV2, 350: auth.FormatV1, 360: auth.FormatV2, 370: auth.FormatV2} {
		e := s.endpoint()
		e.Version = version
		require.Nil(t, ask(t, c, e).Fault())
		require.Equal(t, format, s.callers[len(s.callers)-1].Format, "version %d", version)
	}
}

// A server refuses nonces that do not grow: that all these are answered shows that
// requests with one receptor id never overtake each other.
func TestOneConnectionServesManyRequests(t *testing.T) {
	s := serve(t, answer)
	c := newClient(t, client.Options{InFlight: 4})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				if f := ask(t, c, s.endpoint()).Fault(); f != nil {
					t.Errorf("%v", f)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, s.connections)
	require.Equal(t, 200, s.calls())
	require.LessOrEqual(t, len(s.receptors()), 4)
}

func TestOneRequestAfterTheOtherNeedsOneReceptor(t *testing.T) {
	s := serve(t, answer)
	c := newClient(t, client.Options{})
	for range 5 {
		require.Nil(t, ask(t, c, s.endpoint()).Fault())
	}
	require.Len(t, s.receptors(), 1)
}

// A server that has seen many clients of the same key has forgotten the one that was idle.
func TestForgottenByTheServer(t *testing.T) {
	s, key := serve(t, answer), newKey(t)
	idle := newClient(t, client.Options{Key: key})
	require.Nil(t, ask(t, idle, s.endpoint()).Fault())
	for range maxReceptors {
		require.Nil(t, ask(t, newClient(t, client.Options{Key: key}), s.endpoint()).Fault())
	}
	f := ask(t, idle, s.endpoint()).Fault()
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED, f.Code)
	require.ErrorContains(t, f, "Nonce is too small")
	require.Nil(t, ask(t, idle, s.endpoint()).Fault(), "with a receptor id that is new")
}

// gate lets calls through when n of them have come.
func gate(n int) script {
	var came atomic.Int64
	open := make(chan struct{})
	return func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
		if came.Add(1) == int64(n) {
			close(open)
		}
		select {
		case <-open:
			return answer(ctx, m)
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

func TestRequestsToOneEndpointAreBounded(t *testing.T) {
	s := serve(t, gate(3))
	c := newClient(t, client.Options{InFlight: 3})
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() { _ = ask(t, c, s.endpoint()) })
	}
	group.Wait()
	require.Equal(t, 12, s.calls())
	require.Equal(t, 3, s.peak)
	require.Len(t, s.receptors(), 3)
}

func TestForwardAll(t *testing.T) {
	a, b := serve(t, gate(2)), serve(t, gate(2))
	c := newClient(t, client.Options{Concurrency: 4})
	var endpoints []client.Endpoint
	for uid := range 30 {
		e := []*scripted{a, b}[uid%2].endpoint()
		e.UID = uid
		endpoints = append(endpoints, e)
	}
	seen := make(map[int]bool)
	for i, r := range c.ForwardAll(t.Context(), endpoints, text(1, 2, 3), &synapse.TextCrossEntropy{}) {
		require.Nil(t, r.Fault())
		require.Equal(t, i, r.Endpoint.UID)
		require.False(t, seen[i])
		seen[i] = true
	}
	require.Len(t, seen, 30)
	require.Equal(t, 30, a.calls()+b.calls())
	require.LessOrEqual(t, a.peak, 4)
	require.LessOrEqual(t, b.peak, 4)
}

func TestFanOutIsBounded(t *testing.T) {
	s := serve(t, gate(3))
	c := newClient(t, client.Options{Concurrency: 3, InFlight: 100})
	endpoints := make([]client.Endpoint, 20)
	for i := range endpoints {
		endpoints[i] = s.endpoint()
	}
	for _, r := range c.ForwardAll(t.Context(), endpoints, text(1, 2, 3), &synapse.TextCrossEntropy{}) {
		require.Nil(t, r.Fault())
	}
	require.Equal(t, 3, s.peak)
}

func TestWhoeverStopsTakingCancelsTheRest(t *testing.T) {
	quick, slow := serve(t, answer), serve(t, blocked)
	c := newClient(t, client.Options{Timeout: time.Hour})
	endpoints := []client.Endpoint{slow.endpoint(), quick.endpoint(), slow.endpoint()}
	for i, r := range c.ForwardAll(t.Context(), endpoints, text(1, 2, 3), &synapse.TextCrossEntropy{}) {
		require.Equal(t, 1, i)
		require.Nil(t, r.Fault())
		break
	}
}

// Ten callers wait for an endpoint that does not answer: another one is asked all the same.
func TestASlowEndpointIsInNobodysWay(t *testing.T) {
	slow, quick := serve(t, blocked), serve(t, answer)
	c := newClient(t, client.Options{Concurrency: 2, InFlight: 1, Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { _ = c.Forward(ctx, slow.endpoint(), text(1, 2), &synapse.TextCrossEntropy{}) })
	}
	require.Eventually(t, func() bool { return slow.calls() == 1 }, time.Minute, time.Millisecond)
	require.Nil(t, ask(t, c, quick.endpoint()).Fault())
	cancel()
	group.Wait()
	require.Equal(t, 1, slow.calls())
}

func TestNobodyToAsk(t *testing.T) {
	c := newClient(t, client.Options{})
	for range c.ForwardAll(t.Context(), nil, text(1), &synapse.TextCrossEntropy{}) {
		t.Fatal("a reply of nobody")
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	a, b := serve(t, answer), serve(t, answer)
	c := newClient(t, client.Options{Connections: 1})
	for _, s := range []*scripted{a, a, b, b, a} {
		require.Nil(t, ask(t, c, s.endpoint()).Fault())
	}
	require.Equal(t, 2, a.connections, "let go for b, and made again")
	require.Equal(t, 1, b.connections)
}

func TestCloseWaits(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
		close(entered)
		<-leave
		return answer(ctx, m)
	})
	c, err := client.New(client.Options{Key: newKey(t)})
	require.NoError(t, err)
	var answered atomic.Bool
	go func() { answered.Store(ask(t, c, s.endpoint()).Fault() == nil) }()
	<-entered
	go close(leave)
	require.NoError(t, c.Close())
	require.Eventually(t, answered.Load, 10*time.Second, time.Millisecond)

	r := ask(t, c, s.endpoint())
	require.ErrorContains(t, r.Fault(), "closed")
	require.NoError(t, c.Close(), "again")
	require.Equal(t, 1, s.calls())
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate, which is for 127.0.0.1
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	s := serve(t, answer, transport(web.TLS.Certificates[0]))
	trusting := newClient(t, client.Options{TLS: &tls.Config{RootCAs: roots}})
	require.Nil(t, ask(t, trusting, s.endpoint()).Fault())
	for _, tlsConfig := range []*tls.Config{nil, {}} {
		c := newClient(t, client.Options{TLS: tlsConfig})
		require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAVAILABLE, ask(t, c, s.endpoint()).Fault().Code)
	}
}

func TestOptions(t *testing.T) {
	key := newKey(t)
	require.NoError(t, client.Options{Key: key}.Validate())
	err := client.Options{Timeout: -1, InFlight: -2}.Validate()
	require.ErrorIs(t, err, client.ErrOptions)
	for _, words := range []string{"no key", "time-out of -1", "in flight of -2"} {
		require.ErrorContains(t, err, words)
	}
	_, err = client.New(client.Options{Key: auth.PublicOnly(key.Public())})
	require.ErrorIs(t, err, auth.ErrNoSecret)
}

func TestStatusesBecomeReturnCodes(t *testing.T) {
	c := newClient(t, client.Options{Backoff: -1})
	for code, want := range map[codes.Code]wire.ReturnCode{
		codes.Unavailable:       wire.ReturnCode_RETURN_CODE_UNAVAILABLE,
		codes.DeadlineExceeded:  wire.ReturnCode_RETURN_CODE_TIMEOUT,
		codes.Unauthenticated:   wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED,
		codes.Internal:          wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION,
		codes.Unimplemented:     wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION,
		codes.ResourceExhausted: wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION,
	} {
		s := serve(t, func(context.Context, *wire.TensorMessage) (*wire.TensorMessage, error) {
			return nil, status.Error(code, "words\x1b[2J of the server")
		})
		f := ask(t, c, s.endpoint()).Fault()
		require.Equal(t, want, f.Code, "%v", code)
		words := "words [2J of the server"
		if want == wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION {
			words = code.String() + ": " + words
		}
		require.Equal(t, words, f.Message)
	}
}

func TestEveryTaskHasATimeout(t *testing.T) {
	for _, task := range synapse.Tasks() {
		require.Positive(t, task.Timeout, task.Name)
		require.Less(t, task.Timeout, time.Duration(math.MaxInt64))
	}
}
