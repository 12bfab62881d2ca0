package hostile

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/corpus"
	"axon/internal/localnet"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

// source is a text of which all is known: after an even token comes one of few things, after an
// odd one one of many. What comes is a phrase, of which each first token has one alone,
// four of two tokens and sixteen of three; a tenth is left to what nobody names.
type source struct {
	chance *rand.Rand
}

// phrases are what may follow a token, with their probabilities.
func (source) phrases(last int32) synapse.Phrases {
	heads := int32(2)
	if last%2 != 0 {
		heads = 40
	}
	var p synapse.Phrases
	for head := range heads {
		share := 0.9 / float32(heads)
		add := func(prob float32, tokens ...int32) {
			p.List = append(p.List, synapse.Phrase{Prob: prob, Tokens: tokens})
		}
		add(share/3, head)
		for second := range int32(4) {
			add(share/12, head, 100+second)
			for third := range int32(4) {
				add(share/48, head, 200+second, 300+third)
			}
		}
	}
	p.Floor = float32(0.1 / float64(synapse.StandardVocabulary-len(p.List)))
	for len(p.List) < sourceTopK { // both kinds of answers are as long
		p.List = append(p.List, synapse.Phrase{Tokens: []int32{endOfText}})
	}
	return p
}

// sourceTopK is how many phrases follow an odd token.
const sourceTopK = 40 * 21

// Answer implements server.Model.
func (s source) Answer(_ context.Context, tokens []int32, needs []synapse.Need) error {
	for _, n := range needs {
		if err := n.Next(s.phrases(tokens[len(tokens)-1])); err != nil {
			return err
		}
	}
	return nil
}

// The source is a corpus: windows of a context and what followed it.
const (
	sourceContext = 20
	sourceHeld    = 8
)

// Draw implements corpus.Corpus.
func (s source) Draw(_ context.Context, p corpus.Position, n int) (windows [][]int32, next corpus.Position, err error) {
	for range n {
		var window []int32
		for range sourceContext {
			window = append(window, s.chance.Int32N(1000))
		}
		window = append(window, s.draw(window[sourceContext-1])...)
		for len(window) < sourceContext+sourceHeld {
			window = append(window, 900+s.chance.Int32N(100))
		}
		windows = append(windows, window)
	}
	return windows, corpus.Position{Slot: p.Slot + uint64(n)}, nil
}

func (s source) draw(last int32) []int32 {
	at := s.chance.Float64()
	for _, phrase := range s.phrases(last).List {
		if at -= float64(phrase.Prob); at < 0 {
			return phrase.Tokens
		}
	}
	return []int32{800 + s.chance.Int32N(100)}
}

// Fingerprint, Size and Close implement corpus.Corpus.
func (source) Fingerprint() string { return "source" }

// Size implements corpus.Corpus.
func (source) Size() corpus.Size { return corpus.Size{} }

// Close implements corpus.Corpus.
func (source) Close() error { return nil }

// earnings are the weights of an honest server and an attacker that know all there is to
// know, after some rounds by a rule.
func earnings(t *testing.T, name string, proper bool, n, texts int) (honest, attacker *validator.Average) {
	t.Helper()
	attacks, err := Named(name)
	require.NoError(t, err)
	model := source{}
	s, err := Serve(model, attacks[0], Means{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	net, err := localnet.Start(t.Context(), localnet.Options{}, localnet.Node{Wrap: func(server.Model) server.Model { return model }})
	require.NoError(t, err)
	defer func() { require.NoError(t, net.Close()) }()
	o := rounds.Options{
		Task: validator.Next, Rules: validator.Rules{Proper: proper}, TopK: sourceTopK,
		Texts: texts, Context: sourceContext, HeldOut: sourceHeld,
	}.WithDefaults()
	text := source{rand.New(rand.NewPCG(1, 1))}
	store, err := state.Open(filepath.Join(t.TempDir(), "state"), state.Options{Settings: o.Settings(text.Fingerprint())})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	servers := []client.Endpoint{net.Endpoints()[0], s.Endpoint(1)}
	v, err := rounds.New(o, dendrite(t, time.Minute), text, func() []client.Endpoint { return servers }, store)
	require.NoError(t, err)
	for range n {
		_, err := v.Round(t.Context())
		require.NoError(t, err)
	}
	honest, attacker = v.State().Servers[0].Average, v.State().Servers[1].Average
	t.Logf("%s, proper %v: a loss of %.3f for %.3f, a weight of %.4g for %.4g", name, proper, attacker.Worth.Loss, honest.Worth.Loss, attacker.Weight, honest.Weight)
	return honest, attacker
}

// That these two attacks earn more by the reference's rule is why there is a proper one.
func TestWhatTheReferencePaysForAndTheProperRuleDoesNot(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of rounds")
	}
	honest, attacker := earnings(t, Truncated, false, 60, 8)
	require.Greater(t, attacker.Weight, 1.5*honest.Weight)
	require.Less(t, attacker.Worth.Loss, honest.Worth.Loss-0.3)
	honest, attacker = earnings(t, Truncated, true, 20, 8)
	require.InEpsilon(t, honest.Weight, attacker.Weight, 1e-6)

	honest, attacker = earnings(t, Unsure, false, 200, 1)
	require.Greater(t, attacker.Weight, 1.5*honest.Weight)
	honest, attacker = earnings(t, Unsure, true, 200, 1)
	require.Less(t, attacker.Weight, honest.Weight/2)
	require.Greater(t, attacker.Worth.Loss, honest.Worth.Loss)
}
