package simnet_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/corpus"
	"axon/internal/simnet"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

func network(t *testing.T, o simnet.Options) *simnet.Network {
	t.Helper()
	n, err := simnet.New(o)
	require.NoError(t, err)
	return n
}

// batch is texts of the network's, without their last tokens.
func batch(t *testing.T, n *simnet.Network, texts, length int) synapse.Batch {
	t.Helper()
	windows, _, err := n.Texts(length).Draw(t.Context(), corpus.Position{}, texts)
	require.NoError(t, err)
	return synapse.Batch{Texts: texts, Length: length, Tokens: slices.Concat(windows...)}
}

// replies are those of all servers, by uid.
func replies(t *testing.T, n *simnet.Network, b synapse.Batch, s ...synapse.Synapse) []client.Reply {
	t.Helper()
	list := make([]client.Reply, len(n.Endpoints()))
	heard := 0
	for i, r := range n.ForwardAll(t.Context(), n.Endpoints(), b, s...) {
		require.Equal(t, i, r.Endpoint.UID)
		list[i] = r
		heard++
	}
	require.Len(t, list, heard)
	return list
}

func run(t *testing.T, n *simnet.Network, o rounds.Options, times int) (*state.State, []*state.Round) {
	t.Helper()
	v := atWork(t, n, n, o)
	var all []*state.Round
	for range times {
		r, err := v.Round(t.Context())
		require.NoError(t, err)
		all = append(all, r)
	}
	return v.State(), all
}

// small is a round that takes a moment.
func small(task validator.Task) rounds.Options {
	return rounds.Options{Task: task, TopK: 64, Texts: 4, Context: 8, Prune: 2, Rules: validator.Rules{Proper: true}}
}

func TestWhoKnowsMoreLosesLess(t *testing.T) {
	for _, task := range []validator.Task{validator.Next, validator.CausalLM} {
		n := network(t, simnet.Options{Servers: 6, Seed: 3})
		o := small(task)
		o.Texts, o.TopK, o.Context, o.Prune = 200, 256, 2, 0
		o.Packed = task == validator.CausalLM
		st, _ := run(t, n, o, 2)
		require.Equal(t, []int{0, 1, 2, 3, 4, 5}, rounds.Ranking(st), task)
		for uid := 1; uid < 6; uid++ {
			require.Less(t, n.Knowledge(uid), n.Knowledge(uid-1))
		}
		require.InDelta(t, 5, st.Servers[0].Average.Worth.Loss, 0.5, "the entropy of the language, and little more")
	}
}

// The same seed is the same network, in another process and with other goroutines, to the
// last bit; which is what a round that is repeated needs.
func TestAllFollowsFromTheSeed(t *testing.T) {
	of := func(seed uint64, concurrency int) []*state.Round {
		n := network(t, simnet.Options{
			Servers: 20, Seed: seed, Minds: 7, Concurrency: concurrency, Silent: 0.2,
			Latencies: []time.Duration{time.Microsecond, time.Millisecond, 2 * time.Millisecond}, Timeout: 2 * time.Millisecond,
		})
		_, list := run(t, n, small(validator.Next), 2)
		for _, r := range list {
			r.Began, r.Took = time.Time{}, 0 // are the clock's
		}
		return list
	}
	want := of(1, 1)
	require.Equal(t, want, of(1, 20))
	require.NotEqual(t, want[0].Replies, of(2, 20)[0].Replies)
	require.NotEqual(t, want[0].Replies, want[1].Replies)
	codes := map[wire.ReturnCode]int{}
	for _, r := range want[0].Replies {
		codes[r.Code]++
	}
	require.Len(t, codes, 2, codes)
	require.Positive(t, codes[wire.ReturnCode_RETURN_CODE_TIMEOUT])
}

func TestServersOfOneMindAnswerAlike(t *testing.T) {
	n := network(t, simnet.Options{Servers: 5, Minds: 2})
	list := replies(t, n, batch(t, n, 2, 5), &synapse.TextCausalLMNext{TopK: 8})
	require.Equal(t, list[0].Results, list[4].Results)
	require.NotEqual(t, list[0].Results, list[1].Results)
	require.NotEqual(t, list[0].Endpoint.Hotkey, list[4].Endpoint.Hotkey)
	require.Equal(t, n.Knowledge(0), n.Knowledge(2))
}

// What comes is what a server would send: phrases in descending order, some of two tokens,
// whose probabilities are some.
func TestAnswersAreThoseOfAServer(t *testing.T) {
	n := network(t, simnet.Options{Servers: 2})
	b := batch(t, n, 3, 6)
	list := replies(t, n, b, &synapse.TextCausalLMNext{TopK: 4096}, &synapse.TextCausalLM{TopK: 100})
	for _, r := range list {
		require.Nil(t, r.Fault())
		require.Greater(t, r.BytesIn, 4*3*(2*4096+1+6*2*100))
		require.Greater(t, r.BytesOut, 4*3*6)
		next := r.Results[0].Answer.(*synapse.NextPhrases)
		require.Len(t, next.Texts, 3)
		long, last := 0, float32(1)
		for _, phrase := range next.Texts[0].List {
			require.LessOrEqual(t, phrase.Prob, last)
			last = phrase.Prob
			long += len(phrase.Tokens) - 1
		}
		require.Less(t, next.Texts[0].Floor, last)
		require.InDelta(t, 4096/8, long, 100)
		row, err := r.Results[1].Answer.(*synapse.Distributions).At(2, 5)
		require.NoError(t, err)
		require.Len(t, row.Entries, 100, "no token twice")
	}
}

