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

// tap runs when a call's headers have come, before grpc makes anything of it. It gives
// the call an end: a context that grpc's own waiting, for data and for room to write,
// obeys. What is open to strangers also ends when the server drains.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	protected := strings.HasPrefix(info.FullMethodName, servicePrefix)
	life := openLife
	if protected {
		life = s.life
	}
	ctx, cancel := context.WithTimeout(ctx, life)
	stop := func() bool { return true }
	if !protected {
		stop = context.AfterFunc(s.taking, cancel)
	}
	c := connOf(ctx)
	c.begin()
	context.AfterFunc(ctx, func() {
		stop()
		cancel()
		c.end()
	})
	return ctx, nil
}
