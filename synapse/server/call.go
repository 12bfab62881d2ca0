package server

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/wire"
)

// mostParts is how many tensors, or synapses, of a request are looked at at all; each
// takes some hundred bytes.
const mostParts = 1024

// method is what differs between Forward and Backward.
type method struct {
	path    string
	metrics *methodMetrics
	parse   func(*wire.TensorMessage, synapse.Limits) *synapse.Request
	answer  func(context.Context, *call)
}

func (s *Server) forward() *method {
	return &method{auth.MethodForward, s.metrics.forward, synapse.ParseForward, s.answer}
}

// backward checks and refuses: a server that only answers has nothing to train.
func (s *Server) backward() *method {
	return &method{auth.MethodBackward, s.metrics.backward, synapse.ParseBackward, func(context.Context, *call) {}}
}

// call is one request on its way through the server, and what the log will say of it.
type call struct {
	method   *method
	id       string
	peer     string
	began    time.Time
	caller   auth.Caller
	proven   bool
	request  *synapse.Request
	reply    *wire.TensorMessage
	answered time.Duration // from its beginning to its answer, not yet sent
	held     room          // of the queue's, until the call ends
	share    int64         // of the caller's memory for answers, until the call ends
	received int           // bytes
	sent     int           // bytes
	waited   time.Duration // for room in the model, its texts' together
	worked   atomic.Int64  // nanoseconds in the model, its texts' together
	err      error         // a status, where there is no reply
}

// handle takes a call from its headers to its answer.
func (s *Server) handle(m *method, stream grpc.ServerStream) error {
	c := s.newCall(stream.Context(), m)
	defer s.conclude(c)
	c.err = s.take(stream, c)
	return c.err
}

// take is handle without the bookkeeping. A panic ends the call and nothing else.
func (s *Server) take(stream grpc.ServerStream, c *call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.recovered(p)
			err = errServer
		}
	}()
	if err := s.welcome(stream.Context(), c); err != nil {
		return err
	}
	select {
	case s.requests <- struct{}{}:
		defer func() { <-s.requests }()
	default:
		s.metrics.refuse("requests")
		return status.Errorf(codes.ResourceExhausted, "%d requests are at work, which is the limit; try again later", s.options.Requests)
	}
	body, err := s.receive(stream)
	if err != nil {
		return err
	}
	c.received = len(body)
	if err := s.parse(stream.Context(), c, body); err != nil {
		return err
	}
	defer func() {
		s.queue.leave(c.held)
		s.shares.giveBack(c.caller.Hotkey, c.share)
	}()
	c.method.answer(stream.Context(), c)
	c.reply = c.request.Reply(s.options.Hotkey.Address())
	c.answered = time.Since(c.began)
	return s.send(stream, c)
}

// welcome checks who calls, within the time that a request may take to arrive.
func (s *Server) welcome(ctx context.Context, c *call) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Receive)
	defer cancel()
	c.caller, err = s.authenticate(ctx, c.method.path)
	c.proven = err == nil
	return err
}

// receive reads the body, of a caller who is welcome. Whoever sends it too slowly loses
// the call: when a handler returns, grpc stops reading for it.
func (s *Server) receive(stream grpc.ServerStream) ([]byte, error) {
	in := new(incoming)
	done := make(chan error, 1)
	go func() { done <- stream.RecvMsg(in) }()
	late := time.NewTimer(s.options.Receive)
	defer late.Stop()
	select {
	case err := <-done:
		if err != nil {
			s.metrics.refuse("body")
			return nil, err
		}
		return in.body, nil
	case <-late.C:
		s.metrics.refuse("slow")
		return nil, status.Errorf(codes.DeadlineExceeded, "the request took longer to arrive than %v", s.options.Receive)
	}
}

// parse decodes a request. That can take twenty times the request's own memory for a
// moment: no more do so at once than there are processors.
func (s *Server) parse(ctx context.Context, c *call, body []byte) error {
	select {
	case s.parsing <- struct{}{}:
		defer func() { <-s.parsing }()
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	message := new(wire.TensorMessage)
	err := synapse.CheckParts(body, mostParts)
	if err == nil {
		err = s.codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(body)}, message)
	}
	if err != nil {
		s.metrics.refuse("body")
		return status.Errorf(codes.InvalidArgument, "the request cannot be read: %v", err)
	}
	c.request = c.method.parse(message, s.options.Limits)
	return nil
}

// send writes the answer, and returns when it has left. A peer that does not take it
// loses its connection: nothing less makes grpc forget it. Answers are never compressed,
// for which numbers are the wrong thing.
func (s *Server) send(stream grpc.ServerStream, c *call) error {
	ctx := stream.Context()
	if err := grpc.SetSendCompressor(ctx, encoding.Identity); err != nil {
		return err
	}
	out := newOutgoing(c.reply)
	if err := stream.SendMsg(out); err != nil {
		return err
	}
	c.sent = out.bytes
	late := time.NewTimer(s.options.Send)
	defer late.Stop()
	select {
	case <-out.gone:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-late.C:
		s.metrics.refuse("unread")
		_ = connOf(ctx).Close() // nobody is there to be told
		return status.Errorf(codes.DeadlineExceeded, "the answer was not fetched within %v", s.options.Send)
	}
}

// recovered counts and logs a panic, with where it came from.
func (s *Server) recovered(p any) {
	s.metrics.panics.Inc()
	s.options.Logger.Error("panic", slog.Any("value", p), slog.String("stack", string(debug.Stack())))
}
