package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// axon is a server under test.
type axon struct {
	*server.Server
	address string
	hotkey  auth.PublicKey
	model   *model
	log     *buffer
}

// start serves on loopback until the test is over. change, where it is given, sets what
// is to be otherwise than by default.
func start(t testing.TB, change ...func(*server.Options)) *axon {
	t.Helper()
	a := &axon{hotkey: newKey(t).Public(), model: new(model), log: new(buffer)}
	o := server.Options{Hotkey: a.hotkey, Model: a.model, Logger: slog.New(slog.NewTextHandler(a.log, nil))}
	for _, f := range change {
		f(&o)
	}
	if o.Checker == nil {
		o.Checker = newChecker(t, a.hotkey, nil)
	}
	var err error
	a.Server, err = server.New(o)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	a.address = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- a.Serve(l) }()
	require.Eventually(t, a.Ready, time.Minute, time.Millisecond)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what is left is cut off
		_ = a.Shutdown(ctx)
		require.NoError(t, <-done)
	})
	return a
}

func newChecker(t testing.TB, hotkey auth.PublicKey, admit func(auth.Caller) error) *auth.Checker {
	t.Helper()
	nonces, err := auth.NewNonces(auth.Limits{})
	require.NoError(t, err)
	checker, err := auth.NewChecker(auth.Options{Receiver: hotkey, Nonces: nonces, Admit: admit})
	require.NoError(t, err)
	return checker
}

func newKey(t testing.TB) *auth.Key {
	t.Helper()
	key, err := auth.NewKey()
	require.NoError(t, err)
	return key
}

// peer is a client of its own making: grpc and a signer.
type peer struct {
	t        testing.TB
	key      *auth.Key
	signer   *auth.Signer
	conn     *grpc.ClientConn
	client   wire.BittensorClient
	receiver auth.PublicKey
}

func (a *axon) peer(t testing.TB) *peer {
	t.Helper()
	return a.peerOf(t, newKey(t))
}

func (a *axon) peerOf(t testing.TB, key *auth.Key) *peer {
	t.Helper()
	return dial(t, a.address, a.hotkey, key)
}

func dial(t testing.TB, address string, receiver auth.PublicKey, key *auth.Key) *peer {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	signer, err := auth.NewSigner(key)
	require.NoError(t, err)
	return &peer{t, key, signer, conn, wire.NewBittensorClient(conn), receiver}
}

// headers are those of the next call.
func (p *peer) headers(r auth.Request) metadata.MD {
	h, err := p.signer.Headers(p.receiver, auth.FormatV2, r)
	require.NoError(p.t, err)
	return metadata.New(h)
}

// signed is a context with the headers of the next call.
func (p *peer) signed(ctx context.Context) context.Context {
	return metadata.NewOutgoingContext(ctx, p.headers(auth.Forward))
}

// send makes a signed call.
func (p *peer) send(m *wire.TensorMessage) (*wire.TensorMessage, error) {
	return p.client.Forward(p.signed(p.t.Context()), m)
}

// ask asks and expects an answer, of whatever code.
func (p *peer) ask(b synapse.Batch, questions ...synapse.Synapse) *wire.TensorMessage {
	p.t.Helper()
	reply, err := p.send(p.request(b, questions...))
	require.NoError(p.t, err)
	return reply
}

func (p *peer) request(b synapse.Batch, questions ...synapse.Synapse) *wire.TensorMessage {
	p.t.Helper()
	m, err := synapse.NewForward(p.key.String(), b, questions...)
	require.NoError(p.t, err)
	return m
}

// score asks how likely the tokens of one text are: the smallest question.
func (p *peer) score(tokens ...int32) *wire.TensorMessage {
	p.t.Helper()
	return p.ask(text(tokens...), score())
}

func score() synapse.Synapse { return &synapse.TextCrossEntropy{} }

func text(tokens ...int32) synapse.Batch {
	return synapse.Batch{Texts: 1, Length: len(tokens), Tokens: tokens}
}

// texts is a batch of texts with one token more each than their number.
func texts(n, length int) synapse.Batch {
	b := synapse.Batch{Texts: n, Length: length}
	for i := range n {
		for j := range length {
			b.Tokens = append(b.Tokens, int32(100*i+j))
		}
	}
	return b
}

func requireCodes(t testing.TB, m *wire.TensorMessage, want ...wire.ReturnCode) {
	t.Helper()
	var got []wire.ReturnCode
	for _, s := range m.GetSynapses() {
		got = append(got, s.GetReturnCode())
	}
	require.Equal(t, want, got, "%v", m.GetSynapses())
}

func requireStatus(t testing.TB, err error, code codes.Code, words ...string) {
	t.Helper()
	require.Equal(t, code.String(), status.Code(err).String(), "%v", err)
	for _, w := range words {
		require.Contains(t, status.Convert(err).Message(), w)
	}
}

// until waits for what must become true.
func until(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, time.Millisecond)
}

// get asks the HTTP side.
func (a *axon) get(path string) (code int, body string) {
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
