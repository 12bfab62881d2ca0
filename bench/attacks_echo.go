package bench

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
)

// echo asks endpoints as a client does, and gives who asks the same again what was answered
// then: so validators of different rules are about the same answers. Servers that would let it
// wait are asked with a time-out of their own.
type echo struct {
	patient, hasty *client.Client
	late           map[int]bool // uids

	asked   synapse.Batch
	whom    []client.Endpoint
	replies []client.Reply // in the order of the endpoints
}

func newEcho(players []player) (*echo, error) {
	key, err := auth.NewKey()
	if err != nil {
		return nil, err
	}
	e := &echo{late: map[int]bool{}}
	for _, p := range players {
		if p.attack.Late {
			e.late[p.endpoint.UID] = true
		}
	}
	if e.patient, err = client.New(client.Options{Key: key, Timeout: attackPatience, Backoff: -1}); err != nil {
		return nil, err
	}
	e.hasty, err = client.New(client.Options{Key: key, Timeout: attackHaste, Backoff: -1})
	return e, err
}

// Close lets go of connections.
func (e *echo) Close() error { return errors.Join(e.patient.Close(), e.hasty.Close()) }

// ForwardAll implements rounds.Asker.
func (e *echo) ForwardAll(ctx context.Context, endpoints []client.Endpoint, b synapse.Batch, s ...synapse.Synapse) iter.Seq2[int, client.Reply] {
	if !slices.Equal(b.Tokens, e.asked.Tokens) || !slices.Equal(endpoints, e.whom) {
		e.ask(ctx, endpoints, b, s)
	}
	return slices.All(e.replies)
}

func (e *echo) ask(ctx context.Context, endpoints []client.Endpoint, b synapse.Batch, s []synapse.Synapse) {
	e.asked, e.whom, e.replies = b, endpoints, make([]client.Reply, len(endpoints))
	var both sync.WaitGroup
	for _, late := range []bool{false, true} {
		var whom []client.Endpoint
		var places []int
		for i, endpoint := range endpoints {
			if e.late[endpoint.UID] == late {
				whom, places = append(whom, endpoint), append(places, i)
			}
		}
		c := e.patient
		if late {
			c = e.hasty
		}
		both.Go(func() {
			for i, r := range c.ForwardAll(ctx, whom, b, s...) {
				e.replies[places[i]] = r
			}
		})
	}
	both.Wait()
}
