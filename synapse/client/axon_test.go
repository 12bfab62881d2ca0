package client_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// scorer is a model that knows one thing: the token at position p has the log-probability −p.
type scorer struct{}

func (scorer) Answer(_ context.Context, tokens []int32, needs []synapse.Need) error {
	for _, need := range needs {
		if err := meet(need, tokens); err != nil {
			return err
		}
	}
	return nil
}

// startAxon runs a server of package server until the test is over.
func startAxon(t *testing.T, change func(*server.Options)) client.Endpoint {
	t.Helper()
	hotkey := newKey(t).Public()
	nonces, err := auth.NewNonces(auth.Limits{})
	require.NoError(t, err)
	checker, err := auth.NewChecker(auth.Options{Receiver: hotkey, Nonces: nonces})
	require.NoError(t, err)
	o := server.Options{Hotkey: hotkey, Checker: checker, Model: scorer{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	change(&o)
	s, err := server.New(o)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	require.Eventually(t, s.Ready, time.Minute, time.Millisecond)
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown(context.Background()))
		require.NoError(t, <-done)
	})
	return client.Endpoint{Address: l.Addr().String(), Hotkey: hotkey}
}

func TestTheServerOfThisRepository(t *testing.T) {
	e := startAxon(t, func(o *server.Options) { o.Limits.TopK = 8 })
	c := newClient(t, client.Options{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 25 {
				r := c.Forward(t.Context(), e, text(5, 6, 7), &synapse.TextCrossEntropy{}, &synapse.TextCausalLMNext{TopK: 1})
				if f := r.Fault(); f != nil {
					t.Errorf("%v", f)
				}
			}
		})
	}
	group.Wait()

	r := c.Forward(t.Context(), e, text(5, 6, 7), &synapse.TextCrossEntropy{}, &synapse.TextCausalLMNext{TopK: 9})
	require.Equal(t, []float32{-1, -2}, r.Results[0].Answer.Tensor().Float32s(), "one is answered")
	require.Equal(t, wire.ReturnCode_RETURN_CODE_INVALID_REQUEST, r.Results[1].Fault.Code, "the other is not")
	require.ErrorContains(t, r.Results[1].Fault, "9 entries a position exceed the limit 8")

	e.Version = 350
	require.ErrorContains(t, ask(t, c, e).Fault(), "signatures of format 1 are switched off")
}

func TestARequestThatIsTooLarge(t *testing.T) {
	e := startAxon(t, func(o *server.Options) { o.Message = 1 << 10 })
	c := newClient(t, client.Options{})
	r := c.Forward(t.Context(), e, text(make([]int32, 4096)...), &synapse.TextCrossEntropy{})
	require.NotNil(t, r.Fault())
	require.ErrorContains(t, r.Fault(), "1024", "the limit")
	require.Nil(t, ask(t, c, e).Fault(), "a refusal is no reason to leave it alone")
}
