package auth

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/synapse/wire"
)

// stakes is a registry for tests.
type stakes map[PublicKey]float64

func (s stakes) Stake(hotkey PublicKey) (float64, bool) {
	stake, ok := s[hotkey]
	return stake, ok
}

var (
	rich, poor, stranger = PublicKey{1}, PublicKey{2}, PublicKey{3}
	network              = stakes{rich: 1000, poor: 1.5}
)

func newPolicy(t testing.TB, r Rules) *Policy {
	t.Helper()
	p, err := NewPolicy(r)
	require.NoError(t, err)
	return p
}

func asks(hotkey PublicKey) Caller { return Caller{Hotkey: hotkey, Request: Forward} }

func TestWhoIsAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		rules                Rules
		rich, poor, stranger error
	}{
		"no rules":                       {Rules{}, nil, nil, nil},
		"registered":                     {Rules{Registry: network}, nil, nil, ErrUnregistered},
		"stake":                          {Rules{Registry: network, MinStake: 10}, nil, ErrStake, ErrUnregistered},
		"just enough":                    {Rules{Registry: network, MinStake: 1.5}, nil, nil, ErrUnregistered},
		"unregistered too":               {Rules{Registry: network, AllowUnregistered: true}, nil, nil, nil},
		"unregistered without stake":     {Rules{Registry: network, AllowUnregistered: true, MinStake: 10}, nil, ErrStake, ErrStake},
		"denied":                         {Rules{Registry: network, Deny: []PublicKey{rich}}, ErrDenied, nil, ErrUnregistered},
		"allowed":                        {Rules{Registry: network, MinStake: 10, Allow: []PublicKey{stranger}}, nil, ErrStake, nil},
		"allowed, and nothing else":      {Rules{Allow: []PublicKey{poor}}, ErrUnregistered, nil, ErrUnregistered},
		"denied, and nothing else":       {Rules{Deny: []PublicKey{poor}}, nil, ErrDenied, nil},
		"a network of nobody":            {Rules{Registry: stakes{}, Allow: []PublicKey{poor}}, ErrUnregistered, nil, ErrUnregistered},
		"stakes for one synapse only":    {Rules{Registry: network, MinStakeFor: map[wire.SynapseType]float64{2: 1e6}}, nil, nil, ErrUnregistered},
		"an interval, asked once by all": {Rules{MinInterval: time.Hour}, nil, nil, nil},
	} {
		p := newPolicy(t, c.rules)
		for hotkey, want := range map[PublicKey]error{rich: c.rich, poor: c.poor, stranger: c.stranger} {
			err := p.Admit(asks(hotkey))
			if want == nil {
				require.NoError(t, err, name)
				continue
			}
			require.ErrorIs(t, err, want, name)
			require.ErrorIs(t, err, ErrNotAdmitted, name)
		}
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	p := newPolicy(t, Rules{Registry: network, MinStake: 10, Deny: []PublicKey{rich}, MinStakeFor: map[wire.SynapseType]float64{
		wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ: 20,
	}})
	requireRefused(t, p.Admit(asks(rich)), ErrDenied, "hotkey "+rich.Address()+" is on this server's list of those not answered")
	requireRefused(t, p.Admit(asks(poor)), ErrStake, "the stake 1.5 of hotkey "+poor.Address()+" is below the minimum 10")
	requireRefused(t, p.Admit(asks(stranger)), ErrUnregistered, "hotkey "+stranger.Address()+" is not registered in the metagraph that this server knows")
	requireRefused(t, p.MayAsk(poor, wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ), ErrStake,
		"the stake 1.5 of hotkey "+poor.Address()+" is below the minimum 20 for TEXT_SEQ_2_SEQ")
	requireRefused(t, newPolicy(t, Rules{Allow: []PublicKey{rich}}).Admit(asks(poor)), ErrUnregistered,
		"hotkey "+poor.Address()+" is not on this server's list of those answered")
}

func TestStakeForASynapse(t *testing.T) {
	p := newPolicy(t, Rules{
		Registry: network, Allow: []PublicKey{stranger},
		MinStakeFor: map[wire.SynapseType]float64{wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ: 20},
	})
	require.NoError(t, p.MayAsk(rich, wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ))
	require.ErrorIs(t, p.MayAsk(poor, wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ), ErrStake)
	require.NoError(t, p.MayAsk(poor, wire.SynapseType_SYNAPSE_TYPE_TEXT_CAUSAL_LM))
	require.NoError(t, p.MayAsk(stranger, wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ), "allowed whatever the stake")
	require.NoError(t, newPolicy(t, Rules{}).MayAsk(poor, wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ))
}

