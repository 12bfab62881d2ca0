package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/wire"
)

// leastCost is what a text counts as in the queue, however short: every text takes a
// sequence of the model, and work of our own.
const leastCost = 64

// bytesPerNumber is what a number of an answer takes, until it is sent: itself and its
// copy in the message.
const bytesPerNumber = 8

// answer gives every item of a request its answer or its fault.
func (s *Server) answer(ctx context.Context, c *call) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout(c.request))
	defer cancel()
	s.screen(c.caller.Hotkey, c.request)
	groups := groupsOf(c.request.Items)
	if len(groups) == 0 {
		return
	}
	w := &work{server: s, call: c, place: s.queue.place(s.options.Policy.Priority(c.caller.Hotkey)), bytes: s.memory(groups)}
	if limit := s.queue.capacity.bytes; w.bytes > limit {
		f := synapse.Faultf(wire.ReturnCode_RETURN_CODE_INVALID_REQUEST, "answers of %d bytes exceed the limit %d", w.bytes, limit)
		refuseAll(groups, f)
		return
	}
	before, ok := s.shares.take(c.caller.Hotkey, w.bytes)
	if !ok {
		refuseAll(groups, synapse.Faultf(wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL,
			"answers of %d bytes beside %d that are on their way to you exceed the limit %d; fetch those first", w.bytes, before, s.shares.limit))
		return
	}
	c.share = w.bytes
	w.run(ctx, groups)
	w.run(ctx, apart(groups))
}

// memory is what the answers of all items will take together.
func (s *Server) memory(groups []*group) int64 {
	numbers := int64(0)
	for _, g := range groups {
		for _, item := range g.items {
			least, _ := item.Synapse.Numbers(item.Batch)
			numbers += least
		}
	}
	return numbers * bytesPerNumber
}

// timeout is the reference's: the least of what the synapses take, and the server's own.
func (s *Server) timeout(r *synapse.Request) time.Duration {
	least := s.options.Timeout
	for _, item := range r.Items {
		if item.Synapse != nil {
			least = min(least, item.Synapse.Task().Timeout)
		}
	}
	return least
}

// screen refuses what the policy does not let the caller ask.
func (s *Server) screen(hotkey auth.PublicKey, r *synapse.Request) {
	for _, item := range r.Items {
		if item.Fault != nil {
			continue
		}
		if err := s.options.Policy.MayAsk(hotkey, item.Synapse.Task().Type); err != nil {
			item.Fault = refusedTask(err)
		}
	}
}

// group is items with equal inputs: their answers come out of the same passes.
type group struct {
	items  []*synapse.Item
	batch  synapse.Batch
	needs  [][]synapse.Need // by text, those of all items
	finish []finisher       // by item

	ctx  context.Context // of its texts; its cause is why the first of them failed
	fail context.CancelCauseFunc
	err  error // the cause, once all is over
}

type finisher func() (*wire.Tensor, error)

// groupsOf puts items with equal inputs together. Items with a fault are left out.
func groupsOf(items []*synapse.Item) []*group {
	var groups []*group
	for _, item := range items {
		if item.Fault != nil {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return equal(g.batch, item.Batch) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{batch: item.Batch})
		}
		groups[i].items = append(groups[i].items, item)
	}
	return groups
}

func equal(a, b synapse.Batch) bool {
	return a.Texts == b.Texts && a.Length == b.Length && slices.Equal(a.Tokens, b.Tokens)
}

// apart makes groups of single items out of those groups that failed for what may be the
// fault of one item.
func apart(groups []*group) []*group {
	var single []*group
	for _, g := range groups {
		if len(g.items) < 2 || !mayBeOfOne(g.err) {
			continue
		}
		for _, item := range g.items {
			item.Fault = nil
			single = append(single, &group{items: []*synapse.Item{item}, batch: g.batch})
		}
	}
	return single
}

