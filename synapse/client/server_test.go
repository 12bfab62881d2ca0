package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/wire"
)

// script is what a test's server does with a message that a known caller sent.
type script func(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error)

// scripted is a server on a real socket that checks signatures and follows a script.
type scripted struct {
	wire.UnimplementedBittensorServer
	t       *testing.T
	key     *auth.Key
	checker *auth.Checker
	script  script
	address string
	grpc    *grpc.Server

	mu          sync.Mutex
	connections int
	inFlight    int
	peak        int // most calls at once
	callers     []auth.Caller
}

// maxReceptors is how many receptor ids of a sender a test's server remembers.
const maxReceptors = 16

// serve starts a server that is gone when the test is over. A hotkey is made for it.
func serve(t *testing.T, s script, options ...grpc.ServerOption) *scripted {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", newKey(t), s, options...)
}

func serveAt(t *testing.T, address string, key *auth.Key, s script, options ...grpc.ServerOption) *scripted {
	t.Helper()
	nonces, err := auth.NewNonces(auth.Limits{Connections: maxReceptors})
	require.NoError(t, err)
	checker, err := auth.NewChecker(auth.Options{Receiver: key.Public(), Nonces: nonces, AllowV1: true})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	server := &scripted{t: t, key: key, checker: checker, script: s, address: listener.Addr().String()}
	g := grpc.NewServer(append(options, grpc.StatsHandler(server))...)
	server.grpc = g
	wire.RegisterBittensorServer(g, server)
	done := make(chan error, 1)
	go func() { done <- g.Serve(listener) }()
	t.Cleanup(func() {
		g.Stop()
		if err := <-done; !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
			require.NoError(t, err)
		}
	})
	return server
}

// Forward lets in whoever has signed.
func (s *scripted) Forward(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	caller, err := s.checker.Check(auth.MethodForward, headers)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	s.mu.Lock()
	s.callers = append(s.callers, caller)
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
	}()
	return s.script(ctx, m)
}

func (s *scripted) endpoint() client.Endpoint {
	return client.Endpoint{Address: s.address, Hotkey: s.key.Public()}
}

// receptors are the connections' ids that callers named.
func (s *scripted) receptors() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, c := range s.callers {
		if !slices.Contains(ids, c.Receptor) {
			ids = append(ids, c.Receptor)
		}
	}
	return ids
}

func (s *scripted) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.callers)
}

// The server counts connections as gRPC tells of them.
func (s *scripted) HandleConn(_ context.Context, e stats.ConnStats) {
	if _, ok := e.(*stats.ConnBegin); ok {
		s.mu.Lock()
		s.connections++
		s.mu.Unlock()
	}
}
func (*scripted) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*scripted) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*scripted) HandleRPC(context.Context, stats.RPCStats)                         {}

// limits are more than any test asks for.
var limits = synapse.Limits{Texts: 64, Length: 4096, TopK: 50257, Answer: 1 << 30, Generate: 4096, Beams: 64, MaxTime: time.Minute}

// answer is a script that meets every need: the token at position p has the
// log-probability −p, and generated texts are the prompts.
func answer(_ context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
	r := synapse.ParseForward(m, limits)
	for _, item := range r.Items {
		if item.Fault != nil {
			continue
		}
		needs, finish := item.Synapse.Answer(item.Batch)
		for i, need := range needs {
			if err := meet(need, item.Batch.Text(i)); err != nil {
				return nil, err
			}
		}
		var err error
		if item.Answer, err = finish(); err != nil {
			return nil, err
		}
	}
	return r.Reply("the server"), nil
}

func meet(need synapse.Need, text []int32) error {
	if need.LogProb != nil {
		for pos := 1; pos < len(text); pos++ {
			need.LogProb(pos, -float32(pos))
		}
	}
	if need.Next != nil {
		return need.Next(synapse.Phrases{List: []synapse.Phrase{{Prob: 0.5, Tokens: text[:1]}}, Floor: 1e-6})
	}
	return nil
}

// blocked is a script that waits for the call to be given up.
func blocked(ctx context.Context, _ *wire.TensorMessage) (*wire.TensorMessage, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

func newKey(t *testing.T) *auth.Key {
	t.Helper()
	key, err := auth.NewKey()
	require.NoError(t, err)
	return key
}

// newClient makes a client that is closed when the test is over.
func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	if o.Key == nil {
		o.Key = newKey(t)
	}
	c, err := client.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); left != "" {
		fmt.Fprintln(os.Stderr, "goroutines outlive the tests:\n"+left)
		code = max(code, 1)
	}
	os.Exit(code)
}

// leaked gives the stacks of goroutines that work for a client or a server, after they
// had time to end.
func leaked() string {
	var left []string
	for range 100 {
		left = left[:0]
		stacks := make([]byte, 1<<20)
		for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(g, "axon/synapse/client.") || strings.Contains(g, "google.golang.org/grpc") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	return strings.Join(left, "\n\n")
}

// ask asks how likely the tokens of one text are.
func ask(t *testing.T, c *client.Client, e client.Endpoint) client.Reply {
	t.Helper()
	return c.Forward(t.Context(), e, text(1, 2, 3), &synapse.TextCrossEntropy{})
}

func text(tokens ...int32) synapse.Batch {
	return synapse.Batch{Texts: 1, Length: len(tokens), Tokens: tokens}
}

func transport(certificate tls.Certificate) grpc.ServerOption {
	return grpc.Creds(credentials.NewServerTLSFromCert(&certificate))
}