func TestPriorityIsStake(t *testing.T) {
	known := stakes{poor: 1.5}
	p := newPolicy(t, Rules{Registry: known, Allow: []PublicKey{stranger}})
	require.Equal(t, 1.5, p.Priority(poor))
	require.Zero(t, p.Priority(stranger))
	known[poor] = 7
	require.Equal(t, 7.0, p.Priority(poor), "it is what the registry says now")
	require.Zero(t, newPolicy(t, Rules{}).Priority(poor))
}

func TestMinimumInterval(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	p := newPolicy(t, Rules{MinInterval: time.Second, Now: func() time.Time { return now }})
	require.NoError(t, p.Admit(asks(rich)))
	require.NoError(t, p.Admit(asks(poor)), "each hotkey for itself")
	require.NoError(t, p.Admit(Caller{Hotkey: rich, Request: Backward}), "each kind of request for itself")

	now = now.Add(250 * time.Millisecond)
	requireRefused(t, p.Admit(asks(rich)), ErrInterval, "asked again after 250ms, within the minimum interval of 1s")
	now = now.Add(749 * time.Millisecond)
	require.ErrorIs(t, p.Admit(asks(rich)), ErrInterval)
	now = now.Add(time.Millisecond)
	require.NoError(t, p.Admit(asks(rich)), "what was refused does not count")
	require.ErrorIs(t, p.Admit(asks(rich)), ErrInterval)

	now = now.Add(-time.Hour)
	require.NoError(t, p.Admit(asks(rich)), "a clock set back locks nobody out")
}

func TestThoseWhoAreRefusedTakeUpNoMemory(t *testing.T) {
	p := newPolicy(t, Rules{Registry: network, MinInterval: time.Hour, MinStake: 10})
	for i := range 1000 {
		require.Error(t, p.Admit(asks(PublicKey{9, byte(i), byte(i >> 8)})))
	}
	require.Error(t, p.Admit(asks(poor)))
	require.NoError(t, p.Admit(asks(rich)))
	require.Len(t, p.recent.since, 1)
	require.Len(t, p.recent.queue, 1)
}

func TestMemoryOfIntervalsIsBounded(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	r := newRecent(time.Minute, 10)
	ask := func(i int) bool {
		_, ok := r.admit(asker{PublicKey{byte(i), byte(i >> 8)}, Forward}, now)
		return ok
	}
	for i := range 1000 {
		require.True(t, ask(i))
		require.LessOrEqual(t, len(r.since), 10)
		require.Len(t, r.queue, len(r.since))
		now = now.Add(time.Second)
	}
	require.False(t, ask(999), "the last ones are remembered")
	require.True(t, ask(989), "the one before them is forgotten early")
	now = now.Add(time.Minute)
	require.True(t, ask(5))
	require.Len(t, r.since, 1, "whoever may ask again is forgotten")
	require.Len(t, r.queue, 1)
}

// Of many requests at once, one is within the rules.
func TestIntervalHoldsForRequestsAtOnce(t *testing.T) {
	p := newPolicy(t, Rules{MinInterval: time.Hour})
	results := make([]error, 16)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() { results[i] = p.Admit(asks(rich)) })
	}
	group.Wait()
	admitted := slices.DeleteFunc(results, func(err error) bool { return err != nil })
	require.Len(t, admitted, 1)
}

// The checker keeps no nonce of those whom the policy refuses, and hands on its words.
func TestPolicyOfAChecker(t *testing.T) {
	client, server := newSigner(t, freshKey(t)), knownKey(t).Public()
	policy := newPolicy(t, Rules{Registry: stakes{client.key.Public(): 5}, MinStake: 5, MinInterval: time.Hour})
	checker := newChecker(t, Options{Receiver: server, Now: time.Now, Admit: policy.Admit})
	_, err := checker.Check(MethodForward, signed(t, client, server, FormatV2))
	require.NoError(t, err)
	_, err = checker.Check(MethodForward, signed(t, client, server, FormatV2))
	require.ErrorIs(t, err, ErrInterval)
	require.ErrorContains(t, err, "the minimum interval of 1h0m0s")
	_, err = checker.Check(MethodForward, signed(t, newSigner(t, freshKey(t)), server, FormatV2))
	require.ErrorIs(t, err, ErrUnregistered)
}

func TestRulesAreChecked(t *testing.T) {
	_, err := NewPolicy(Rules{
		MinStake: -1, MinInterval: -time.Second, AllowUnregistered: true, Allow: []PublicKey{rich, poor}, Deny: []PublicKey{poor},
		MinStakeFor: map[wire.SynapseType]float64{1: math.NaN(), 2: 5},
	})
	require.ErrorIs(t, err, ErrOptions)
	for _, words := range []string{"stake of -1", "stake of NaN", "stake of 5, and no metagraph", "unregistered", "interval of -1s", "both allowed and denied"} {
		require.ErrorContains(t, err, words)
	}
	require.NoError(t, Rules{Registry: network, MinStake: 5}.Validate())
	require.NoError(t, Rules{}.Validate())
}