// begin asks every item what it needs. Memory for answers is taken here, and not while
// the group waits in the queue. No text is generated for longer than a time.
func (g *group) begin(longest time.Duration) error {
	g.needs = make([][]synapse.Need, g.batch.Texts)
	g.finish = make([]finisher, len(g.items))
	for i, item := range g.items {
		needs, finish := item.Synapse.Answer(g.batch)
		if len(needs) != g.batch.Texts {
			return fmt.Errorf("%s has %d needs for %d texts", item.Synapse.Task().Name, len(needs), g.batch.Texts)
		}
		for text, need := range needs {
			if need.Generation != nil {
				need.Generation.MaxTime = min(need.Generation.MaxTime, longest)
			}
			g.needs[text] = append(g.needs[text], need)
		}
		g.finish[i] = finish
	}
	return nil
}

// cost is that of one text: what is generated takes room in the model as well.
func (g *group) cost() load {
	tokens := leastCost
	for _, item := range g.items {
		tokens = max(tokens, item.Synapse.Load(g.batch))
	}
	return load{tokens: tokens}
}

func refuseAll(groups []*group, f *synapse.Fault) {
	for _, g := range groups {
		g.refuse(f)
	}
}

// refuse gives all items a fault.
func (g *group) refuse(f *synapse.Fault) {
	for _, item := range g.items {
		item.Fault = f
	}
}

// work is the model's part of a call.
type work struct {
	server *Server
	call   *call
	place  *place
	bytes  int64 // that its answers take; the first text brings them in, the end of the call gives them back
}

// run answers groups: their texts enter the model one after the other, and are answered
// there side by side.
func (w *work) run(ctx context.Context, groups []*group) {
	var texts sync.WaitGroup
	for _, g := range groups {
		g.ctx, g.fail = context.WithCancelCause(ctx)
		for i := range g.batch.Texts {
			r, err := w.enter(g)
			if err != nil {
				g.fail(err)
				break
			}
			texts.Go(func() { w.text(g, i, r) })
		}
	}
	texts.Wait()
	for _, g := range groups {
		w.conclude(g)
	}
}

// enter waits until the group's next text may go to the model. What it is given there
// does not include the memory, which is held until the call ends.
func (w *work) enter(g *group) (room, error) {
	began := time.Now()
	held := &w.call.held.bytes
	r, err := w.server.queue.enter(g.ctx, w.place, g.cost().plus(load{bytes: w.bytes - *held}))
	waited := time.Since(began)
	w.call.waited += waited
	w.server.metrics.wait.Observe(waited.Seconds())
	if err != nil {
		return room{}, err
	}
	*held, r.bytes = w.bytes, 0
	if g.needs == nil {
		err = w.server.safely(func() error { return g.begin(w.server.options.Limits.MaxTime) })
	}
	if err != nil {
		w.server.queue.leave(r)
	}
	return r, err
}

// text has one text answered.
func (w *work) text(g *group, i int, r room) {
	began := time.Now()
	defer func() {
		took := time.Since(began)
		w.call.worked.Add(int64(took))
		w.server.metrics.answered(g.batch.Length, took)
		w.server.queue.leave(r)
	}()
	err := w.server.safely(func() error { return w.server.options.Model.Answer(g.ctx, g.batch.Text(i), g.needs[i]) })
	if err != nil {
		g.fail(err)
	}
}

// conclude encodes the answers of a group, or says why there are none.
func (w *work) conclude(g *group) {
	g.err = context.Cause(g.ctx)
	g.fail(nil)
	if g.err != nil {
		w.server.note(g.err)
		g.refuse(faultOf(g.err))
		return
	}
	for i, item := range g.items {
		err := w.server.safely(func() (err error) {
			item.Answer, err = g.finish[i]()
			return err
		})
		if err != nil {
			w.server.note(err)
			item.Answer, item.Fault = nil, faultOfEncoding(err)
		}
	}
}

// safely runs what is not ours, or large, and makes an error of a panic.
func (s *Server) safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.recovered(p)
			err = errPanic
		}
	}()
	return f()
}
