package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse"
)

func random() *rand.Rand { return rand.New(rand.NewPCG(7, 7)) }

func TestAnIntervalHoldsTheMeanAsOftenAsItSays(t *testing.T) {
	rnd, held := random(), 0
	for range 300 {
		x := make([]float64, 40)
		for i := range x {
			x[i] = 3 + rnd.NormFloat64()
		}
		i := bootstrap(rnd, len(x), 300, func(places []int) float64 { return Mean(pick(x, places)) })
		if i.Low <= 3 && 3 <= i.High {
			held++
		}
		require.InDelta(t, newEstimate(x).Interval().Low, i.Low, 0.15)
	}
	require.InDelta(t, 0.94, float64(held)/300, 0.04)
}

func TestIntervalsOfProbabilities(t *testing.T) {
	i := wilson(8, 10) // Wilson 1927, by hand
	require.InDelta(t, 0.490, i.Low, 1e-3)
	require.InDelta(t, 0.943, i.High, 1e-3)
	require.InDelta(t, 1, wilson(10, 10).High, 1e-9)
	require.Greater(t, wilson(10, 10).Low, 0.7)
}

func TestALineThroughPoints(t *testing.T) {
	slope, intercept := line([]float64{1, 2, 4}, []float64{5, 7, 11})
	require.InDelta(t, 2, slope, 1e-12)
	require.InDelta(t, 3, intercept, 1e-12)
}

func TestVerdicts(t *testing.T) {
	require.Equal(t, Holds, decide(Interval{1.1, 2}, 1, true))
	require.Equal(t, DoesNotHold, decide(Interval{0.2, 0.9}, 1, true))
	require.Equal(t, Undecided, decide(Interval{0.9, 1.1}, 1, true))
	require.Equal(t, Holds, decide(Interval{0.2, 0.9}, 1, false))
	require.Equal(t, Holds, keeps("", Estimate{0.0001, 0.0001}, 5).Verdict)
	require.Equal(t, DoesNotHold, keeps("", Estimate{0.1, 0.01}, 5).Verdict)
	require.Equal(t, Undecided, keeps("", Estimate{0.001, 0.01}, 5).Verdict)
}

func TestVerdictsTogether(t *testing.T) {
	list := []Finding{{"x1 one", Holds, ""}, {"x2 two", DoesNotHold, ""}, {"x3 three", Holds, ""}}
	require.Equal(t, "in part: x1, x3 hold; x2 does not hold", overall(list))
	require.Equal(t, "holds", overall(list[:1]))
}

// byOrders is the Shapley value as its definition has it: the mean over all orders.
func byOrders(g *game, v [][]float64) []float64 {
	n, others := g.players(), len(g.others)
	worth := make([]float64, others+1)
	orders := 0
	var add func(left []int, set, k int)
	add = func(left []int, set, k int) {
		if len(left) == 0 {
			orders++
		}
		for i, p := range left {
			rest := append(append([]int{}, left[:i]...), left[i+1:]...)
			weight := 1.0
			for j := 2; j <= len(rest); j++ { // orders of those that come after
				weight *= float64(j)
			}
			if p < others {
				worth[p] += weight * (v[set|1<<p][k] - v[set][k])
				add(rest, set|1<<p, k)
				continue
			}
			if p == others {
				worth[others] += weight * (v[set][k+1] - v[set][k])
			}
			add(rest, set, k+1)
		}
	}
	var all []int
	for i := range n {
		all = append(all, i)
	}
	add(all, 0, 0)
	for i := range worth {
		worth[i] /= float64(orders)
	}
	return worth
}

func someGame(copies int) *game {
	rnd := random()
	g := &game{copies: copies, empty: -math.Log(synapse.StandardVocabulary), others: make([][]float64, 2)}
	for range 20 {
		for i := range g.others {
			g.others[i] = append(g.others[i], rnd.Float64())
		}
		g.copied = append(g.copied, rnd.Float64())
	}
	return g
}

func TestShapleyValues(t *testing.T) {
	for copies := range 3 {
		g := someGame(copies)
		v := g.values()
		worth := g.shapley(v)
		require.InDeltaSlice(t, byOrders(g, v), worth, 1e-9)
		all := worth[0] + worth[1] + float64(1+copies)*worth[2]
		require.InDelta(t, v[3][copies+1]-g.empty, all, 1e-9, "what all are worth is shared out")
	}
}

func TestRemoval(t *testing.T) {
	g := someGame(1)
	loss := func(servers ...[]float64) float64 {
		sum := 0.0
		for i := range g.copied {
			p := 0.0
			for _, s := range servers {
				p += s[i] / float64(len(servers))
			}
			sum -= math.Log(p)
		}
		return sum / float64(len(g.copied))
	}
	a, b, c := g.others[0], g.others[1], g.copied
	require.InDeltaSlice(t, []float64{
		loss(b, c, c) - loss(a, b, c, c), loss(a, c, c) - loss(a, b, c, c), loss(a, b, c) - loss(a, b, c, c),
	}, g.removal(g.values()), 1e-9)
}

// noisy are states of two numbers, of which the first one tells the token.
func noisy(n int) *examples {
	rnd := random()
	e := &examples{width: 3}
	for range n {
		token := rnd.Int32N(4)
		e.tokens = append(e.tokens, 10*token)
		e.states = append(e.states, float32(token)-1.5+0.1*float32(rnd.NormFloat64()), float32(rnd.NormFloat64()), 1)
	}
	return e
}

