package rounds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"axon/internal/corpus"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/validator"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

// Asker asks endpoints the same, and gives the place of each with its reply. A
// [client.Client] is one.
type Asker interface {
	ForwardAll(ctx context.Context, endpoints []client.Endpoint, b synapse.Batch, s ...synapse.Synapse) iter.Seq2[int, client.Reply]
}

// Validator does rounds, one after the other, in one goroutine.
type Validator struct {
	options  Options
	asker    Asker
	texts    corpus.Corpus
	servers  func() []client.Endpoint
	store    *state.Store
	position corpus.Position
	recent   recent
}

// New makes a validator that goes on where the store's state stands. Servers are asked for
// before each round. The store was opened with the options' [Options.Settings].
func New(o Options, a Asker, texts corpus.Corpus, servers func() []client.Endpoint, s *state.Store) (*Validator, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	v := &Validator{options: o, asker: a, texts: texts, servers: servers, store: s}
	if at := s.State.Progress.Position; at != nil {
		if err := json.Unmarshal(at, &v.position); err != nil {
			return nil, fmt.Errorf("%w: position in the texts: %w", state.ErrSchema, err)
		}
	}
	for round, err := range s.Rounds(maxRecent) {
		if err != nil {
			return nil, err
		}
		v.recent.add(s.State.Losses(round))
	}
	return v, nil
}

// State is what is known, as of the last round; not to be changed.
func (v *Validator) State() *state.State { return &v.store.State }

// Round does one round and commits it. When the context ends nothing of the round counts.
// The error is io.EOF when a stream of texts has ended; what was left of it has had its
// round. It is ErrUsedUp when files have, and ErrNobody when there is nobody to ask, who
// may come yet.
func (v *Validator) Round(ctx context.Context) (*state.Round, error) {
	present := v.servers()
	if len(present) == 0 {
		return nil, ErrNobody
	}
	round := &state.Round{Number: v.State().Progress.Rounds + 1}
	windows, next, err := v.draw(ctx, round)
	if err != nil {
		return nil, err
	}
	if next.Epoch > 0 && !v.options.Repeat {
		return nil, ErrUsedUp
	}
	chance := v.options.chance(round.Number)
	q := v.options.question(chance, windows)
	chosen := v.options.choose(chance, present)
	round.Began, round.Texts, round.Repeated = time.Now().UTC(), len(windows), next.Epoch > 0
	heard, err := v.ask(ctx, q, chosen)
	if err != nil {
		return nil, err
	}
	round.Took = time.Since(round.Began).Seconds()
	if err := v.learn(round, heard); err != nil {
		return nil, err
	}
	return round, v.commit(round, next, present)
}

// mostUnreadable is how many unreadable lines in a row are passed over: a file of which more
// cannot be read is not the one that was meant.
const mostUnreadable = 100

// draw takes the round's texts. Lines that are none are counted and passed over.
func (v *Validator) draw(ctx context.Context, round *state.Round) (windows [][]int32, next corpus.Position, err error) {
	next = v.position
	for unreadable := 0; ; unreadable++ {
		var more [][]int32
		more, next, err = v.texts.Draw(ctx, next, v.options.Texts-len(windows))
		windows = append(windows, more...)
		if len(more) > 0 {
			unreadable = 0
		}
		switch {
		case errors.Is(err, corpus.ErrLine) && unreadable < mostUnreadable:
			round.Unreadable++
		case errors.Is(err, io.EOF) && len(windows) > 0:
			return windows, next, nil
		default:
			return windows, next, err
		}
	}
}

// heard is one server's reply, as far as it is needed.
type heard struct {
	endpoint client.Endpoint
	reply    state.Reply
	answer   *validator.Answer
	sent     bool // whether the question left
}

