package server

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"axon/synapse/auth"
)

// Checking a signature takes a few hundred microseconds, which strangers can make us
// spend. They can make us spend no more than Options.Checks processors: that many checks
// run at once for connections that have proven nobody yet, or failed last, and one at a
// time of each such connection. Connections in good standing do not wait for strangers.

// authenticate proves who calls, from the headers alone. The error is a status.
func (s *Server) authenticate(ctx context.Context, method string) (auth.Caller, error) {
	headers, _ := metadata.FromIncomingContext(ctx)
	c := connOf(ctx)
	if !c.proven.Load() {
		leave, err := s.waitForCheck(ctx, c)
		if err != nil {
			return auth.Caller{}, err
		}
		defer leave()
	}
	caller, err := s.options.Checker.Check(method, headers)
	c.proven.Store(err == nil)
	var refusal *auth.Refusal
	switch {
	case err == nil:
		return caller, nil
	case errors.As(err, &refusal):
		s.metrics.refuse(reasonOf(refusal))
		return auth.Caller{}, status.Error(codes.Unauthenticated, refusal.Message)
	}
	s.options.Logger.Error("callers cannot be checked", "error", err)
	return auth.Caller{}, errServer
}

// errServer is all that callers learn of the server's own faults.
var errServer = status.Error(codes.Internal, "fault of the server")

func (s *Server) waitForCheck(ctx context.Context, c *conn) (leave func(), err error) {
	for _, gate := range []chan struct{}{c.checking, s.checks} {
		select {
		case gate <- struct{}{}:
		case <-ctx.Done():
			if gate == s.checks {
				<-c.checking
			}
			s.metrics.refuse("checks")
			return nil, status.Error(codes.Unavailable, "too many signatures to check; try again later")
		}
	}
	return func() { <-s.checks; <-c.checking }, nil
}

// reasons are the labels of refusals in metrics and logs.
var reasons = []struct {
	err   error
	label string
}{
	{auth.ErrHeader, "header"}, {auth.ErrVersion, "version"}, {auth.ErrFormat, "format"},
	{auth.ErrAddress, "address"}, {auth.ErrSignature, "signature"}, {auth.ErrReceptor, "receptor"},
	{auth.ErrReplayed, "replayed"}, {auth.ErrMismatch, "mismatch"},
	{auth.ErrDenied, "denied"}, {auth.ErrUnregistered, "registration"}, {auth.ErrStake, "stake"}, {auth.ErrInterval, "time"},
	{auth.ErrNotAdmitted, "not_admitted"},
}

func reasonOf(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.label
		}
	}
	return "other"
}
