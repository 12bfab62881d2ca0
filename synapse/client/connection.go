package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"axon/synapse/auth"
)

// A server takes the nonces of one receptor id in growing order only, and requests that
// are on their way together may overtake each other. So each request that is in flight to
// an endpoint has a signer to itself, with a receptor id of its own, and takes it from a
// pool: ids are used again, because a server remembers only so many of a sender. It may
// forget those of a client that was idle, and then takes them no more: after a refusal all
// are made anew. Where a request is given up before the server has seen it, the next of its
// signer may arrive first and make it stale; but then nobody waits for it.

const (
	maxHeaders  = 64 << 10 // bytes that a server may send beside its reply
	restDoubles = 6        // how often the time that an endpoint is left alone doubles
)

// connection is what a client keeps of one endpoint's address.
type connection struct {
	address string
	dial    []grpc.DialOption
	key     *auth.Key
	places  chan struct{} // one for each request in flight

	users int    // requests that have it in hand; guarded by the client
	used  uint64 // the client's count when one last took it; likewise

	mu      sync.Mutex     // guards what follows
	idle    []*auth.Signer // the one used last at the end
	channel *channel
	rest    rest
}

// channel is a gRPC channel and how many calls are on it, guarded by the connection.
type channel struct {
	*grpc.ClientConn
	calls int
}

func newConnection(address string, o Options) *connection {
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		transport = credentials.NewTLS(o.TLS)
	}
	c := &connection{address: address, key: o.Key, places: make(chan struct{}, o.InFlight), rest: rest{first: o.Backoff}}
	c.dial = []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDisableServiceConfig(), // nobody's DNS shall tell us to repeat signed requests
		grpc.WithMaxHeaderListSize(maxHeaders),
	}
	return c
}

// signer takes a place among those in flight, and a signer that nobody else has. It waits
// while all places are taken.
func (c *connection) signer(ctx context.Context) (*auth.Signer, error) {
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for %d requests to %s that are on their way: %w", cap(c.places), c.address, ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.idle) - 1; last >= 0 {
		s := c.idle[last]
		c.idle = c.idle[:last]
		return s, nil
	}
	s, err := auth.NewSigner(c.key)
	if err != nil {
		<-c.places
	}
	return s, err
}

// release gives a signer back, and tells whether its request was refused as not authentic.
func (c *connection) release(s *auth.Signer, refused bool) {
	c.mu.Lock()
	if refused {
		c.idle = nil
	} else {
		c.idle = append(c.idle, s)
	}
	c.mu.Unlock()
	<-c.places
}

// open gives the channel to the endpoint for one call. One that could not be connected is
// replaced: it would fail every call until its own attempts succeed. Calls that are on
// it may still be answered, by a server that takes no others, and the last of them closes it.
func (c *connection) open() (*channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channel != nil && c.channel.GetState() == connectivity.TransientFailure {
		_ = c.retire()
	}
	if c.channel == nil {
		conn, err := grpc.NewClient("dns:///"+c.address, c.dial...)
		if err != nil {
			return nil, err
		}
		c.channel = &channel{ClientConn: conn}
	}
	c.channel.calls++
	return c.channel, nil
}

// leave ends a call on a channel.
func (c *connection) leave(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.calls--
	if ch != c.channel && ch.calls == 0 {
		_ = ch.Close()
	}
}

// retire takes the channel out of use, and closes it if nobody calls on it. mu is held.
func (c *connection) retire() (err error) {
	if c.channel != nil && c.channel.calls == 0 {
		err = c.channel.Close()
	}
	c.channel = nil
	return err
}

func (c *connection) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.retire()
}

// call sends a question and gives the reply as it came.
func (c *connection) call(ctx context.Context, signer *auth.Signer, e Endpoint, q *question) ([]byte, error) {
	channel, err := c.open()
	if err != nil {
		return nil, err
	}
	defer c.leave(channel)
	headers, err := signer.Headers(e.Hotkey, e.format(), auth.Forward)
	if err != nil {
		return nil, err
	}
	var reply []byte
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(headers))
	err = channel.Invoke(ctx, auth.MethodForward, q.message, &reply,
		grpc.ForceCodecV2(bytesCodec{}), grpc.MaxCallRecvMsgSize(q.limit))
	return reply, err
}

// rest is for how long an endpoint is left alone.
type rest struct {
	first  time.Duration // negative: never
	failed int           // calls since it was last reached
	until  time.Time
}

// resting reports how long is left.
func (c *connection) resting(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest.failed == 0 || c.rest.first < 0 {
		return 0
	}
	return c.rest.until.Sub(now)
}

// note keeps account of whether the endpoint was reached.
func (c *connection) note(code codes.Code, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code != codes.Unavailable {
		c.rest.failed = 0
		return
	}
	c.rest.until = now.Add(c.rest.first << min(c.rest.failed, restDoubles))
	c.rest.failed++
}
