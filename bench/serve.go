package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"axon/engine"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
)

// ServeTest is one synapse to ask a server for.
type ServeTest struct {
	Synapse    string // one of ServeSynapses
	Serializer string // of the answers: msgpack, cmppack or packed
	TopK       int
	Texts      int // in a request
	Length     int // tokens of a text
	Generate   int // new tokens of a text, of seq2seq
	Clients    int // at once
	Requests   int // of each client in a round
	// Mixed is clients that ask for short TextCausalLMNext, one request after the
	// other, while the others ask; 0: none.
	Mixed       int
	MixedLength int // tokens of their texts
}

// Validate lists what is wrong with the test.
func (t ServeTest) Validate() error {
	var faults []error
	least := func(n, least int, what string) {
		if n < least {
			faults = append(faults, fmt.Errorf("%s %d: must be at least %d", what, n, least))
		}
	}
	least(t.TopK, 1, "top-k")
	least(t.Texts, 1, "texts in a request")
	least(t.Length, 2, "tokens of a text")
	least(t.Generate, 1, "new tokens")
	least(t.Clients, 1, "clients")
	least(t.Requests, 1, "requests of a client")
	least(t.Mixed, 0, "clients of short requests")
	if t.Mixed > 0 {
		least(t.MixedLength, 1, "tokens of a short text")
	}
	if _, ok := serializers[t.Serializer]; !ok {
		faults = append(faults, fmt.Errorf("serializer %q: must be msgpack, cmppack or packed", t.Serializer))
	}
	q, err := questionNamed(t.Synapse)
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	if len(faults) == 0 {
		if f := q.make(t).Check(synapse.Batch{Texts: t.Texts, Length: t.Length, Tokens: make([]int32, t.Texts*t.Length)}, t.limits()); f != nil {
			faults = append(faults, fmt.Errorf("%s by %s: %w", t.Synapse, t.Serializer, f))
		}
	}
	return errors.Join(faults...)
}

// inARound is how many requests all clients make.
func (t ServeTest) inARound() int { return t.Clients * t.Requests }

// ServeTarget is what is asked, and what it is compared with.
type ServeTarget struct {
	// Model is served by a server of our own, on loopback, and asked by itself as well.
	Model  *engine.Model
	Config Config

	// Endpoint is asked instead, with the key; there is nothing to compare it with.
	Endpoint *client.Endpoint
	Key      *auth.Key

	Peer *ServePeer // asked for TextCausalLM as well; nil: none
	Text string     // whose windows are asked about; empty: random tokens
	Seed uint64
}

// contender answers requests.
type contender interface {
	Name() string
	Ask(ctx context.Context, client int, r *request) (reply, error)
	Close() error
}

// RunServe measures a test for so many rounds. In each of them all contenders have
// their turn, every one with texts of its own, and who begins changes. What describes
// the build is for the caller to add to the rows, of which a mixed test has two. tick
// is called after each turn.
func RunServe(ctx context.Context, target ServeTarget, t ServeTest, rounds int, tick func()) ([]ServeRow, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if rounds < 1 {
		return nil, fmt.Errorf("%d rounds; there must be one at least", rounds)
	}
	r, err := newServeRun(ctx, target, t)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	err = r.rounds(ctx, rounds, tick)
	if err = errors.Join(err, r.close()); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err() // rather than what it broke
		}
		return nil, err
	}
	return r.rows(begun), nil
}

// Turns is how often a run calls its tick.
func (t ServeTarget) Turns(test ServeTest, rounds int) int {
	n := 1
	if t.Model != nil && test.Mixed == 0 {
		n++
	}
	if t.peerFor(test) != nil {
		n++
	}
	return n * rounds
}

// peerFor is the peer where it can do what the test asks.
func (t ServeTarget) peerFor(test ServeTest) *ServePeer {
	if test.Synapse != "causallm" || test.Mixed > 0 {
		return nil
	}
	return t.Peer
}
