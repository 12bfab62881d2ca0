package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"axon/engine"
)

// serveRun is one test while it runs.
type serveRun struct {
	target  ServeTarget
	test    ServeTest
	served  *served
	ours    *serveTurns
	turns   []*serveTurns // ours, the engine's own, the peer's
	texts   *texts
	reader  *reader // nil without a model
	shorts  []load  // of a mixed test, round by round
	batches []time.Duration
}

// serveTurns are a contender's rounds.
type serveTurns struct {
	contender
	loads []load
}

func newServeRun(ctx context.Context, target ServeTarget, t ServeTest) (_ *serveRun, err error) {
	r := &serveRun{target: target, test: t}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.texts, err = newTexts(target.Text, max(t.Length, t.MixedLength), target.Seed); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	if peer := target.peerFor(t); peer != nil {
		p, err := startPeer(ctx, *peer, target.Config, t)
		if err != nil {
			return nil, err
		}
		r.turns = append(r.turns, &serveTurns{contender: p})
	}
	return r, nil
}

// open makes what we have to set against others: a server, and the engine behind it.
func (r *serveRun) open() (err error) {
	if r.target.Model == nil {
		r.served, err = dial(*r.target.Endpoint, r.target.Key, r.test)
	} else {
		err = r.serve()
	}
	if err != nil {
		return err
	}
	r.ours = &serveTurns{contender: r.served}
	r.turns = append(r.turns, r.ours)
	if r.served.engine != nil && r.test.Mixed == 0 {
		r.turns = append(r.turns, &serveTurns{contender: &unserved{r.served.engine, r.test, r.served.question}})
	}
	return nil
}

func (r *serveRun) serve() (err error) {
	if r.reader, err = newReader(r.target.Model); err != nil {
		return err
	}
	cells, err := r.cells()
	if err != nil {
		return err
	}
	r.served, err = serve(r.target.Model, r.target.Config, r.test, cells)
	return err
}

// cells is how much of the KV cache a text may take: the longest of some texts in the
// model's own tokens and a quarter more, what is generated, and one more.
func (r *serveRun) cells() (int, error) {
	sample, err := r.reader.requests(r.texts, r.test, max(16, r.test.Clients))
	if err != nil {
		return 0, err
	}
	longest := 0
	for _, q := range sample {
		for _, t := range q.own {
			longest = max(longest, len(t.tokens))
		}
	}
	if !r.reader.pair.Identical() {
		longest += longest / 4
	}
	if r.test.Synapse == "seq2seq" {
		longest += r.test.Generate
	}
	return longest + 1, nil
}

func (r *serveRun) close() error {
	var errs []error
	for i := len(r.turns) - 1; i >= 0; i-- {
		if err := r.turns[i].Close(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.turns[i].Name(), err))
		}
	}
	return errors.Join(errs...)
}

// rounds lets all take turns. Before the first, each warms up with a request a client.
func (r *serveRun) rounds(ctx context.Context, rounds int, tick func()) error {
	for _, t := range r.turns {
		if err := r.turn(ctx, t, r.test.Clients); err != nil {
			return err
		}
		t.loads, r.shorts = nil, nil
	}
	for round := range rounds {
		for i := range r.turns {
			if err := r.turn(ctx, r.turns[(round+i)%len(r.turns)], r.test.inARound()); err != nil {
				return err
			}
			tick()
		}
		if err := r.timeBatch(ctx); err != nil {
			return err
		}
	}
	return nil
}

// turn lets the clients make so many requests of one contender.
func (r *serveRun) turn(ctx context.Context, t *serveTurns, requests int) error {
	list, err := r.reader.requests(r.texts, r.test, requests)
	if err != nil {
		return err
	}
	groups := []*group{{clients: r.test.Clients, requests: requests, ask: func(ctx context.Context, client, i int) (reply, error) {
		return t.Ask(ctx, client, &list[i])
	}}}
	if r.test.Mixed > 0 {
		groups = append(groups, &group{clients: r.test.Mixed, ask: func(ctx context.Context, client, _ int) (reply, error) {
			return r.served.next(ctx, r.test.Clients+client, r.texts.batch(1, r.test.MixedLength))
		}})
	}
	before := r.stats()
	if err := drive(ctx, groups...); err != nil {
		return fmt.Errorf("%s: %w", t.Name(), err)
	}
	after := r.stats()
	groups[0].load.evaluated, groups[0].load.batches = after.Tokens-before.Tokens, after.Steps-before.Steps
	t.loads = append(t.loads, groups[0].load)
	if r.test.Mixed > 0 {
		r.shorts = append(r.shorts, groups[1].load)
	}
	return nil
}

func (r *serveRun) stats() engine.Stats {
	if r.served.engine == nil {
		return engine.Stats{}
	}
	return r.served.engine.Stats()
}

// timeBatch measures a full physical batch of which every row is wanted, alone.
func (r *serveRun) timeBatch(ctx context.Context) error {
	e := r.served.engine
	if e == nil {
		return nil
	}
	l := e.Limits()
	n := min(l.Batch, l.Rows, l.Sequence)
	tokens := make([]engine.Token, n)
	for i := range tokens {
		tokens[i] = engine.Token(i % e.Model().Info().VocabSize)
	}
	begun := time.Now()
	err := e.Distributions(ctx, engine.RowsRequest{Tokens: tokens, Fresh: true, Each: func(int, []float32) error { return nil }})
	r.batches = append(r.batches, time.Since(begun))
	return err
}

// unserved is the engine itself, asked by as many at once as the server is.
type unserved struct {
	engine   *engine.Engine
	test     ServeTest
	question question
}

func (u *unserved) Name() string { return "engine" }
func (u *unserved) Close() error { return nil } // it is the server's

func (u *unserved) Ask(ctx context.Context, _ int, r *request) (reply, error) {
	tokens := make([]int, len(r.own))
	err := atOnce(len(r.own), func(i int) (err error) {
		tokens[i], err = u.question.own(ctx, u.engine, r.own[i], u.test)
		return err
	})
	var all reply
	for _, n := range tokens {
		all.tokens += n
	}
	return all, err
}
