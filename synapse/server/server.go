package server

import (
	"context"
	"errors"
	"math"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // peers of the reference can ask for it
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"axon/synapse/wire"
)

const (
	headerLimit = 8 << 10 // bytes of headers; an honest call has less than 1 KiB
	// window is what a peer may send of a body before anybody has decided to read it. It
	// is the least that grpc knows: strangers who wait for their check hold that much.
	window = 64 << 10
	// connWindow is what may be on its way to us, of all its calls; grpc hands it on at once.
	connWindow = 1 << 20
	// pingEvery and pingTimeout find peers that vanished without a word.
	pingEvery, pingTimeout = time.Minute, 20 * time.Second
)

// Server is an axon.
type Server struct {
	options  Options
	grpc     *grpc.Server
	codec    codec
	health   *health.Server
	door     *door
	checks   chan struct{} // held by checks for connections that have proven nobody
	requests chan struct{} // held by requests from their check to their end
	parsing  chan struct{} // held while a request is decoded
	queue    *queue
	shares   *shares
	metrics  *metrics
	log      *requestLog

	ready    atomic.Bool
	draining atomic.Bool     // Shutdown was called
	taking   context.Context // ends when no more calls are taken
	refuse   context.CancelFunc
	forced   context.Context // ends when calls are to be cut off
	force    context.CancelFunc
	stopped  chan struct{} // closed when all is over
	result   error         // of Shutdown
}

// New makes a server. It begins with [Server.Serve].
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Server{
		options:  o,
		codec:    newCodec(),
		health:   health.NewServer(),
		checks:   make(chan struct{}, o.Checks),
		requests: make(chan struct{}, o.Requests),
		parsing:  make(chan struct{}, runtime.GOMAXPROCS(0)),
		queue:    newQueue(load{o.Tokens, o.Answers}, o.Queue),
		shares:   newShares(o.Answers),
		log:      newRequestLog(o.Logger),
		stopped:  make(chan struct{}),
	}
	s.taking, s.refuse = context.WithCancel(context.Background())
	s.forced, s.force = context.WithCancel(context.Background())
	m, err := newMetrics(o, s.queue, func() int { return len(s.requests) }, func() int { return s.door.open() })
	if err != nil {
		return nil, err
	}
	s.metrics, s.door = m, newDoor(o, m.refusedConnections.Inc)
	s.grpc = grpc.NewServer(s.grpcOptions()...)
	s.grpc.RegisterService(s.service(), nil)
	grpc_health_v1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.setHealth(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	return s, nil
}

func (s *Server) grpcOptions() []grpc.ServerOption {
	o := s.options
	options := []grpc.ServerOption{
		grpc.InTapHandle(s.tap),
		grpc.ForceServerCodecV2(s.codec),
		grpc.MaxRecvMsgSize(o.Message),
		grpc.MaxConcurrentStreams(uint32(min(int64(o.Streams), math.MaxUint32))),
		grpc.MaxHeaderListSize(headerLimit),
		grpc.ConnectionTimeout(o.Handshake),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(connWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: o.Idle, Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: o.Ping, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if o.Credentials != nil {
		options = append(options, grpc.Creds(o.Credentials))
	}
	return options
}

// service describes the protocol's service as one of streams. On the wire there is no
// difference, but grpc reads and decodes the message of a unary call before it asks
// anybody whether its sender is welcome; a stream's handler runs on the headers alone.
func (s *Server) service() *grpc.ServiceDesc {
	method := func(name string, m *method) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, Handler: func(_ any, stream grpc.ServerStream) error { return s.handle(m, stream) }}
	}
	return &grpc.ServiceDesc{
		ServiceName: wire.Bittensor_ServiceDesc.ServiceName,
		Streams:     []grpc.StreamDesc{method("Forward", s.forward()), method("Backward", s.backward())},
		Metadata:    wire.Bittensor_ServiceDesc.Metadata,
	}
}

// Serve takes calls from the listener until [Server.Shutdown], and closes it. It may be
// called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	if !s.draining.Load() {
		s.ready.Store(true)
		s.setHealth(grpc_health_v1.HealthCheckResponse_SERVING)
		s.metrics.started(true)
	}
	err := s.grpc.Serve(listener{l, s.door})
	if s.draining.Load() && errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Ready reports whether calls are wanted: from the first Serve until Shutdown.
func (s *Server) Ready() bool { return s.ready.Load() }

// Shutdown ends the server: readiness goes first, and after Options.Drain no more calls
// are taken, all that were accepted are answered, and the connections are closed. When
// the context ends, or somebody calls Shutdown again meanwhile, calls are cut off and
// [ErrForced] comes back. When it returns, nothing uses the model any more.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.draining.Swap(true) {
		s.force()
		<-s.stopped
		return s.result
	}
	defer close(s.stopped)
	defer context.AfterFunc(ctx, s.force)()
	s.ready.Store(false)
	s.health.Shutdown() // all is NOT_SERVING from now on
	select {
	case <-time.After(s.options.Drain):
	case <-s.forced.Done():
	}
	s.refuse()
	defer context.AfterFunc(s.forced, s.grpc.Stop)()
	s.grpc.GracefulStop() // returns once Stop is done, too
	s.metrics.started(false)
	if s.forced.Err() != nil {
		s.result = ErrForced
	}
	return s.result
}

func (s *Server) setHealth(h grpc_health_v1.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", h)
	s.health.SetServingStatus(wire.Bittensor_ServiceDesc.ServiceName, h)
}
