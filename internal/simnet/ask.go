package simnet

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/wire"
)

// question is one question to many endpoints.
type question struct {
	network   *Network
	batch     synapse.Batch
	synapses  []synapse.Synapse
	endpoints []client.Endpoint
	fault     *synapse.Fault // why it cannot be asked
	bytes     int            // of it
	answers   [][]byte       // by mind
	key       uint64         // from which times and silences follow

	next    atomic.Int64
	replies chan numbered
	stop    chan struct{} // closed when nobody takes replies any more
	workers sync.WaitGroup
}

type numbered struct {
	i int
	client.Reply
}

// ForwardAll asks endpoints of the network as [client.Client.ForwardAll] does. Answers
// are made before it returns, and nobody is asked before replies are taken: whoever
// measures can tell apart what is the servers' work and what is the client's. A reply's
// Duration is the time that was drawn, whatever the machine made of it.
func (n *Network) ForwardAll(ctx context.Context, endpoints []client.Endpoint, b synapse.Batch, s ...synapse.Synapse) iter.Seq2[int, client.Reply] {
	q := &question{network: n, batch: b, synapses: s, endpoints: endpoints, replies: make(chan numbered), stop: make(chan struct{})}
	q.fault = q.prepare()
	return func(yield func(int, client.Reply) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer q.workers.Wait()
		defer cancel()
		defer close(q.stop)
		for range min(len(endpoints), n.options.Concurrency) {
			q.workers.Go(func() { q.work(ctx) })
		}
		for range endpoints {
			if r := <-q.replies; !yield(r.i, r.Reply) {
				return
			}
		}
	}
}

// prepare writes the question and has it answered.
func (q *question) prepare() *synapse.Fault {
	m, err := synapse.NewForward(q.network.key.Public().Address(), q.batch, q.synapses...)
	var message []byte
	if err == nil {
		message, err = proto.Marshal(m)
	}
	if err == nil {
		q.answers, err = q.network.answers(m)
	}
	var fault *synapse.Fault
	if errors.As(err, &fault) {
		return fault
	}
	q.bytes = len(message)
	numbers := make([]uint64, len(q.batch.Tokens))
	for i, t := range q.batch.Tokens {
		numbers[i] = uint64(t) //nolint:gosec // any bits will do
	}
	q.key = chance(q.network.options.Seed, "question", numbers...).Uint64()
	return faultOf(err)
}

// work asks one endpoint after the other. As in a client it signs for itself alone.
func (q *question) work(ctx context.Context) {
	signer, err := auth.NewSigner(q.network.key)
	for {
		i := int(q.next.Add(1)) - 1
		if i >= len(q.endpoints) {
			return
		}
		r := client.Reply{Endpoint: q.endpoints[i]}
		fault := q.fault
		if fault == nil {
			fault = faultOf(err)
		}
		if fault == nil {
			fault = q.exchange(ctx, signer, &r)
		}
		if fault != nil {
			r.Results = make([]synapse.Result, len(q.synapses))
			for j := range r.Results {
				r.Results[j].Fault = fault
			}
		}
		select {
		case q.replies <- numbered{i, r}:
		case <-q.stop:
			return
		}
	}
}

// exchange asks one endpoint: sign, wait, read.
func (q *question) exchange(ctx context.Context, signer *auth.Signer, r *client.Reply) *synapse.Fault {
	n := q.network
	uid := r.Endpoint.UID
	if uid < 0 || uid >= len(n.endpoints) || n.endpoints[uid] != r.Endpoint {
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_UNAVAILABLE, "%s is none of the network's", r.Endpoint.Address)
	}
	if _, err := signer.Headers(r.Endpoint.Hotkey, auth.FormatV2, auth.Forward); err != nil {
		return faultOf(err)
	}
	latency, silent := n.fate(q.key, uid)
	r.BytesOut, r.Duration = q.bytes, min(latency, n.options.Timeout)
	if silent {
		r.Duration = n.options.Timeout
	}
	if err := n.wait(ctx, r.Duration); err != nil {
		return faultOf(err)
	}
	if r.Duration == n.options.Timeout {
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_TIMEOUT, "no reply within %v", n.options.Timeout)
	}
	reply := bytes.Clone(q.answers[n.mind(uid)]) // arrived
	r.BytesIn = len(reply)
	m, err := unmarshal(reply, len(q.synapses))
	if err != nil {
		return synapse.Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION, "the reply is no message: %v", err)
	}
	r.Results = synapse.ParseReply(m, q.batch, q.synapses...)
	return nil
}

// fate is how long a server takes over a question, and whether it says nothing.
func (n *Network) fate(key uint64, uid int) (latency time.Duration, silent bool) {
	r := rand.New(rand.NewPCG(key, uint64(uid))) //nolint:gosec // an index
	silent = r.Float64() < n.options.Silent
	if list := n.options.Latencies; len(list) > 0 {
		latency = list[r.IntN(len(list))]
	}
	return latency, silent
}

// wait lets a time pass where times pass.
func (n *Network) wait(ctx context.Context, d time.Duration) error {
	if len(n.options.Latencies) == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func unmarshal(reply []byte, asked int) (*wire.TensorMessage, error) {
	if err := synapse.CheckParts(reply, asked); err != nil {
		return nil, err
	}
	m := new(wire.TensorMessage)
	return m, proto.Unmarshal(reply, m)
}
