package hostile

import (
	"context"
	"io"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/localnet"
	"axon/kernels"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/validator"
	"axon/synapse/wire"
)

// topK is how much the tests ask for.
const topK = 8

// oracle is a model that needs none: it gives the i-th likeliest token 2^-(i+1), counted from the
// last token of the text on, and the rest to others. Every second phrase has two tokens,
// and the third begins like the first.
type oracle struct{ asked atomic.Int64 }

// Answer implements server.Model.
func (o *oracle) Answer(_ context.Context, tokens []int32, needs []synapse.Need) error {
	o.asked.Add(1)
	for _, n := range needs {
		if n.Next != nil {
			if err := n.Next(oraclePhrases(tokens[len(tokens)-1], n.NextK)); err != nil {
				return err
			}
		}
		for pos := range tokens {
			if n.Row == nil {
				break
			}
			if err := n.Row(pos, oracleRow(tokens[pos], n.K)); err != nil {
				return err
			}
		}
	}
	return nil
}

func oraclePhrases(last int32, k int) synapse.Phrases {
	var p synapse.Phrases
	for i := range k {
		tokens := []int32{last + int32(i)}
		switch {
		case i == 2:
			tokens = []int32{last, 7, 8}
		case i%2 == 1:
			tokens = append(tokens, 7)
		}
		p.List = append(p.List, synapse.Phrase{Prob: float32(math.Exp2(-float64(i + 1))), Tokens: tokens})
	}
	p.Floor = float32(math.Exp2(-float64(k)) / float64(ownTokens-k))
	return p
}

func oracleRow(last int32, k int) kernels.Sparse {
	var top kernels.Sparse
	for i := range k {
		top.Entries = append(top.Entries, kernels.Entry{Index: last + int32(i), Value: float32(-float64(i+1) * math.Ln2)})
	}
	top.Rest = float32(-float64(k) * math.Ln2)
	return top
}

// network is one attacker on a network of honest oracles.
type network struct {
	t        *testing.T
	client   *client.Client
	honest   client.Endpoint
	attacker client.Endpoint
	text     []int32
}

// attacked starts an honest server and an attacker.
func attacked(t *testing.T, name string, timeout time.Duration) *network {
	t.Helper()
	attacks, err := Named(name)
	require.NoError(t, err)
	a := attacks[0]
	n := &network{t: t, client: dendrite(t, timeout)}
	var net *localnet.Network
	means := Means{Delay: time.Millisecond, Key: newKey(t), Neighbours: func() []client.Endpoint { return net.Endpoints()[:2] }}
	for i := range int32(100) {
		n.text = append(n.text, i*i%97)
	}
	means.Text = [][]int32{n.text}
	require.NoError(t, a.Check(means))
	model := &oracle{}
	honest := localnet.Node{Wrap: func(server.Model) server.Model { return model }}
	nodes := []localnet.Node{honest, honest}
	if !a.OnTheWire() {
		attacker := a.Wrap(model, means)
		if c, ok := attacker.(io.Closer); ok {
			t.Cleanup(func() { require.NoError(t, c.Close()) })
		}
		nodes = append(nodes, localnet.Node{Wrap: func(server.Model) server.Model { return attacker }})
	}
	net, err = localnet.Start(t.Context(), localnet.Options{}, nodes...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, net.Close()) })
	n.honest, n.attacker = net.Endpoints()[0], net.Endpoints()[len(nodes)-1]
	if a.OnTheWire() {
		s, err := Serve(model, a, means)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		n.attacker = s.Endpoint(2)
	}
	return n
}

func newKey(t *testing.T) *auth.Key {
	t.Helper()
	key, err := auth.NewKey()
	require.NoError(t, err)
	return key
}

func dendrite(t *testing.T, timeout time.Duration) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Key: newKey(t), Timeout: timeout, Backoff: -1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// batch is two texts out of the one that is known by heart, of which the tokens behind
// follow.
func (n *network) batch() synapse.Batch {
	return synapse.Batch{Texts: 2, Length: 20, Tokens: slices.Concat(n.text[10:30], n.text[50:70])}
}

func (n *network) ask(e client.Endpoint, s synapse.Synapse) (synapse.Answer, *synapse.Fault) {
	r := n.client.Forward(n.t.Context(), e, n.batch(), s)
	if f := r.Fault(); f != nil {
		return nil, f
	}
	return r.Results[0].Answer, nil
}

// phrases are what both answer about the first text.
func (n *network) phrases() (honest, attacker synapse.Phrases) {
	n.t.Helper()
	list := make([]synapse.Phrases, 2)
	for i, e := range []client.Endpoint{n.honest, n.attacker} {
		a, f := n.ask(e, &synapse.TextCausalLMNext{TopK: topK})
		require.Nil(n.t, f)
		list[i] = a.(*synapse.NextPhrases).Texts[0]
	}
	return list[0], list[1]
}