func TestADecoderLearns(t *testing.T) {
	e, test := noisy(4096), noisy(256)
	before, err := newDecoder(e).meanLoss(test)
	require.NoError(t, err)
	require.InDelta(t, math.Log(4), before, 0.01, "it begins with the frequencies")
	d, tr, err := train(e, test, 10, random)
	require.NoError(t, err)
	require.Positive(t, tr.Epochs)
	after, err := d.meanLoss(test)
	require.NoError(t, err)
	require.Less(t, after, 0.6)
}

// All tokens of the vocabulary together have the probability 1, and what was never seen some.
func TestADecoderIsADistribution(t *testing.T) {
	e := noisy(512)
	e.tokens[7] = 5 // comes once
	d := newDecoder(e)
	require.NoError(t, d.epoch(e, random(), 0.01))
	sum := 0.0
	for _, token := range []int32{0, 5, 10, 20, 30} {
		one := &examples{e.width, e.state(0), []int32{token}}
		l, err := d.losses(one)
		require.NoError(t, err)
		sum += math.Exp(-l[0])
	}
	l, err := d.losses(&examples{e.width, e.state(0), []int32{17}})
	require.NoError(t, err)
	require.InDelta(t, 1, sum+math.Exp(-l[0])*float64(synapse.StandardVocabulary-5), 1e-4)
	require.InDelta(t, 1.0/512, d.unseen, 1e-9)
}

func TestStatesAreNormalised(t *testing.T) {
	learn := &examples{width: 4, tokens: []int32{1, 2}, states: []float32{0, 3, 0, 1, 0, 5, 0, 1}}
	test := &examples{width: 4, tokens: []int32{1}, states: []float32{0, 4, 9, 1}}
	normalise(learn, test)
	require.Equal(t, []float32{-1, 1, 1, 1}, learn.states, "what is always the same says nothing")
	require.Equal(t, []float32{0, 1}, test.states)
	require.Equal(t, 2, test.width)
}

func TestTextsForADifference(t *testing.T) {
	require.Equal(t, 1, textsFor(1, 0.5))
	require.Equal(t, 271, textsFor(0.1, 1))
}

func TestTheLawIsFound(t *testing.T) {
	s := &ScalingResult{}
	for _, size := range []float64{1e6, 1e7, 1e9} {
		l := math.Pow(8.8e13/size, kaplanExponent)
		s.add("", size, []float64{l, l})
	}
	alpha, nc := s.law(s.means(nil))
	require.InDelta(t, kaplanExponent, alpha, 1e-9)
	require.InDelta(t, 1, nc/8.8e13, 1e-6)
	require.InDelta(t, 1, s.Models[0].Effective/1e6, 1e-3)
}

func TestConfigsOfClaims(t *testing.T) {
	require.NoError(t, DefaultClaims().Validate())
	require.NoError(t, QuickClaims().Validate())
	c := QuickClaims()
	c.Claims, c.Texts, c.Models = []Claim{"e", ClaimScaling}, 0, c.Models[:2]
	err := c.Validate()
	require.ErrorIs(t, err, ErrClaims)
	require.ErrorContains(t, err, `claim "e"`)
	require.ErrorContains(t, err, "texts 0")
	require.ErrorContains(t, err, "claim d is about 3 models")
	c = QuickClaims()
	c.Texts = 1 << 20
	_, err = RunClaims(t.Context(), c, nil)
	require.ErrorContains(t, err, "where the held-out text has")
}

// Everything at once, on few texts: what is certain on them is found.
func TestClaims(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	c := QuickClaims()
	c.Models = c.Models[:3]
	told := map[string]bool{}
	r, err := RunClaims(t.Context(), c, func(what string, done float64) {
		told[what] = true
		require.GreaterOrEqual(t, done, 0.0)
		require.Less(t, done, 1.0)
	})
	require.NoError(t, err)
	require.Len(t, told, 5, "the losses, and each claim")
	found := map[string]Finding{}
	for _, f := range r.Findings() {
		name, _, _ := strings.Cut(f.Claim, " ")
		found[name] = f
	}
	require.Len(t, found, 25)
	for claim, verdict := range map[string]Verdict{
		"a1": Holds, "a2": Holds, "a3": DoesNotHold, "b1": Holds, "b2": DoesNotHold, "b3": Holds, "b4": DoesNotHold, "c1": Holds, "c2": Holds, "d4": DoesNotHold, "d5": Undecided,
	} {
		require.Equal(t, verdict, found[claim].Verdict, found[claim].String())
	}
	checkRefused(t, r.Compression)
	require.Greater(t, r.Models[0].Loss.Mean, r.Models[2].Loss.Mean)
	_, err = json.Marshal(r)
	require.NoError(t, err, "no number is NaN")
	var b bytes.Buffer
	require.NoError(t, r.Markdown(&b))
	for _, l := range strings.Split(b.String(), "\n") {
		require.LessOrEqual(t, len([]rune(l)), 110, l)
	}
}

func checkRefused(t *testing.T, c *CompressionResult) {
	t.Helper()
	for _, row := range c.Rows {
		if row.Synapse == "TextCausalLM" && row.Encoding == "float16" {
			require.Contains(t, row.Refused, "CMPPACK")
			continue
		}
		require.Empty(t, row.Refused)
		require.Positive(t, row.Bytes)
	}
}
