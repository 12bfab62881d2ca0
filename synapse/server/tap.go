package server

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc/tap"
)

const (
	servicePrefix = "/Bittensor/"
	// openLife ends calls of the services that are open to strangers, among them those
	// that would go on for ever, so that nobody holds a connection with them.
	openLife = time.Minute
)

// tap runs when a call's headers have come, before grpc makes anything of it. It tells
// the connection of it, and gives calls of the open services an end: a context that
// grpc's own waiting obeys. The protocol's calls have their own ends, stage by stage.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	c := connOf(ctx)
	c.begin()
	context.AfterFunc(ctx, c.end)
	if strings.HasPrefix(info.FullMethodName, servicePrefix) {
		return ctx, nil
	}
	ctx, cancel := context.WithTimeout(ctx, openLife)
	stop := context.AfterFunc(s.taking, cancel)
	context.AfterFunc(ctx, func() {
		stop()
		cancel()
	})
	return ctx, nil
}
