package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// Server is a server on loopback whose answers an attack has before they leave.
type Server struct {
	wire.UnimplementedBittensorServer
	model   server.Model
	lie     Lie
	key     *auth.Key
	checker *auth.Checker
	address string
	grpc    *grpc.Server
	served  chan error
}

// Serve starts the server of an attack that needs one of its own, around a model.
func Serve(m server.Model, a Attack, means Means) (*Server, error) {
	s := &Server{model: a.Wrap(m, means), lie: func(*synapse.Item) {}, grpc: grpc.NewServer(), served: make(chan error, 1)}
	if a.lie != nil {
		s.lie = a.lie(means)
	}
	var err error
	if s.key, err = auth.NewKey(); err != nil {
		return nil, err
	}
	nonces, err := auth.NewNonces(auth.Limits{})
	if err != nil {
		return nil, err
	}
	if s.checker, err = auth.NewChecker(auth.Options{Receiver: s.key.Public(), Nonces: nonces}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve %s: %w", a.Name, err)
	}
	s.address = listener.Addr().String()
	wire.RegisterBittensorServer(s.grpc, s)
	go func() { s.served <- s.grpc.Serve(listener) }()
	return s, nil
}

// Endpoint is where the server is asked.
func (s *Server) Endpoint(uid int) client.Endpoint {
	return client.Endpoint{UID: uid, Address: s.address, Hotkey: s.key.Public()}
}

// Close cuts calls off and ends the server.
func (s *Server) Close() error {
	s.grpc.Stop()
	if err := <-s.served; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
		return err
	}
	return nil
}

// Forward implements wire.BittensorServer.
func (s *Server) Forward(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	if _, err := s.checker.Check(auth.MethodForward, headers); err != nil {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	r := synapse.ParseForward(m, server.DefaultLimits())
	for _, item := range r.Items {
		if item.Fault != nil {
			continue
		}
		if err := s.answer(ctx, item); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		s.lie(item)
	}
	return r.Reply(s.key.Public().Address()), nil
}

// answer does honestly what is asked.
func (s *Server) answer(ctx context.Context, item *synapse.Item) error {
	needs, finish := item.Synapse.Answer(item.Batch)
	faults := make([]error, len(needs))
	var texts sync.WaitGroup
	for i := range needs {
		texts.Go(func() { faults[i] = s.model.Answer(ctx, item.Batch.Text(i), needs[i:i+1]) })
	}
	texts.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	var err error
	item.Answer, err = finish()
	return err
}
