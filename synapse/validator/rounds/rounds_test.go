package rounds_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/corpus"
	"axon/kernels"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

// words makes a token of each byte: enough of a tokenizer for texts of a stream.
type words struct{}

func (words) Tokenize(text string) ([]int32, error) {
	tokens := make([]int32, len(text))
	for i, c := range []byte(text) {
		tokens[i] = int32(c)
	}
	return tokens, nil
}

// network is servers that answer by formula: what a server expects depends on its uid, the
// text, and nothing else, so that a round can be asked again.
type network struct {
	endpoints []client.Endpoint
	questions []synapse.Batch
	synapses  []synapse.Synapse
	asked     [][]int
	fault     func(uid int, s synapse.Synapse) *synapse.Fault
	before    func() // a round is asked
}

func newNetwork(n int) *network {
	w := &network{}
	for uid := range n {
		w.endpoints = append(w.endpoints, client.Endpoint{UID: uid, Address: fmt.Sprintf("192.0.2.1:%d", 8000+uid), Hotkey: auth.PublicKey{byte(uid + 1)}})
	}
	return w
}

func (n *network) servers() []client.Endpoint { return slices.Clone(n.endpoints) }

func (n *network) ForwardAll(_ context.Context, endpoints []client.Endpoint, b synapse.Batch, s ...synapse.Synapse) iter.Seq2[int, client.Reply] {
	if n.before != nil {
		n.before()
	}
	n.questions, n.synapses = append(n.questions, b), append(n.synapses, s[0])
	var uids []int
	for _, e := range endpoints {
		uids = append(uids, e.UID)
	}
	n.asked = append(n.asked, uids)
	return func(yield func(int, client.Reply) bool) {
		for i, e := range slices.Backward(endpoints) { // in whatever order
			r := client.Reply{Endpoint: e, Duration: time.Duration(e.UID) * time.Millisecond, BytesOut: 10, BytesIn: 100, Results: make([]synapse.Result, 1)}
			if n.fault != nil {
				r.Results[0].Fault = n.fault(e.UID, s[0])
			}
			if r.Results[0].Fault == nil {
				r.Results[0].Answer = answer(e.UID, b, s[0])
			}
			if !yield(i, r) {
				return
			}
		}
	}
}

// answer knows the less of a text the higher the uid is.
func answer(uid int, b synapse.Batch, s synapse.Synapse) synapse.Answer {
	next := &synapse.NextPhrases{}
	for i := range b.Texts {
		text := b.Text(i)
		r := rand.New(rand.NewPCG(uint64(text[len(text)-1]), uint64(uid)))
		p := synapse.Phrases{Floor: 1e-6}
		for token := range int32(40) {
			p.List = append(p.List, synapse.Phrase{Prob: float32(0.02 * math.Exp(-0.1*float64(uid)*r.Float64())), Tokens: []int32{97 + token}})
		}
		next.Texts = append(next.Texts, p)
	}
	if _, ok := s.(*synapse.TextCausalLMNext); ok {
		return next
	}
	q := &synapse.TextCausalLM{TopK: 40}
	needs, finish := q.Answer(b)
	for i, need := range needs {
		row := kernels.Sparse{Rest: float32(math.Log(0.2))}
		for _, phrase := range next.Texts[i].List {
			row.Entries = append(row.Entries, kernels.Entry{Index: phrase.Tokens[0], Value: float32(math.Log(float64(phrase.Prob)))})
		}
		for pos := range b.Length {
			if err := need.Row(pos, row); err != nil {
				panic(err)
			}
		}
	}
	t, err := finish()
	if err != nil {
		panic(err)
	}
	a, err := q.Decode(b, t)
	if err != nil {
		panic(err)
	}
	return a
}

