package localnet_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/localnet"
	"axon/internal/standard"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/wire"
)

func start(t *testing.T, nodes ...localnet.Node) *localnet.Network {
	t.Helper()
	n, err := localnet.Start(t.Context(), localnet.Options{}, nodes...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

func dendrite(t *testing.T) *client.Client {
	t.Helper()
	key, err := auth.NewKey()
	require.NoError(t, err)
	c, err := client.New(client.Options{Key: key, Timeout: time.Minute, Backoff: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func sentence(t *testing.T) synapse.Batch {
	t.Helper()
	std, err := standard.Vocab()
	require.NoError(t, err)
	tokens, err := std.Tokenize("If the file does not exist, it is created with mode perm before it is written to.", false, false)
	require.NoError(t, err)
	return synapse.Batch{Texts: 1, Length: len(tokens), Tokens: tokens}
}

// total is the log-probability of the batch by each server, or its fault.
func total(t *testing.T, c *client.Client, endpoints []client.Endpoint) ([]float64, []*synapse.Fault) {
	t.Helper()
	sums, faults := make([]float64, len(endpoints)), make([]*synapse.Fault, len(endpoints))
	for i, reply := range c.ForwardAll(t.Context(), endpoints, sentence(t), &synapse.TextCrossEntropy{}) {
		require.Equal(t, i, reply.Endpoint.UID)
		if faults[i] = reply.Fault(); faults[i] != nil {
			continue
		}
		for _, p := range reply.Results[0].Answer.(*synapse.LogProbs).Text(0) {
			sums[i] += float64(p)
		}
	}
	return sums, faults
}

// broken answers nothing.
type broken struct{}

func (broken) Answer(context.Context, []int32, []synapse.Need) error { return server.ErrBusy }

// half makes every token half as likely.
type half struct{ server.Model }

func (h half) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	for i := range needs {
		if told := needs[i].LogProb; told != nil {
			needs[i].LogProb = func(pos int, logProb float32) { told(pos, logProb-0.6931472) }
		}
	}
	return h.Model.Answer(ctx, tokens, needs)
}

func TestANetworkOfTheFamily(t *testing.T) {
	n := start(t, append(localnet.Models("axon-70k", "axon-3m", "axon-70k", filepath.Join("..", "..", "models", "axon-200k.gguf")),
		localnet.Node{Model: "axon-3m", Wrap: func(m server.Model) server.Model { return half{m} }},
		localnet.Node{Wrap: func(m server.Model) server.Model {
			require.Nil(t, m)
			return broken{}
		}})...)
	endpoints := n.Endpoints()
	sums, faults := total(t, dendrite(t), endpoints)
	for i := range 5 {
		require.Nil(t, faults[i])
		require.Less(t, sums[i], 0.0)
	}
	require.Greater(t, sums[1], sums[3], "the largest model")
	require.Greater(t, sums[3], sums[0])
	require.InDelta(t, sums[0], sums[2], 1e-3, "a copy")
	positions := float64(sentence(t).Length - 1)
	require.InDelta(t, sums[1]-0.6931472*positions, sums[4], 1e-2)
	require.NotNil(t, faults[5])
	require.NotEqual(t, endpoints[0].Hotkey, endpoints[2].Hotkey)
	require.EqualValues(t, 72_272, n.Info(2).Params)
	require.Zero(t, n.Info(5))
	require.Zero(t, n.Info(6))
}

func TestServersStopAndComeBack(t *testing.T) {
	key, err := auth.NewKey()
	require.NoError(t, err)
	n := start(t, localnet.Node{Model: "axon-70k", Key: key}, localnet.Node{Model: "axon-70k"})
	c, endpoints := dendrite(t), n.Endpoints()
	require.Equal(t, key.Public(), endpoints[0].Hotkey)
	require.NoError(t, n.Stop(0))
	require.NoError(t, n.Stop(0))
	_, faults := total(t, c, endpoints)
	require.NotNil(t, faults[0])
	require.Nil(t, faults[1])
	require.NoError(t, n.Restart(0))
	require.Equal(t, endpoints, n.Endpoints())
	_, faults = total(t, c, endpoints)
	require.Nil(t, faults[0])
	require.ErrorIs(t, n.Stop(2), localnet.ErrNode)
	require.ErrorIs(t, n.Restart(-1), localnet.ErrNode)
}

func TestServersAreAdjusted(t *testing.T) {
	n := start(t, localnet.Node{Model: "axon-70k", Adjust: func(o *server.Options) { o.Limits.Length = 4 }})
	_, faults := total(t, dendrite(t), n.Endpoints())
	require.Equal(t, wire.ReturnCode_RETURN_CODE_REQUEST_SHAPE_EXCEPTION, faults[0].Code, faults[0])
}

func TestNothingIsLeftOfANetworkThatCannotStart(t *testing.T) {
	_, err := localnet.Start(t.Context(), localnet.Options{}, localnet.Node{Model: "axon-70k"}, localnet.Node{})
	require.ErrorIs(t, err, localnet.ErrNode)
	require.ErrorContains(t, err, "server 1")
	_, err = localnet.Start(t.Context(), localnet.Options{}, localnet.Node{Model: filepath.Join(t.TempDir(), "none.gguf")})
	require.ErrorContains(t, err, "no such file")
	_, err = localnet.Start(t.Context(), localnet.Options{}, localnet.Node{Model: "axon-70k", Adjust: func(o *server.Options) { o.Queue = -1 }})
	require.True(t, errors.Is(err, server.ErrOptions), err)
}
