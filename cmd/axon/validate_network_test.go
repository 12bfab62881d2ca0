package main

import (
	"context"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/localnet"
	"axon/kernels"
	"axon/synapse"
	"axon/synapse/metagraph"
	"axon/synapse/server"
)

// common are the standard tokens " the", ",", ".", " of", " and", " a", " to", " in", " is" and
// the end of a line: about a quarter of all there are in English.
var common = []int32{262, 11, 13, 286, 290, 257, 284, 287, 318, 198}

// guesser is a model that always expects the same: a part of all for the common tokens, and
// the rest for the others. It answers the same question always alike.
type guesser struct{ common float64 }

func (g guesser) Answer(_ context.Context, tokens []int32, needs []synapse.Need) error {
	for _, need := range needs {
		for pos := range tokens {
			if need.Row == nil {
				break
			}
			if err := need.Row(pos, g.row(need.K, need.Order)); err != nil {
				return err
			}
		}
		if need.Next == nil {
			continue
		}
		spelling := func(t int32) []int32 { return []int32{t, 11} }
		if err := need.Next(synapse.NewPhrases(g.row(need.NextK, kernels.Descending), synapse.StandardVocabulary, spelling)); err != nil {
			return err
		}
	}
	return nil
}

// row is k entries, more than there are common tokens.
func (g guesser) row(k int, order kernels.Order) kernels.Sparse {
	each := (1 - g.common) / float64(synapse.StandardVocabulary-len(common))
	row := kernels.Sparse{Rest: float32(math.Log(each * float64(synapse.StandardVocabulary-k)))}
	for _, token := range common {
		row.Entries = append(row.Entries, kernels.Entry{Index: token, Value: float32(math.Log(g.common / float64(len(common))))})
	}
	for token := int32(1000); len(row.Entries) < k; token++ {
		row.Entries = append(row.Entries, kernels.Entry{Index: token, Value: float32(math.Log(each))})
	}
	if order == kernels.ByIndex {
		slices.SortFunc(row.Entries, func(a, b kernels.Entry) int { return int(a.Index - b.Index) })
	}
	return row
}

// guessers are a network of three, of which the first guesses best.
func guessers(t *testing.T) *localnet.Network {
	t.Helper()
	var nodes []localnet.Node
	for _, part := range []float64{0.25, 0.08, 0.01} {
		nodes = append(nodes, localnet.Node{Wrap: func(server.Model) server.Model { return guesser{part} }})
	}
	return startNetwork(t, nodes...)
}

func startNetwork(t *testing.T, nodes ...localnet.Node) *localnet.Network {
	t.Helper()
	n, err := localnet.Start(t.Context(), localnet.Options{}, nodes...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

// metagraphOf writes a network down, and gives the file.
func metagraphOf(t *testing.T, n *localnet.Network) string {
	t.Helper()
	var neurons []metagraph.Neuron
	for _, e := range n.Endpoints() {
		at := netip.MustParseAddrPort(e.Address)
		neurons = append(neurons, metagraph.Neuron{UID: e.UID, Hotkey: e.Hotkey, IP: at.Addr(), Port: at.Port(), Stake: 1})
	}
	path := filepath.Join(t.TempDir(), "network.csv")
	require.NoError(t, metagraph.Write(path, neurons))
	return path
}
