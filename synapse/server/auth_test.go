package server_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// call sends a question with the given headers.
func (p *peer) call(headers metadata.MD) error {
	p.t.Helper()
	ctx := metadata.NewOutgoingContext(p.t.Context(), headers)
	_, err := p.client.Forward(ctx, p.request(text(1, 2), score()))
	return err
}

func TestNobodyUnauthenticatedReachesTheModel(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	used := p.headers(auth.Forward)
	require.NoError(t, p.call(used))
	stale := p.headers(auth.Forward)
	require.NoError(t, p.call(p.headers(auth.Forward)))
	before := a.model.calls.Load()

	change := func(name string, f func(string) string) metadata.MD {
		h := p.headers(auth.Forward)
		h.Set(name, f(h.Get(name)[0]))
		return h
	}
	part := func(n int, f func(string) string) metadata.MD {
		return change(auth.HeaderSignature, func(v string) string {
			parts := strings.Split(v, ".")
			parts[n] = f(parts[n])
			return strings.Join(parts, ".")
		})
	}
	foreign := func() metadata.MD {
		other := dial(t, a.address, newKey(t).Public(), p.key)
		return other.headers(auth.Forward)
	}
	v1 := func() metadata.MD {
		h, err := p.signer.Headers(a.hotkey, auth.FormatV1, auth.Forward)
		require.NoError(t, err)
		return metadata.New(h)
	}
	without := func(name string) metadata.MD {
		h := p.headers(auth.Forward)
		h.Delete(name)
		return h
	}
	for _, c := range []struct {
		name    string
		headers metadata.MD
		message string
	}{
		{"replayed", used, "Nonce is too small"},
		{"stale", stale, "Nonce is too small"},
		{"another nonce", part(0, func(s string) string { return "9" + s }), "Signature mismatch"},
		{"another sender", part(1, func(string) string { return newKey(t).String() }), "Signature mismatch"},
		{"another signature", part(2, flip), "Signature mismatch"},
		{"another receptor", part(3, func(s string) string { return "0" + s[1:] + "x" }), "Signature mismatch"},
		{"for another server", foreign(), "Signature mismatch"},
		{"format 1", v1(), "format 1"},
		{"no format", change(auth.HeaderSignature, func(string) string { return "let me in" }), "Unknown signature format"},
		{"missing signature", without(auth.HeaderSignature), "Request signature missing"},
		{"missing version", without(auth.HeaderVersion), "Incorrect Version"},
		{"old version", change(auth.HeaderVersion, func(string) string { return "369" }), "Incorrect Version"},
		{"no version", change(auth.HeaderVersion, func(string) string { return "three" }), "Incorrect Version"},
		{"nothing at all", nil, "Request signature missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireStatus(t, p.call(c.headers), codes.Unauthenticated, c.message)
		})
	}
	require.Equal(t, before, a.model.calls.Load())
	require.NoError(t, p.call(p.headers(auth.Forward)), "the same connection, in good standing again")
	require.NotContains(t, a.log.String(), "0x", "no signature is logged")
}

func flip(signature string) string {
	last := "0"
	if strings.HasSuffix(signature, "0") {
		last = "1"
	}
	return signature[:len(signature)-1] + last
}

func TestAdmission(t *testing.T) {
	hotkey := newKey(t)
	unwanted := newKey(t)
	a := start(t, func(o *server.Options) {
		o.Hotkey = hotkey.Public()
		o.Checker = newChecker(t, hotkey.Public(), func(c auth.Caller) error {
			if c.Hotkey == unwanted.Public() {
				return fmt.Errorf("stake 3 is below 10")
			}
			return nil
		})
	})
	a.hotkey = hotkey.Public()
	requireStatus(t, a.peerOf(t, unwanted).tryScore(), codes.Unauthenticated, "stake 3 is below 10")
	require.NoError(t, a.peer(t).tryScore())
	require.EqualValues(t, 1, a.model.calls.Load())
}

func (p *peer) tryScore() error {
	_, err := p.send(p.request(text(1, 2), score()))
	return err
}

// A fault of the server's own says nothing about itself.
func TestFaultOfTheCheckerIsInternal(t *testing.T) {
	hotkey := newKey(t).Public()
	nonces, err := auth.NewNonces(auth.Limits{})
	require.NoError(t, err)
	checker, err := auth.NewChecker(auth.Options{Receiver: hotkey, Nonces: nonces})
	require.NoError(t, err)
	a := start(t, func(o *server.Options) { o.Hotkey, o.Checker = hotkey, checker })
	a.hotkey = hotkey
	require.NoError(t, nonces.Close())
	err = a.peer(t).tryScore()
	requireStatus(t, err, codes.Internal, "fault of the server")
	require.NotContains(t, err.Error(), "nonces")
	require.Zero(t, a.model.calls.Load())
}

// What strangers send is neither decoded nor, beyond a window, received.
func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	var received atomic.Int64
	a := start(t)
	p := a.peer(t)
	l := countReceived(t, a, &received)
	stranger := dial(t, l, a.hotkey, newKey(t))
	body := p.request(text(1, 2), score())
	body.Message = strings.Repeat("x", 3<<20)

	before := decoded.Load()
	for range 4 {
		_, err := stranger.client.Forward(t.Context(), body)
		requireStatus(t, err, codes.Unauthenticated)
	}
	require.Equal(t, before, decoded.Load())
	require.Less(t, received.Load(), int64(4<<20), "of 12 MiB")

	_, err := stranger.client.Forward(stranger.signed(t.Context()), body)
	require.NoError(t, err)
	require.Greater(t, decoded.Load(), before+3<<20, "what is counted is what is decoded")
}

// countReceived has the server listen at a second address, whose bytes are counted.
func countReceived(t *testing.T, a *axon, n *atomic.Int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = a.Serve(countingListener{l, n}) }()
	return l.Addr().String()
}

type countingListener struct {
	net.Listener
	n *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countingConn{c, l.n}, err
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// A thousand forged signatures at once do not keep out a caller in good standing.
func TestForgedSignaturesAreCheckedFewAtATime(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Checks = 1 })
	known := a.peer(t)
	require.NoError(t, known.tryScore())
	var done atomic.Int64
	for range 4 {
		forger := a.peer(t)
		for range 50 {
			h := forger.headers(auth.Forward)
			h.Set(auth.HeaderSignature, flip2(h.Get(auth.HeaderSignature)[0]))
			go func() {
				defer done.Add(1)
				ctx := metadata.NewOutgoingContext(t.Context(), h)
				_, _ = forger.client.Forward(ctx, new(wire.TensorMessage), grpc.WaitForReady(true))
			}()
		}
	}
	for range 20 {
		require.NoError(t, known.tryScore())
	}
	until(t, func() bool { return done.Load() == 200 })
	require.EqualValues(t, 21, a.model.calls.Load())
	_, metrics := a.get("/metrics")
	require.Regexp(t, `axon_refusals_total\{.*reason="mismatch".*\} 200\n`, metrics)
}

// flip2 changes the signature in a header's value.
func flip2(value string) string {
	parts := strings.Split(value, ".")
	parts[2] = flip(parts[2])
	return strings.Join(parts, ".")
}

func TestOptionsAreCheckedTogether(t *testing.T) {
	_, err := server.New(server.Options{Queue: -1, Tokens: -2})
	require.ErrorIs(t, err, server.ErrOptions)
	for _, word := range []string{"hotkey", "checker", "model", "Queue of -1", "Tokens of -2"} {
		require.ErrorContains(t, err, word)
	}
	require.False(t, errors.Is(err, server.ErrForced))
}
