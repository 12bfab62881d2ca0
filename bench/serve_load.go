package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// reply is what a request brought.
type reply struct {
	tokens    int // of the texts it was about; where text is generated, of what is new
	positions int // that something was answered about
	bytes     int // of the answer; 0 where nothing was sent
}

func (r *reply) add(other reply) {
	r.tokens += other.tokens
	r.positions += other.positions
	r.bytes += other.bytes
}

// group is clients that ask alike. Each asks one request after the other.
type group struct {
	clients  int
	requests int // of all of them; 0: they go on until the other groups are through
	ask      func(ctx context.Context, client, request int) (reply, error)

	next atomic.Int64
	mu   sync.Mutex // guards what follows
	load load
}

// load is what became of a group's requests.
type load struct {
	latencies []time.Duration
	sum       reply
	elapsed   time.Duration // from the common start to the group's last answer

	// What the engine, where there is one at hand, did meanwhile for all groups.
	evaluated, batches int64 // tokens, physical batches
}

// perSecond is how many of something there were in a second.
func (l *load) perSecond(count int) float64 { return float64(count) / l.elapsed.Seconds() }

// drive lets the clients of all groups ask at once, and waits until all was answered.
// The first error ends it.
func drive(ctx context.Context, groups ...*group) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	begun, over := time.Now(), make(chan struct{})
	var bounded, endless sync.WaitGroup
	for _, g := range groups {
		clients := &bounded
		if g.requests == 0 {
			clients = &endless
		}
		for client := range g.clients {
			clients.Go(func() {
				if err := g.run(ctx, client, begun, over); err != nil {
					fail(err)
				}
			})
		}
	}
	bounded.Wait()
	close(over)
	endless.Wait()
	return context.Cause(ctx)
}

// run is one client. It ends when there is nothing left to ask.
func (g *group) run(ctx context.Context, client int, begun time.Time, over <-chan struct{}) error {
	for {
		request := int(g.next.Add(1)) - 1
		if g.requests > 0 && request >= g.requests {
			return nil
		}
		asked := time.Now()
		r, err := g.ask(ctx, client, request)
		if err != nil {
			return err
		}
		g.note(r, asked, begun)
		if g.requests == 0 && isClosed(over) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (g *group) note(r reply, asked, begun time.Time) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.load.latencies = append(g.load.latencies, now.Sub(asked))
	g.load.sum.add(r)
	g.load.elapsed = max(g.load.elapsed, now.Sub(begun))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