// prose is a text in which every window differs.
func prose(bytes int) string {
	var b strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for b.Len() < bytes {
		for range 2 + r.IntN(9) {
			b.WriteByte('a' + byte(r.IntN(26)))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func texts(t *testing.T, o rounds.Options, text string) corpus.Corpus {
	t.Helper()
	c, err := corpus.Open(t.Context(), corpus.Options{Paths: []string{"-"}, Stdin: strings.NewReader(text), Length: o.Window(), Tokenizer: words{}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// begin makes a validator of a state that may have been begun before.
func begin(t *testing.T, o rounds.Options, n *network, text, path string) (*rounds.Validator, *state.Store) {
	t.Helper()
	c := texts(t, o, text)
	s, err := state.Open(path, state.Options{Settings: o.Settings(c.Fingerprint())})
	require.NoError(t, err)
	v, err := rounds.New(o, n, c, n.servers, s)
	require.NoError(t, err)
	return v, s
}

func run(t *testing.T, v *rounds.Validator, n int) {
	t.Helper()
	for range n {
		_, err := v.Round(t.Context())
		require.NoError(t, err)
	}
}

func known(t *testing.T, v *rounds.Validator) string {
	t.Helper()
	data, err := json.Marshal(v.State())
	require.NoError(t, err)
	return string(data)
}

var small = rounds.Options{Context: 20, HeldOut: 4, Texts: 3, Prune: 2, Servers: 5, TopK: 40, Seed: 7, Rules: validator.Rules{Proper: true, Synergy: true}}.WithDefaults()

func TestAValidatorThatWasInterruptedGoesOnAsIfItHadNotBeen(t *testing.T) {
	for _, task := range []validator.Task{validator.Next, validator.CausalLM} {
		for _, proper := range []bool{true, false} {
			o := small
			o.Task, o.Rules.Proper, o.Rules.Alpha = task, proper, 0.1
			text := prose(1 << 16)
			whole, store := begin(t, o, newNetwork(8), text, filepath.Join(t.TempDir(), "whole"))
			defer store.Close()
			run(t, whole, 30)

			path := filepath.Join(t.TempDir(), "parts")
			for _, part := range []int{1, 7, 2, 20} {
				n := newNetwork(8)
				v, s := begin(t, o, n, text, path)
				run(t, v, part)
				ctx, cancel := context.WithCancel(t.Context()) // in the midst of a round that does not count
				n.before = cancel
				_, err := v.Round(ctx)
				require.ErrorIs(t, err, context.Canceled)
				require.NoError(t, s.Close())
			}
			v, s := begin(t, o, newNetwork(8), text, path)
			defer s.Close()
			require.Equal(t, known(t, whole), known(t, v))
			require.Equal(t, whole.Neighbours(), v.Neighbours())
		}
	}
}

func TestQuestionsAreDrawnFromTheSeed(t *testing.T) {
	questions := func(seed uint64) *network {
		o := small
		o.Seed = seed
		n := newNetwork(12)
		v, s := begin(t, o, n, prose(1<<16), filepath.Join(t.TempDir(), "state"))
		defer s.Close()
		run(t, v, 10)
		return n
	}
	one, same, other := questions(1), questions(1), questions(2)
	require.Equal(t, one.questions, same.questions)
	require.Equal(t, one.asked, same.asked)
	require.NotEqual(t, one.asked, other.asked)
	require.NotEqual(t, one.questions, other.questions, "tokens are left out at other places")
	times := map[int]int{}
	for _, uids := range one.asked {
		require.Len(t, uids, small.Servers)
		require.True(t, slices.IsSorted(uids))
		for _, uid := range uids {
			times[uid]++
		}
	}
	require.Greater(t, len(times), 8, "others in every round")
}

func TestWhatIsLeftOutOfAContext(t *testing.T) {
	o := small
	n := newNetwork(1)
	text := prose(1 << 16)
	v, s := begin(t, o, n, text, filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	run(t, v, 10)
	whole, _, err := texts(t, o, text).Draw(t.Context(), corpus.Position{}, 30)
	require.NoError(t, err)
	places := map[int]int{}
	for i, window := range whole {
		b := n.questions[i/3]
		require.Equal(t, o.Context-o.Prune, b.Length)
		got := b.Text(i % 3)
		require.Equal(t, window[o.Context-3:o.Context], got[b.Length-3:], "what is near to the end stays")
		at := 0
		for pos, token := range window[:o.Context] {
			if at < len(got) && got[at] == token {
				at++
			} else {
				places[pos]++
			}
		}
		require.Equal(t, len(got), at, "the rest stays in order")
	}
	require.Greater(t, len(places), 8, "at random places")
}

func TestFaultsAreCountedAndCostTheProperRuleItsSilence(t *testing.T) {
	o := small
	o.Servers = 0
	n := newNetwork(3)
	n.fault = func(uid int, _ synapse.Synapse) *synapse.Fault {
		if uid == 1 {
			return synapse.Faultf(wire.ReturnCode_RETURN_CODE_TIMEOUT, "too slow")
		}
		return nil
	}
	v, s := begin(t, o, n, prose(1<<16), filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	run(t, v, 4)
	silent := v.State().Servers[1]
	require.Equal(t, map[wire.ReturnCode]int{wire.ReturnCode_RETURN_CODE_TIMEOUT: 4}, silent.Codes)
	require.InDelta(t, validator.SilenceLoss, silent.Average.Worth.Loss, 1e-9)
	require.Zero(t, silent.Average.Weight)
	require.Equal(t, 4, silent.Average.Tally.Rounds)
	require.Equal(t, []int{0, 2, 1}, rounds.Ranking(v.State()))
	run(t, v, 6)
	weights, err := rounds.Weights(v.State(), validator.WeightRules{})
	require.NoError(t, err)
	require.Len(t, weights, 2, "silence is worth nothing")
	require.Equal(t, 2, weights[1].UID)
	for round, err := range s.Rounds(0) {
		require.NoError(t, err)
		require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, round.Replies[1].Code)
		require.Len(t, round.Replies[1].Losses, 3)
	}
}

func TestAnotherHotkeyBeginsAnew(t *testing.T) {
	o := small
	o.Servers = 0
	n := newNetwork(3)
	v, s := begin(t, o, n, prose(1<<16), filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	run(t, v, 5)
	require.Len(t, v.State().Pairs, 3)
	n.endpoints[2].Hotkey = auth.PublicKey{99}
	n.endpoints = n.endpoints[1:] // and one has left
	run(t, v, 1)
	require.NotContains(t, rounds.Ranking(v.State()), 0)
	require.False(t, v.State().IsPresent(0))
	require.Equal(t, 1, v.Neighbours()[0].Rounds, "what the hotkey before it has lost is not its own")
	require.Equal(t, 1, v.State().Servers[2].Average.Rounds)
	require.Equal(t, 6, v.State().Servers[1].Average.Rounds)
	require.Equal(t, 5, v.State().Servers[0].Average.Rounds)
	require.Equal(t, state.PairSum{Sum: v.State().Pairs[[2]int{1, 2}].Sum, Rounds: 1}, v.State().Pairs[[2]int{1, 2}])
}

func TestServersThatCannotPackAreAskedAgain(t *testing.T) {
	o := small
	o.Task, o.Packed, o.Servers = validator.CausalLM, true, 0
	n := newNetwork(3)
	n.fault = func(uid int, s synapse.Synapse) *synapse.Fault {
		if uid == 2 && s.Serializers().ForwardResponse == wire.Serializer_SERIALIZER_PACKED {
			return synapse.Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION, "what is that?")
		}
		return nil
	}
	v, s := begin(t, o, n, prose(1<<16), filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	run(t, v, 2)
	require.Equal(t, [][]int{{0, 1, 2}, {2}, {0, 1, 2}, {2}}, n.asked)
	require.Equal(t, 2, v.State().Servers[2].Answered())
}

// Whoever invents return codes does not fill up what is known of him.
func TestCodesThatAreNone(t *testing.T) {
	n := newNetwork(2)
	code := wire.ReturnCode(1000)
	n.fault = func(int, synapse.Synapse) *synapse.Fault {
		code++
		return synapse.Faultf(code, "guess")
	}
	v, s := begin(t, small, n, prose(1<<16), filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	run(t, v, 5)
	require.Equal(t, map[wire.ReturnCode]int{wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE: 5}, v.State().Servers[0].Codes)
}

// A line without a text among thousands does not end a validator.
func TestLinesThatAreNoTexts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "texts.jsonl")
	var b strings.Builder
	for i := range 40 {
		line := fmt.Sprintf(`{"text":%q}`, prose(1 << 12)[i:])
		if i%8 == 5 {
			line = `{"title":"` + prose(1<<12) + `"}`
		}
		b.WriteString(line + "\n")
	}
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	c, err := corpus.Open(t.Context(), corpus.Options{Paths: []string{path}, Length: small.Window(), Tokenizer: words{}})
	require.NoError(t, err)
	defer c.Close()
	s, err := state.Open(filepath.Join(t.TempDir(), "state"), state.Options{Settings: small.Settings("")})
	require.NoError(t, err)
	defer s.Close()
	n := newNetwork(2)
	v, err := rounds.New(small, n, c, n.servers, s)
	require.NoError(t, err)
	unreadable := 0
	for {
		round, err := v.Round(t.Context())
		if errors.Is(err, rounds.ErrUsedUp) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, small.Texts, round.Texts)
		unreadable += round.Unreadable
	}
	require.Positive(t, unreadable)
	_, err = v.Round(t.Context())
	require.ErrorIs(t, err, rounds.ErrUsedUp, "what they were asked servers may know by now")
	done := v.State().Progress.Rounds

	o := small
	o.Repeat = true
	v, err = rounds.New(o, n, c, n.servers, s)
	require.NoError(t, err)
	round, err := v.Round(t.Context())
	require.NoError(t, err)
	require.True(t, round.Repeated)
	require.Equal(t, done+1, round.Number)
}

func TestTheEndOfTheTexts(t *testing.T) {
	o := small
	n := newNetwork(2)
	v, s := begin(t, o, n, prose(256*5+10), filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	var err error
	for err == nil {
		_, err = v.Round(t.Context())
	}
	require.ErrorIs(t, err, io.EOF)
	require.Positive(t, v.State().Progress.Rounds)
	total := 0
	for _, b := range n.questions {
		total += b.Texts
	}
	require.Equal(t, total, v.State().Progress.Texts, "what was left had its round")
}

func TestWhatCannotBeAsked(t *testing.T) {
	n := newNetwork(0)
	v, s := begin(t, small, n, prose(1<<12), filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	_, err := v.Round(t.Context())
	require.ErrorIs(t, err, rounds.ErrNobody)

	key, err := auth.NewKey()
	require.NoError(t, err)
	c, err := client.New(client.Options{Key: key, MaxReply: 1})
	require.NoError(t, err)
	defer c.Close()
	texts := texts(t, small, prose(1<<12))
	store, err := state.Open(filepath.Join(t.TempDir(), "state"), state.Options{Settings: small.Settings("")})
	require.NoError(t, err)
	defer store.Close()
	v, err = rounds.New(small, c, texts, newNetwork(2).servers, store)
	require.NoError(t, err)
	_, err = v.Round(t.Context())
	require.ErrorIs(t, err, rounds.ErrQuestion)
	require.ErrorContains(t, err, "exceeds the limit 1")
	require.Zero(t, v.State().Progress.Rounds)
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	bad := rounds.Options{TopK: -1, Texts: -1, Context: 3, HeldOut: -1, Prune: 1, Servers: -1, Packed: true,
		Rules: validator.Rules{Alpha: 2}, Weights: validator.WeightRules{Most: 3}}
	err := bad.Validate()
	for _, words := range []string{"top-k", "texts", "held out", "left out", "servers", "packed", "alpha", "largest weight"} {
		require.ErrorContains(t, err, words)
	}
	require.NoError(t, rounds.Options{}.WithDefaults().Validate())
	require.InDelta(t, 0.975, rounds.Confidence(3), 1e-12)
}
