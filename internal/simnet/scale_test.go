package simnet_test

import (
	"context"
	"iter"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/simnet"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

// atWork is a validator of a simulated network, which asks by a, and its database.
func atWork(t *testing.T, net *simnet.Network, a rounds.Asker, o rounds.Options) *rounds.Validator {
	t.Helper()
	o = o.WithDefaults()
	texts := net.Texts(o.Window())
	store, err := state.Open(filepath.Join(t.TempDir(), "state"), state.Options{Settings: o.Settings(texts.Fingerprint())})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	v, err := rounds.New(o, a, texts, net.Endpoints, store)
	require.NoError(t, err)
	return v
}

// scales looks at what is held when all have answered and nobody was compared yet.
type scales struct {
	rounds.Asker
	held uint64 // bytes
}

func (s *scales) ForwardAll(ctx context.Context, e []client.Endpoint, b synapse.Batch, q ...synapse.Synapse) iter.Seq2[int, client.Reply] {
	replies := s.Asker.ForwardAll(ctx, e, b, q...)
	return func(yield func(int, client.Reply) bool) {
		replies(yield)
		s.held = max(s.held, heap())
	}
}

// heap is what is in use of it, without garbage.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const mib = 1 << 20

// One validator drives 1,000 servers, and holds of each answer little more than the 8 bytes
// of each phrase: 262 MB of 8 texts × 4096 phrases, with some 20 MB of answers that the
// simulation keeps. Afterwards nothing is left of them.
func TestThousandServers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some ten seconds of a core")
	}
	const servers, times = 1000, 2
	net := network(t, simnet.Options{
		Servers: servers, Seed: 1, Latencies: simnet.Latencies(0.1), Silent: 0.01, Timeout: 100 * time.Millisecond,
	})
	before := heap()
	held := &scales{Asker: net}
	v := atWork(t, net, held, rounds.Options{Task: validator.Next, TopK: 4096, Texts: 8, Rules: validator.Rules{Proper: true}})
	codes := map[wire.ReturnCode]int{}
	for range times {
		r, err := v.Round(t.Context())
		require.NoError(t, err)
		require.Len(t, r.Replies, servers)
		for _, reply := range r.Replies {
			codes[reply.Code]++
			require.Len(t, reply.Losses, 8)
			require.Equal(t, reply.Code == wire.ReturnCode_RETURN_CODE_SUCCESS, reply.Divergence != nil)
			require.Equal(t, reply.Code == wire.ReturnCode_RETURN_CODE_SUCCESS, reply.Bytes > 4*8*2*4096)
		}
	}
	require.Len(t, codes, 2)
	require.InDelta(t, 0.01*servers*times, codes[wire.ReturnCode_RETURN_CODE_TIMEOUT], 20)
	require.Equal(t, servers*times, codes[wire.ReturnCode_RETURN_CODE_TIMEOUT]+codes[wire.ReturnCode_RETURN_CODE_SUCCESS])
	st := v.State()
	require.Len(t, st.Servers, servers)
	for uid, s := range st.Servers {
		require.Equal(t, times, s.Average.Tally.Rounds, uid)
	}
	require.Empty(t, st.Pairs)
	t.Logf("%d MiB held", (held.held-before)>>20)
	require.Less(t, held.held-before, uint64(400*mib))
	require.Less(t, int64(heap())-int64(before), int64(32*mib))
}

// What grows with the square of the servers is done where it is asked for, and nowhere else.
func TestPairsAreOptIn(t *testing.T) {
	for _, servers := range []int{10, 40} {
		for _, synergy := range []bool{false, true} {
			net := network(t, simnet.Options{Servers: servers})
			o := small(validator.Next)
			o.Rules.Synergy = synergy
			st, _ := run(t, net, o, 2)
			pairs := 0
			if synergy {
				pairs = servers * (servers - 1) / 2
			}
			require.Len(t, st.Pairs, pairs)
		}
	}
}

// What a validator allocates for a server does not depend on how many others there are.
func TestMemoryGrowsWithTheServers(t *testing.T) {
	perServer := func(servers int) float64 {
		net := network(t, simnet.Options{Servers: servers, Minds: 1})
		v := atWork(t, net, net, small(validator.Next))
		_, err := v.Round(t.Context()) // all that is made once
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 3 {
			_, err := v.Round(t.Context())
			require.NoError(t, err)
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / float64(3*servers)
	}
	few, many := perServer(50), perServer(800)
	t.Logf("%.1f allocations a server of 50, %.1f of 800", few, many)
	require.Less(t, many, 1.2*few)
}