// rows are what both answer about a position of the first text.
func (n *network) rows(pos int) (honest, attacker kernels.Sparse) {
	n.t.Helper()
	list := make([]kernels.Sparse, 2)
	for i, e := range []client.Endpoint{n.honest, n.attacker} {
		a, f := n.ask(e, &synapse.TextCausalLM{TopK: topK})
		require.Nil(n.t, f)
		row, err := a.(*synapse.Distributions).At(0, pos)
		require.NoError(n.t, err)
		list[i] = row
	}
	return list[0], list[1]
}

func probOf(top kernels.Sparse, token int32) float64 {
	for _, e := range top.Entries {
		if e.Index == token {
			return math.Exp(float64(e.Value))
		}
	}
	return 0
}

func TestWhoAnswersHonestly(t *testing.T) {
	for _, name := range []string{Honest, "slow", Copies, Peeks, Remembers} {
		n := attacked(t, name, time.Minute)
		if a, _ := Named(name); a[0].For(validator.Next) {
			honest, same := n.phrases()
			require.Equal(t, honest, same, name)
		}
		honest, same := n.rows(n.batch().Length - 1)
		require.InDeltaSlice(t, values(honest), values(same), 1e-5, name)
	}
}

func values(top kernels.Sparse) []float64 {
	list := []float64{float64(top.Rest)}
	for _, e := range top.Entries {
		list = append(list, float64(e.Index), float64(e.Value))
	}
	return list
}

func TestTruncatedPhrases(t *testing.T) {
	honest, cut := attacked(t, Truncated, time.Minute).phrases()
	for i, p := range honest.List {
		require.Equal(t, synapse.Phrase{Prob: p.Prob, Tokens: p.Tokens[:1]}, cut.List[i])
	}
	_, cut = attacked(t, Decoyed, time.Minute).phrases()
	require.Len(t, cut.List[0].Tokens, 1)
	require.Len(t, cut.List[topK-1].Tokens, heldOut)
	require.Zero(t, cut.List[topK-1].Prob)
	_, cut = attacked(t, "decoy", time.Minute).phrases()
	require.Equal(t, honest.List[:topK-1], cut.List[:topK-1])
	require.Len(t, cut.List[topK-1].Tokens, heldOut)
}

func TestAggregatedPhrases(t *testing.T) {
	honest, sums := attacked(t, "aggregated", time.Minute).phrases()
	require.Len(t, sums.List, topK)
	require.InDelta(t, honest.List[0].Prob+honest.List[2].Prob, sums.List[0].Prob, 1e-6)
	require.Equal(t, honest.List[0].Tokens, sums.List[0].Tokens)
	require.Equal(t, synapse.Phrase{Tokens: []int32{endOfText}}, sums.List[topK-1])
}

func TestThinFloor(t *testing.T) {
	honest, thin := attacked(t, ThinFloor, time.Minute).phrases()
	require.InEpsilon(t, honest.Floor*(ownTokens-topK)/(synapse.StandardVocabulary-topK), thin.Floor, 1e-5)
	require.Equal(t, honest.List, thin.List)
}

func TestTranslatedPhrases(t *testing.T) {
	n := attacked(t, Translated, time.Minute)
	_, p := n.phrases()
	row, _ := n.rows(n.batch().Length - 1)
	require.Len(t, p.List, topK)
	for _, phrase := range p.List {
		require.Len(t, phrase.Tokens, 1)
		require.InDelta(t, probOf(row, phrase.Tokens[0]), phrase.Prob, 1e-6)
	}
	require.InEpsilon(t, math.Exp(float64(row.Rest)), float64(p.Floor)*(synapse.StandardVocabulary-topK), 1e-4)
}

func TestTemperatures(t *testing.T) {
	sharper := map[string]bool{"sharpened": true, "sharpened-a-little": true, "flattened": false}
	for name, sharp := range sharper {
		n := attacked(t, name, time.Minute)
		honest, p := n.phrases()
		require.Equal(t, sharp, entropyOfPhrases(p) < entropyOfPhrases(honest), name)
		require.InDelta(t, 1, massOf(p), 1e-3, name)
		was, row := n.rows(3)
		require.Equal(t, sharp, entropyOfRow(row) < entropyOfRow(was), name)
	}
}

// massOf is what phrases and floors sum up to.
func massOf(p synapse.Phrases) float64 {
	sum := float64(p.Floor) * float64(ownTokens-len(p.List))
	for _, phrase := range p.List {
		sum += float64(phrase.Prob)
	}
	return sum
}

