package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/wire"
)

// Client asks endpoints. It may be used by many goroutines.
type Client struct {
	options Options
	slots   chan struct{} // one for each call on its way
	calls   sync.WaitGroup

	mu          sync.Mutex // guards what follows
	closed      bool
	count       uint64 // of uses of connections
	connections map[string]*connection
}

// New makes a client. It connects when it is first asked to.
func New(o Options) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	return &Client{options: o, slots: make(chan struct{}, o.Concurrency), connections: make(map[string]*connection)}, nil
}

// Close waits for the calls on their way and lets go of the connections. Whoever cannot
// wait cancels the calls' contexts. What is asked afterwards is not sent.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.calls.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	var faults []error
	for address, connection := range c.connections {
		faults = append(faults, connection.close())
		delete(c.connections, address)
	}
	return errors.Join(faults...)
}

// Forward asks one endpoint all the synapses about a batch. Whatever goes wrong is told by
// the results. It waits while as many calls as the options allow are on their way; the
// time-out counts from then on.
func (c *Client) Forward(ctx context.Context, e Endpoint, b synapse.Batch, s ...synapse.Synapse) Reply {
	return c.ask(ctx, e, c.question(b, s))
}

// ask sends a question to one endpoint.
func (c *Client) ask(ctx context.Context, e Endpoint, q *question) Reply {
	r := Reply{Endpoint: e}
	if fault := c.exchange(ctx, &r, q); fault != nil {
		r.fail(fault, len(q.synapses))
	}
	return r
}

// exchange fills in the reply, or says why there is none.
func (c *Client) exchange(ctx context.Context, r *Reply, q *question) *synapse.Fault {
	if q.fault != nil {
		return q.fault
	}
	if err := r.Endpoint.Validate(); err != nil {
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_BAD_ENDPOINT, "%v", err)
	}
	connection, err := c.take(r.Endpoint.Address)
	if err != nil {
		return faultOf(err)
	}
	defer c.leave(connection)
	signer, err := connection.signer(ctx)
	if err != nil {
		return faultOf(err)
	}
	fault := c.send(ctx, connection, signer, r, q)
	connection.release(signer, fault != nil && fault.Code == wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED)
	return fault
}

// send waits for a place among the calls on their way, makes the call and reads the reply.
// That it has a place with the endpoint before, keeps those who wait for a slow endpoint
// out of the way of others.
func (c *Client) send(ctx context.Context, to *connection, signer *auth.Signer, r *Reply, q *question) *synapse.Fault {
	if left := to.resting(time.Now()); left > 0 {
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_BACKOFF,
			"%s could not be reached, and is left alone for another %v", r.Endpoint.Address, left.Round(time.Millisecond))
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return faultOf(fmt.Errorf("waiting for %d calls that are on their way: %w", cap(c.slots), ctx.Err()))
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	start := time.Now()
	defer func() { r.Duration = time.Since(start) }()
	r.BytesOut = len(q.message)
	reply, err := to.call(ctx, signer, r.Endpoint, q)
	to.note(codeOf(err), time.Now())
	if err != nil {
		return faultOf(err)
	}
	r.BytesIn = len(reply)
	m, fault := unmarshal(reply, len(q.synapses))
	if fault != nil {
		return fault
	}
	r.Results = synapse.ParseReply(m, q.batch, q.synapses...)
	return nil
}

// take begins a call: it finds the connection to an address, or makes one in place of the
// idle ones that were used least recently. It must be handed to leave.
func (c *Client) take(address string) (*connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	found := c.connections[address]
	if found == nil {
		for len(c.connections) >= c.options.Connections && c.drop() {
		}
		found = newConnection(address, c.options)
		c.connections[address] = found
	}
	c.count++
	found.used = c.count
	found.users++
	c.calls.Add(1)
	return found, nil
}

func (c *Client) leave(used *connection) {
	c.mu.Lock()
	used.users--
	c.mu.Unlock()
	c.calls.Done()
}

// drop closes the idle connection that was used least recently, and reports whether there
// was an idle one.
func (c *Client) drop() bool {
	var oldest *connection
	for _, candidate := range c.connections {
		if candidate.users == 0 && (oldest == nil || candidate.used < oldest.used) {
			oldest = candidate
		}
	}
	if oldest == nil {
		return false
	}
	delete(c.connections, oldest.address)
	_ = oldest.close() // it has nothing left to say
	return true
}

// question is what is asked, made ready once for however many endpoints.
type question struct {
	batch    synapse.Batch
	synapses []synapse.Synapse
	message  []byte // marshalled
	limit    int    // bytes of a reply
	timeout  time.Duration
	fault    *synapse.Fault // why it cannot be asked
}

func (c *Client) question(b synapse.Batch, s []synapse.Synapse) *question {
	q := &question{batch: b, synapses: s, timeout: c.timeout(s)}
	q.fault = q.prepare(c.options)
	return q
}

// prepare serialises the question and works out how large a reply may be.
func (q *question) prepare(o Options) *synapse.Fault {
	m, err := synapse.NewForward(o.Key.Public().Address(), q.batch, q.synapses...)
	if err == nil {
		q.message, err = proto.Marshal(m)
	}
	var fault *synapse.Fault
	switch {
	case errors.As(err, &fault):
		return fault
	case err != nil:
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_REQUEST_SERIALIZATION_EXCEPTION, "%v", err)
	}
	size := replySize(q.batch, q.synapses)
	if size > o.MaxReply {
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_INVALID_REQUEST,
			"the reply may take %d bytes, which exceeds the limit %d; ask about fewer tokens, or for fewer numbers of each", size, o.MaxReply)
	}
	q.limit = int(min(size, math.MaxInt32))
	return nil
}

// timeout is how long a call may take.
func (c *Client) timeout(s []synapse.Synapse) time.Duration {
	if c.options.Timeout > 0 {
		return c.options.Timeout
	}
	var least time.Duration
	for _, one := range s {
		if t := one.Task().Timeout; least == 0 || t < least {
			least = t
		}
	}
	return least
}