func TestTimesPassAndRunOut(t *testing.T) {
	n := network(t, simnet.Options{Servers: 3, Latencies: []time.Duration{time.Hour}, Timeout: 5 * time.Millisecond})
	began := time.Now()
	for _, r := range replies(t, n, batch(t, n, 1, 4), &synapse.TextCausalLMNext{TopK: 2}) {
		require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, r.Fault().Code)
		require.Equal(t, 5*time.Millisecond, r.Duration)
		require.Positive(t, r.BytesOut)
		require.Zero(t, r.BytesIn)
	}
	require.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)
	n = network(t, simnet.Options{Servers: 3, Silent: 1})
	for _, r := range replies(t, n, batch(t, n, 1, 4), &synapse.TextCausalLMNext{TopK: 2}) {
		require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, r.Fault().Code)
		require.Equal(t, 12*time.Second, r.Duration, "which did not pass")
	}
}

func TestWhoStopsListeningWaitsForNobody(t *testing.T) {
	n := network(t, simnet.Options{Servers: 100, Latencies: []time.Duration{time.Hour}, Concurrency: 10})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := batch(t, n, 1, 4)
	for _, r := range n.ForwardAll(ctx, n.Endpoints(), b, &synapse.TextCausalLMNext{TopK: 2}) {
		require.Contains(t, r.Fault().Message, "canceled")
	}
	n = network(t, simnet.Options{Servers: 100})
	heard := 0
	for range n.ForwardAll(t.Context(), n.Endpoints(), b, &synapse.TextCausalLMNext{TopK: 2}) {
		if heard++; heard == 3 {
			break
		}
	}
	require.Equal(t, 3, heard)
}

func TestWhatCannotBeAsked(t *testing.T) {
	n := network(t, simnet.Options{Servers: 2})
	b := batch(t, n, 1, 4)
	for _, c := range []struct {
		b     synapse.Batch
		s     synapse.Synapse
		code  wire.ReturnCode
		words string
	}{
		{synapse.Batch{}, &synapse.TextCausalLMNext{TopK: 2}, wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST, "Empty Request"},
		{b, &synapse.TextLastHiddenState{}, wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED, "phrases and distributions only"},
		{b, &synapse.TextCausalLMNext{}, wire.ReturnCode_RETURN_CODE_INVALID_REQUEST, "topk 0 asks for nothing"},
	} {
		for _, r := range replies(t, n, c.b, c.s) {
			require.Equal(t, c.code, r.Fault().Code, r.Fault())
			require.Contains(t, r.Fault().Message, c.words)
		}
	}
	stranger := n.Endpoints()[1]
	stranger.Hotkey[0]++
	for _, r := range n.ForwardAll(t.Context(), []client.Endpoint{{UID: -1}, {UID: 2}, stranger}, b, &synapse.TextCausalLMNext{TopK: 2}) {
		require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAVAILABLE, r.Fault().Code)
	}
}

func TestTextsHaveNoEndAndOneMeaning(t *testing.T) {
	n := network(t, simnet.Options{Servers: 1, Seed: 5})
	texts := n.Texts(12)
	all, end, err := texts.Draw(t.Context(), corpus.Position{}, 6)
	require.NoError(t, err)
	require.Equal(t, corpus.Position{Slot: 6}, end)
	some, _, err := network(t, simnet.Options{Servers: 9, Seed: 5}).Texts(12).Draw(t.Context(), corpus.Position{Slot: 4}, 2)
	require.NoError(t, err)
	require.Equal(t, all[4:], some)
	require.NotEqual(t, all[0], all[1])
	require.Equal(t, texts.Fingerprint(), n.Texts(12).Fingerprint())
	require.NotEqual(t, texts.Fingerprint(), n.Texts(13).Fingerprint())
	require.NotEqual(t, texts.Fingerprint(), network(t, simnet.Options{Servers: 1}).Texts(12).Fingerprint())
	require.Zero(t, texts.Size())
	require.NoError(t, texts.Close())
}

func TestLatenciesWereRecorded(t *testing.T) {
	list := slices.Sorted(slices.Values(simnet.Latencies(1)))
	require.Len(t, list, 1000)
	require.Positive(t, list[0])
	require.Less(t, list[999], 12*time.Second)
	require.InDelta(t, 3*list[999].Seconds(), slices.Max(simnet.Latencies(3)).Seconds(), 1e-6)
}

func TestBadOptions(t *testing.T) {
	for words, o := range map[string]simnet.Options{
		"0 servers":          {},
		"65537 servers":      {Servers: 1<<16 + 1},
		"-1 minds":           {Servers: 1, Minds: -1},
		"share of 2":         {Servers: 1, Silent: 2},
		"time-out of -1ns":   {Servers: 1, Timeout: -1},
		"-1 questions":       {Servers: 1, Concurrency: -1},
		"-1 minds, must be ": {Servers: -3, Minds: -1},
	} {
		_, err := simnet.New(o)
		require.ErrorIs(t, err, simnet.ErrOptions)
		require.ErrorContains(t, err, words)
	}
	_, err := simnet.New(simnet.Options{Servers: -1, Silent: -1})
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "all faults at once")
}

func TestAddressesAreDistinctAndValid(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range network(t, simnet.Options{Servers: 1 << 16}).Endpoints() {
		require.NoError(t, e.Validate())
		seen[e.Address] = true
	}
	require.Len(t, slices.Collect(maps.Keys(seen)), 1<<16)
}