func TestWhatIsSaidInsteadOfProbabilities(t *testing.T) {
	n := attacked(t, "leaves-nothing", time.Minute)
	_, p := n.phrases()
	require.InDelta(t, 1, massOf(p), 1e-6)
	require.Zero(t, p.Floor)
	_, row := n.rows(3)
	require.Less(t, row.Rest, float32(-10))

	n = attacked(t, "certain", time.Minute)
	_, p = n.phrases()
	require.Equal(t, float32(1), p.List[0].Prob)
	require.InDelta(t, 1, massOf(p), 1e-6)
	was, row := n.rows(3)
	require.InDelta(t, 1, probOf(row, was.Entries[0].Index), 1e-6)

	n = attacked(t, "uniform", time.Minute)
	_, p = n.phrases()
	require.Equal(t, p.Floor, p.List[0].Prob)
	_, row = n.rows(3)
	require.InDelta(t, math.Log(synapse.StandardVocabulary), entropyOfRow(row), 1e-3)

	n = attacked(t, "zeros", time.Minute)
	_, p = n.phrases()
	require.Zero(t, massOf(p))
	_, row = n.rows(3)
	require.Less(t, row.Entries[0].Value, float32(-80))

	n = attacked(t, "inflated", time.Minute)
	_, f := n.ask(n.attacker, &synapse.TextCausalLMNext{TopK: topK})
	require.NotNil(t, f, "the sum is above 1")
	was, row = n.rows(3)
	require.InDelta(t, inflation*probOf(was, was.Entries[5].Index), probOf(row, was.Entries[5].Index), 1e-5)
}

func TestWhatIsNoAnswer(t *testing.T) {
	const code = wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION
	for name, words := range map[string]string{
		"sum-above-one": "sum up to", "negative": "below tolerance", "not-numbers": "", "too-many": "", "other-shape": "shape", "garbage": "",
	} {
		n := attacked(t, name, time.Minute)
		_, f := n.ask(n.attacker, &synapse.TextCausalLMNext{TopK: topK})
		require.NotNil(t, f, name)
		require.Equal(t, code, f.Code, name)
		require.Contains(t, f.Message, words, name)

		a, f := n.ask(n.attacker, &synapse.TextCausalLM{TopK: topK})
		switch name {
		case "sum-above-one": // is normalised, and leaves the others nothing
			row, err := a.(*synapse.Distributions).At(1, 19)
			require.NoError(t, err)
			require.Less(t, row.Rest, float32(-80))
		case "negative", "not-numbers":
			_, err := a.(*synapse.Distributions).At(1, 19)
			require.ErrorIs(t, err, synapse.ErrDecode)
		default:
			require.NotNil(t, f, name)
			require.Equal(t, code, f.Code, name)
		}
	}
}

func TestWhoDoesNotAnswer(t *testing.T) {
	n := attacked(t, Silent, time.Minute)
	_, f := n.ask(n.attacker, &synapse.TextCausalLMNext{TopK: topK})
	require.NotNil(t, f)
	n = attacked(t, "too-slow", 200*time.Millisecond)
	_, f = n.ask(n.attacker, &synapse.TextCausalLMNext{TopK: topK})
	require.Equal(t, wire.ReturnCode_RETURN_CODE_TIMEOUT, f.Code)
}

// A server that is silent where it is unsure answers what it finds no harder than usual.
func TestSilenceWhereUnsure(t *testing.T) {
	s := newShy()
	require.False(t, s.unusual(5), "the first is like all before it")
	require.True(t, s.unusual(6))
	require.False(t, s.unusual(1))
	require.False(t, s.unusual(5))
	require.True(t, s.unusual(5.5))

	n := attacked(t, Unsure, time.Minute)
	for _, q := range []synapse.Synapse{&synapse.TextCausalLMNext{TopK: topK}, &synapse.TextCausalLM{TopK: topK}} {
		answers, faults := 0, 0
		for _, k := range []int{topK, topK + 1} { // more entries, and a little more entropy
			if next, ok := q.(*synapse.TextCausalLMNext); ok {
				next.TopK = k
			} else {
				q.(*synapse.TextCausalLM).TopK = k
			}
			if _, f := n.ask(n.attacker, q); f != nil {
				require.Equal(t, wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL, f.Code)
				faults++
			} else {
				answers++
			}
		}
		require.Equal(t, 2, answers+faults)
		require.Positive(t, answers)
	}
}

func TestPeeking(t *testing.T) {
	n := attacked(t, Peeks, time.Minute)
	_, row := n.rows(4)
	require.InDelta(t, 1, probOf(row, n.batch().Text(0)[5]), 1e-6)
}