// ask asks the servers, and measures each answer as it comes, after which it is gone.
func (v *Validator) ask(ctx context.Context, q *question, chosen []client.Endpoint) ([]heard, error) {
	all := make([]heard, len(chosen))
	everybody := make([]int, len(chosen))
	for i := range everybody {
		everybody[i] = i
	}
	again := v.askSome(ctx, q, chosen, everybody, all)
	if v.options.Packed && len(again) > 0 {
		v.askSome(ctx, v.options.plain(q), chosen, again, all)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, h := range all {
		if h.sent || absent(h.reply.Code) {
			return all, nil
		}
	}
	return nil, fmt.Errorf("%w: %v: %s", ErrQuestion, all[0].reply.Code, all[0].reply.Message)
}

// askSome asks those at some places, fills in what was heard of them, and returns the
// places of those that could not write their answer in the form that was asked for.
func (v *Validator) askSome(ctx context.Context, q *question, chosen []client.Endpoint, places []int, all []heard) (again []int) {
	endpoints := make([]client.Endpoint, len(places))
	for i, place := range places {
		endpoints[i] = chosen[place]
	}
	for i, r := range v.asker.ForwardAll(ctx, endpoints, q.batch, q.synapse) {
		h := v.options.hear(q, endpoints[i], r)
		all[places[i]] = h
		if h.reply.Code == wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION {
			again = append(again, places[i])
		}
	}
	return again
}

// absent says whether a fault that came before anything was sent is the endpoint's.
func absent(code wire.ReturnCode) bool {
	switch code {
	case wire.ReturnCode_RETURN_CODE_UNAVAILABLE, wire.ReturnCode_RETURN_CODE_BACKOFF,
		wire.ReturnCode_RETURN_CODE_BAD_ENDPOINT, wire.ReturnCode_RETURN_CODE_TIMEOUT:
		return true
	}
	return false
}

func (o Options) hear(q *question, e client.Endpoint, r client.Reply) heard {
	h := heard{endpoint: e, reply: state.Reply{
		UID: e.UID, Code: wire.ReturnCode_RETURN_CODE_SUCCESS, Seconds: r.Duration.Seconds(), Bytes: r.BytesIn,
	}, sent: r.BytesOut > 0}
	if f := r.Fault(); f != nil {
		h.reply.Code, h.reply.Message = f.Code, f.Message
		if _, known := wire.ReturnCode_name[int32(f.Code)]; !known { // a stranger may invent any number of them
			h.reply.Code = wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE
		}
		return h
	}
	var err error
	if h.answer, err = o.measure(q, r.Results[0].Answer); err != nil {
		h.reply.Code, h.reply.Message = wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE, err.Error()
	}
	return h
}

// mostPaired bounds the servers of a round of which what every two gain together is kept: of
// more there is no picture, and every round would write half a million numbers.
const mostPaired = 128

// learn scores the round, and adds it to what is known.
func (v *Validator) learn(round *state.Round, all []heard) error {
	st := v.State()
	pairs := state.Pairs{}
	rules := v.options.Rules
	if len(all) <= mostPaired {
		rules.Pair = func(first, second int, share float64) {
			pairs[[2]int{first, second}] = state.PairSum{Sum: share, Rounds: 1}
		}
	}
	replies := make([]validator.Reply, len(all))
	for i, h := range all {
		replies[i] = validator.Reply{UID: h.endpoint.UID, Time: h.reply.Seconds, Routing: math.NaN(), Answer: h.answer}
	}
	stats, err := rules.Score(v.options.Task, replies)
	if err != nil {
		return err
	}
	for i, h := range all {
		known, fresh := st.Server(h.endpoint.UID, h.endpoint.Hotkey.Address(), h.endpoint.Address, v.options.Task)
		if fresh {
			v.recent.forget(h.endpoint.UID)
		}
		known.Codes[h.reply.Code]++
		known.Average.Update(stats[i], rules)
		round.Replies = append(round.Replies, withStats(h.reply, stats[i]))
	}
	answered := 0
	for _, s := range stats {
		if s.Answered {
			answered++
		}
	}
	for uids, gain := range pairs {
		sum := st.Pairs[uids]
		sum.Sum += gain.Sum * float64(2*answered) // of which each server's share is the 2n-th part
		sum.Rounds++
		st.Pairs[uids] = sum
	}
	return nil
}

// withStats adds to a reply what was made of it.
func withStats(r state.Reply, s validator.Stats) state.Reply {
	for _, l := range s.Losses {
		r.Losses = append(r.Losses, float32(l))
	}
	if !math.IsNaN(s.Divergence) && !math.IsInf(s.Divergence, 0) {
		d := float32(s.Divergence)
		r.Divergence = &d
	}
	return r
}

// commit writes what the round has changed.
func (v *Validator) commit(round *state.Round, next corpus.Position, present []client.Endpoint) error {
	at, err := json.Marshal(next)
	if err != nil {
		return err
	}
	p := &v.State().Progress
	p.Rounds, p.Position = round.Number, at
	p.Texts += round.Texts
	p.Present = presentIn(v.State(), present)
	if err := v.store.Commit(round); err != nil {
		return err
	}
	v.position = next
	v.recent.add(v.State().Losses(round))
	return nil
}

// presentIn are the uids of those who are known and in the network now, with their hotkey.
func presentIn(st *state.State, network []client.Endpoint) []int {
	var uids []int
	for _, e := range network {
		if known := st.Servers[e.UID]; known != nil && known.Hotkey == e.Hotkey.Address() {
			uids = append(uids, e.UID)
		}
	}
	slices.Sort(uids)
	return uids
}

// Neighbours compares each server of the ranking with the next, on the latest rounds.
func (v *Validator) Neighbours() []validator.Difference {
	return v.options.Rules.Neighbours(Ranking(v.State()), slices.Values(v.recent.rounds))
}

// Ranking are the uids of those with a loss who are in the network, by ascending loss.
func Ranking(st *state.State) []int {
	averages := make(validator.Averages, len(st.Servers))
	for uid, s := range st.Servers {
		if !math.IsNaN(s.Average.Worth.Loss) && st.IsPresent(uid) {
			averages[uid] = s.Average
		}
	}
	return averages.Ranking()
}

// Confidence is what each of n servers' differences from the next needs for the whole order
// to hold with 95 % (Bonferroni).
func Confidence(n int) float64 { return 1 - 0.05/float64(max(1, n-1)) }

// Weights makes weights of a state, for those who are in the network.
func Weights(st *state.State, rules validator.WeightRules) ([]validator.Weight, error) {
	values := make(map[int]float64, len(st.Servers))
	for uid, s := range st.Servers {
		if st.IsPresent(uid) {
			values[uid] = s.Average.Weight
		}
	}
	return rules.Weights(values)
}

// maxRecent bounds the rounds, and maxLosses the losses, that are held in memory to
// compare servers by.
const (
	maxRecent = 5000
	maxLosses = 1 << 22
)

// recent are the losses of the latest rounds.
type recent struct {
	rounds []validator.Losses
	losses int
}

func (r *recent) add(l validator.Losses) {
	r.rounds = append(r.rounds, l)
	r.losses += count(l)
	for len(r.rounds) > maxRecent || r.losses > maxLosses && len(r.rounds) > 1 {
		r.losses -= count(r.rounds[0])
		r.rounds[0] = nil
		r.rounds = r.rounds[1:]
	}
}

// forget takes out what a uid has lost, which was another's.
func (r *recent) forget(uid int) {
	for _, l := range r.rounds {
		r.losses -= len(l[uid])
		delete(l, uid)
	}
}

func count(l validator.Losses) (n int) {
	for list := range maps.Values(l) {
		n += len(list)
	}
	return n
}
