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
		v.recent.add(round.Losses())
	}
	return v, nil
}

// State is what is known, as of the last round; not to be changed.
func (v *Validator) State() *state.State { return &v.store.State }

// Round does one round and commits it. When the context ends nothing of the round counts.
// The error is io.EOF when a stream of texts has ended; what was left of it has had
// its round.
func (v *Validator) Round(ctx context.Context) (*state.Round, error) {
	number := v.State().Progress.Rounds + 1
	windows, next, err := v.texts.Draw(ctx, v.position, v.options.Texts)
	if err != nil && (len(windows) == 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	chance := v.options.chance(number)
	q := v.options.question(chance, windows)
	chosen := v.options.choose(chance, v.servers())
	if len(chosen) == 0 {
		return nil, ErrNobody
	}
	began := time.Now()
	heard, err := v.ask(ctx, q, chosen)
	if err != nil {
		return nil, err
	}
	round := &state.Round{Number: number, Began: began.UTC(), Took: time.Since(began).Seconds(), Texts: len(windows), Repeated: next.Epoch > 0}
	if err := v.learn(round, heard); err != nil {
		return nil, err
	}
	return round, v.commit(round, next)
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
		known := st.Server(h.endpoint.UID, h.endpoint.Hotkey.Address(), h.endpoint.Address, v.options.Task)
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
	if !math.IsNaN(s.Divergence) {
		d := float32(s.Divergence)
		r.Divergence = &d
	}
	return r
}

// commit writes what the round has changed.
func (v *Validator) commit(round *state.Round, next corpus.Position) error {
	at, err := json.Marshal(next)
	if err != nil {
		return err
	}
	p := &v.State().Progress
	p.Rounds, p.Position = round.Number, at
	p.Texts += round.Texts
	if err := v.store.Commit(round); err != nil {
		return err
	}
	v.position = next
	v.recent.add(round.Losses())
	return nil
}

// Neighbours compares each server of the ranking with the next, on the latest rounds.
func (v *Validator) Neighbours() []validator.Difference {
	return validator.Neighbours(Ranking(v.State()), slices.Values(v.recent.rounds))
}

// Ranking are the uids of those with a loss, by ascending loss.
func Ranking(st *state.State) []int {
	averages := make(validator.Averages, len(st.Servers))
	for uid, s := range st.Servers {
		if !math.IsNaN(s.Average.Worth.Loss) {
			averages[uid] = s.Average
		}
	}
	return averages.Ranking()
}

// Confidence is what each of n servers' differences from the next needs for the whole order
// to hold with 95 % (Bonferroni).
func Confidence(n int) float64 { return 1 - 0.05/float64(max(1, n-1)) }

// Weights are those of the servers that are there now.
func (v *Validator) Weights() ([]validator.Weight, error) {
	present := make(map[int]string)
	for _, e := range v.servers() {
		present[e.UID] = e.Hotkey.Address()
	}
	return Weights(v.State(), v.options.Weights, func(uid int, hotkey string) bool { return present[uid] == hotkey })
}

// Weights makes weights of a state, for servers that are present; nil stands for all.
func Weights(st *state.State, rules validator.WeightRules, present func(uid int, hotkey string) bool) ([]validator.Weight, error) {
	values := make(map[int]float64, len(st.Servers))
	for uid, s := range st.Servers {
		if present == nil || present(uid, s.Hotkey) {
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

func count(l validator.Losses) (n int) {
	for list := range maps.Values(l) {
		n += len(list)
	}
	return n
}