func TestMixing(t *testing.T) {
	n := attacked(t, Mixes, time.Minute) // two neighbours that say the same
	honest, mean := n.phrases()
	require.InDelta(t, massOf(honest), massOf(mean), 1e-3)
	require.Equal(t, honest.List[0].Tokens, mean.List[0].Tokens)
	was, row := n.rows(7)
	require.InDeltaSlice(t, values(was), values(row), 1e-4)

	a := &synapse.NextPhrases{Texts: []synapse.Phrases{{List: []synapse.Phrase{{Prob: 0.8, Tokens: []int32{1}}, {Prob: 0.1, Tokens: []int32{2}}}, Floor: 1e-4}}}
	b := &synapse.NextPhrases{Texts: []synapse.Phrases{{List: []synapse.Phrase{{Prob: 0.6, Tokens: []int32{3}}, {Prob: 0.2, Tokens: []int32{1}}}, Floor: 3e-4}}}
	two := meanPhrases([]synapse.Answer{a, b}, 2)
	require.InDelta(t, 0.5, two.List[0].Prob, 1e-6)
	require.InDelta(t, (0.6+1e-4)/2, two.List[1].Prob, 1e-6)
	require.Equal(t, []int32{3}, two.List[1].Tokens)
	require.InDelta(t, 2e-4, two.Floor, 1e-9)
}

func TestKnowingTheText(t *testing.T) {
	for name, prob := range map[string]float64{ByHeart: sure, Dosed: dosed} {
		n := attacked(t, name, time.Minute)
		_, p := n.phrases()
		require.Equal(t, []int32{n.text[30]}, p.List[0].Tokens, name)
		require.InDelta(t, prob, p.List[0].Prob, 1e-6)
		require.Len(t, p.List, topK)
		require.LessOrEqual(t, massOf(p), 1.0001)
		_, row := n.rows(19)
		require.InDelta(t, prob, probOf(row, n.text[30]), 1e-5, name)
		was, row := n.rows(5) // too little of the text to know the place
		require.InDeltaSlice(t, values(was), values(row), 1e-5)
	}
}

// A server that remembers needs the text to have come before, with what followed.
func TestRemembering(t *testing.T) {
	n := attacked(t, Remembers, time.Minute)
	honest, first := n.phrases()
	require.Equal(t, honest, first)
	longer := synapse.Batch{Texts: 1, Length: 30, Tokens: n.text[5:35]}
	require.Nil(t, n.client.Forward(t.Context(), n.attacker, longer, &synapse.TextCausalLMNext{TopK: topK}).Fault())
	_, again := n.phrases()
	require.Equal(t, []int32{n.text[30]}, again.List[0].Tokens)
	require.InDelta(t, sure, again.List[0].Prob, 1e-6)
}

func TestAttacksHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range All() {
		require.NotEmpty(t, a.About, a.Name)
		require.False(t, seen[a.Name], a.Name)
		seen[a.Name] = true
		require.NotEmpty(t, a.Knows.String())
	}
	require.Equal(t, Honest, Names()[0])
	all, err := Named()
	require.NoError(t, err)
	require.Len(t, all, len(seen))
	_, err = Named("bribes")
	require.ErrorIs(t, err, ErrAttack)
	require.ErrorContains(t, err, Silent)
}

func TestWhatAttackersLack(t *testing.T) {
	for _, name := range []string{Copies, Mixes, ByHeart, Dosed} {
		a, err := Named(name)
		require.NoError(t, err)
		require.ErrorIs(t, a[0].Check(Means{}), ErrAttack, name)
	}
}

func TestAModelIsAskedOnce(t *testing.T) {
	model := &oracle{}
	o := NewOnce(model, 2)
	var got [3]synapse.Phrases
	for i := range got {
		require.NoError(t, o.Answer(t.Context(), []int32{1, 2}, []synapse.Need{{NextK: topK, Next: func(p synapse.Phrases) error {
			got[i] = p
			return nil
		}}}))
	}
	require.EqualValues(t, 1, model.asked.Load())
	require.Equal(t, oraclePhrases(2, topK), got[2])
	for _, last := range []int32{3, 4} { // two more, for which the first makes room
		require.NoError(t, o.Answer(t.Context(), []int32{last}, []synapse.Need{{NextK: topK, Next: func(synapse.Phrases) error { return nil }}}))
	}
	require.NoError(t, o.Answer(t.Context(), []int32{1, 2}, []synapse.Need{{NextK: topK, Next: func(synapse.Phrases) error { return nil }}}))
	require.EqualValues(t, 4, model.asked.Load())

	failing := NewOnce(mute{}, 2)
	for range 2 { // failures are not kept
		require.ErrorIs(t, failing.Answer(t.Context(), []int32{1}, []synapse.Need{{Next: func(synapse.Phrases) error { return nil }}}), server.ErrBusy)
	}
	require.Empty(t, failing.known)
}
