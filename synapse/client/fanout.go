package client

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"axon/synapse"
)

// ForwardAll asks many endpoints the same, no more at once than the options allow, and
// gives each endpoint's place in the list with its reply, in the order in which they
// come. Whoever stops taking them cancels what is still on its way.
func (c *Client) ForwardAll(ctx context.Context, endpoints []Endpoint, b synapse.Batch, s ...synapse.Synapse) iter.Seq2[int, Reply] {
	return func(yield func(int, Reply) bool) {
		ctx, cancel := context.WithCancel(ctx)
		f := &fanout{client: c, question: c.question(b, s), endpoints: endpoints, replies: make(chan numbered), stop: make(chan struct{})}
		defer f.workers.Wait()
		defer cancel()
		defer close(f.stop)
		for range min(len(endpoints), c.options.Concurrency) {
			f.workers.Go(func() { f.work(ctx) })
		}
		for range endpoints {
			if r := <-f.replies; !yield(r.i, r.Reply) {
				return
			}
		}
	}
}

// fanout is one question on its way to many endpoints.
type fanout struct {
	client    *Client
	question  *question
	endpoints []Endpoint
	next      atomic.Int64
	replies   chan numbered
	stop      chan struct{} // closed when nobody takes replies any more
	workers   sync.WaitGroup
}

type numbered struct {
	i int
	Reply
}

// work asks one endpoint after the other.
func (f *fanout) work(ctx context.Context) {
	for {
		i := int(f.next.Add(1)) - 1
		if i >= len(f.endpoints) {
			return
		}
		select {
		case f.replies <- numbered{i, f.client.ask(ctx, f.endpoints[i], f.question)}:
		case <-f.stop:
			return
		}
	}
}
