package validator

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
	"axon/synapse"
)

type phraseCase struct {
	Name    string            `json:"name"`
	Tensor  recorded          `json:"topk_tensor"`
	Targets []json.RawMessage `json:"target_phrases"`
	Options struct {
		Vocabulary *int   `json:"vocab_size_min"`
		Reduction  string `json:"reduction"`
	} `json:"options"`
	PerItem *struct {
		First  []number `json:"loss_val"`
		Phrase []number `json:"loss"`
	} `json:"per_item"`
	PerItemError *struct{ Kind string } `json:"per_item_error"`
	Reduced      *struct {
		First  number `json:"loss_val"`
		Phrase number `json:"loss"`
	} `json:"mean"`
}

func (c phraseCase) targets(t *testing.T) (targets [][]int32) {
	t.Helper()
	for _, target := range c.Targets {
		targets = append(targets, rounded(flatten(t, target)))
	}
	return targets
}

func TestPhraseCrossEntropyIsTheReferences(t *testing.T) {
	f := conformance.Open(t, "e_phrase_cross_entropy")
	for _, c := range conformance.Cases[phraseCase](f) {
		t.Run(c.Name, func(t *testing.T) {
			answer := c.Tensor.phrases(t, f)
			rule := NewPhraseRule(answer)
			rule.Longest = c.Tensor.Shape[2] - 1
			if c.Options.Vocabulary != nil {
				rule.Vocabulary = *c.Options.Vocabulary
			}
			if c.PerItemError != nil {
				_, err := rule.measure(answer, c.targets(t))
				require.Error(t, err)
				return
			}
			require.NotNil(t, c.PerItem, "nothing to compare with")
			sum, targets := PhraseLosses{}, c.targets(t) // there may be more of them
			for i, p := range answer {
				got, err := rule.Losses(p, targets[i])
				require.NoError(t, err)
				requireClose(t, c.PerItem.First[i], got.First, 0, 1e-4, "first token, text %d", i)
				requireClose(t, c.PerItem.Phrase[i], got.Phrase, 0, 1e-4, "phrase, text %d", i)
				sum.First += got.First
				sum.Phrase += got.Phrase
			}
			if c.Reduced != nil { // reductions have no names here: a bad one cannot be given
				n := float64(len(answer))
				if c.Options.Reduction == "sum" {
					n = 1
				}
				requireClose(t, c.Reduced.First, sum.First/n, 0, 1e-4)
				requireClose(t, c.Reduced.Phrase, sum.Phrase/n, 0, 1e-4)
			}
		})
	}
}

// validatorCase has the fields of all operations.
type validatorCase struct {
	Name string `json:"name"`
	Op   string `json:"op"`

	Loss    json.RawMessage     `json:"loss"` // scaling_law: a list; rounds: one number
	Params  []number            `json:"params"`
	Powered map[string][]number `json:"powered"`

	UIDs         []int                        `json:"uids"`
	Codes        []int                        `json:"return_ops"`
	Times        []float64                    `json:"times"`
	Routing      []float64                    `json:"routing_score"`
	Inputs       conformance.Array            `json:"inputs"`
	HeldOut      int                          `json:"validation_len"`
	Power        float64                      `json:"scaling_law_power"`
	SynergyPower float64                      `json:"synergy_scaling_law_power"`
	Responses    []recorded                   `json:"responses"`
	Stats        map[int]map[string]number    `json:"stats"`
	Order        []string                     `json:"stats_key_order"`
	Pairs        map[string]map[string]number `json:"synergy_loss_diff_table"`

	Key     string          `json:"synapse_key"`
	Alpha   float64         `json:"alpha"`
	Penalty float64         `json:"logits_divergence"`
	Rounds  []recordedRound `json:"rounds"`

	N             int            `json:"n"`
	Values        map[int]number `json:"values"`
	Least         int            `json:"min_allowed_weights"`
	Most          float64        `json:"max_weight_limit"`
	Quantile      float64        `json:"exclude_quantile_option"`
	ChainQuantile float64        `json:"exclude_quantile_chain"`
	Weights       []number       `json:"weights"`
	EmitUIDs      []int          `json:"emit_uids"`
	EmitValues    []int          `json:"emit_values"`
	Error         *struct{ Kind string }

	X     []float32 `json:"x"`
	Limit float64   `json:"limit"`
	Y     []number  `json:"y"`
}

type recordedRound struct {
	In      map[int]map[string]number `json:"stats_in"`
	Scored  []int                     `json:"responsive_uids"`
	Queried []int                     `json:"queried_uids"`
	Out     map[int]map[string]number `json:"neuron_stats"`
	Error   *struct{ Kind string }    `json:"error"`
}

func TestScoringIsTheReferences(t *testing.T) {
	f := conformance.Open(t, "f_validator")
	for _, c := range conformance.Cases[validatorCase](f) {
		t.Run(c.Name, func(t *testing.T) {
			switch c.Op {
			case "scaling_law":
				requireLaw(t, c)
			case "textcausallmnext":
				requireRound(t, f, c, Next)
			case "textcausallm":
				requireRound(t, f, c, CausalLM)
			case "ema":
				requireAverages(t, c)
			case "weights":
				requireWeights(t, c)
			case "normalize_max_weight":
				got := NormaliseMax(c.X, c.Limit)
				require.Len(t, got, len(c.Y))
				for i, y := range c.Y {
					requireClose(t, y, float64(got[i]), 1e-5, 1e-7)
				}
			case "emit":
				requireEmitted(t, c)
			default:
				t.Fatalf("unknown operation %q", c.Op)
			}
		})
	}
}

func requireLaw(t *testing.T, c validatorCase) {
	t.Helper()
	var losses []number
	require.NoError(t, json.Unmarshal(c.Loss, &losses))
	require.Len(t, c.Params, len(losses))
	for i, loss := range losses {
		params := EffectiveParams(float64(loss))
		requireClose(t, c.Params[i], params, 2e-3, 0, "loss %v", loss)
		for power, want := range c.Powered {
			p, err := strconv.ParseFloat(power, 64)
			require.NoError(t, err)
			requireClose(t, want[i], Power(params, p), 1e-3, 0, "loss %v, power %v", loss, p)
		}
	}
}

func requireRound(t *testing.T, f conformance.Folder, c validatorCase, task Task) {
	t.Helper()
	replies := make([]Reply, len(c.UIDs))
	for i, uid := range c.UIDs {
		replies[i] = Reply{UID: uid, Time: c.Times[i], Routing: c.Routing[uid]}
		if c.Codes[i] == 1 {
			replies[i].Answer = c.answer(t, f, i, task)
		}
	}
	pairs := map[[2]int]float64{}
	rules := Rules{Power: c.Power, SynergyPower: c.SynergyPower, Synergy: true,
		Pair: func(first, second int, share float64) { pairs[[2]int{first, second}] = share }}
	stats, err := rules.Score(task, replies)
	require.NoError(t, err)

	order, total := []string{}, 0.0
	tolerance := c.tolerance()
	for _, s := range stats {
		order = append(order, fmt.Sprint(s.UID))
		requireStats(t, c.Stats[s.UID], withUID(s.UID, s.Named()), tolerance)
		if s.Answered {
			total += s.Worth.Loss + s.RoutingLoss
		}
	}
	require.Equal(t, c.Order, order)
	var loss number
	require.NoError(t, json.Unmarshal(c.Loss, &loss))
	requireClose(t, loss, total, 0, 1e-3, "losses of all servers and of routing")
	requirePairs(t, c.Pairs, pairs, stats)
}

// answer measures a recorded answer; nil when the reference could not either.
func (c validatorCase) answer(t *testing.T, f conformance.Folder, i int, task Task) *Answer {
	t.Helper()
	texts, length := c.Inputs.Shape[0], c.Inputs.Shape[1]
	tokens := int32s(synapse.Tensor{DType: synapse.Int64, Data: f.Array(c.Inputs)}.Int64s())
	sent := length - c.HeldOut
	var targets [][]int32
	b := synapse.Batch{Texts: texts, Length: sent}
	var next []int32
	for text := range texts {
		line := tokens[text*length:][:length]
		b.Tokens = append(b.Tokens, line[:sent]...)
		next = append(next, line[sent])
		targets = append(targets, line[sent:])
	}
	if task == CausalLM {
		rows, vocabulary := c.Responses[i].rows(t, f)
		if len(rows) != texts*sent {
			return nil
		}
		return orNil(MeasureCausalLM(matrix{rows, sent}, b, next, vocabulary))
	}
	answer := c.Responses[i].phrases(t, f)
	rule := NewPhraseRule(answer)
	rule.Longest = c.Responses[i].Shape[len(c.Responses[i].Shape)-1] - 1
	return orNil(rule.measure(answer, targets))
}

func orNil(a *Answer, err error) *Answer {
	if err != nil {
		return nil
	}
	return a
}

func (c validatorCase) tolerance() slack {
	s := slack{identical: true}
	s.recomputed = slices.ContainsFunc(c.Responses, func(r recorded) bool { return r.Generator != "" })
	for _, stats := range c.Stats {
		for _, name := range []string{"loss", "loss_val", "loss_nxt"} {
			if loss, ok := stats[name]; ok {
				s.base = max(s.base, Power(EffectiveParams(float64(loss)), c.SynergyPower))
			}
		}
		s.identical = s.identical && stats["logits_divergence_nxt"] < 1e-6
	}
	return s
}

// requireStats compares each quantity; what is NaN in the recording is missing
// here, nothing else is.
func requireStats(t *testing.T, want map[string]number, got map[string]float64, s slack) {
	t.Helper()
	require.NotEmpty(t, want)
	for name, w := range want {
		g, ok := got[name]
		require.Equal(t, !math.IsNaN(float64(w)), ok, "%s is %v", name, w)
		if !ok {
			continue
		}
		relative, absolute := s.of(name)
		requireClose(t, w, g, relative, absolute, name)
	}
	for name := range got {
		require.Contains(t, want, name)
	}
}

// requirePairs compares the table that has losses on its diagonal.
func requirePairs(t *testing.T, want map[string]map[string]number, got map[[2]int]float64, stats []Stats) {
	t.Helper()
	losses := map[int]float64{}
	for _, s := range stats {
		losses[s.UID] = s.Worth.Loss
	}
	compared := 0
	for first, row := range want {
		for second, w := range row {
			i, err := strconv.Atoi(first)
			require.NoError(t, err)
			j, err := strconv.Atoi(second)
			require.NoError(t, err)
			if i == j {
				requireClose(t, w, losses[i], 0, 1e-3)
				continue
			}
			share, ok := got[[2]int{min(i, j), max(i, j)}]
			require.True(t, ok, "pair %d, %d", i, j)
			requireClose(t, w, share, 1e-3, 1e-4, "pair %d, %d", i, j)
			compared++
		}
	}
	require.Equal(t, 2*len(got), compared)
}

func requireAverages(t *testing.T, c validatorCase) {
	t.Helper()
	task := Next
	if c.Key == "shapley_values_min" {
		task = CausalLM
	}
	averages := Averages{}
	for i, round := range c.Rounds {
		if round.Error != nil {
			requireNoScoreWithoutSynergy(t, c, round)
			return
		}
		scored := averages.Update(c.stats(t, task, round), Rules{Power: c.Power, Penalty: c.Penalty, Alpha: c.Alpha})
		require.ElementsMatch(t, round.Scored, scored, "round %d", i)
		require.Len(t, round.Queried, len(round.In))
		require.Len(t, averages, len(round.Out))
		for uid, want := range round.Out {
			requireStats(t, want, withUID(uid, averages[uid].Named()), slack{})
		}
	}
}

// requireNoScoreWithoutSynergy is for the round that stops the reference: excess
// without synergy. Here the server is not scored, and the round goes on.
func requireNoScoreWithoutSynergy(t *testing.T, c validatorCase, round recordedRound) {
	t.Helper()
	averages := Averages{}
	for uid, in := range round.In {
		require.Contains(t, in, "logits_excess_nxt")
		require.NotContains(t, in, "synergy_nxt")
		require.Empty(t, averages.Update(c.stats(t, Next, round), Rules{Power: c.Power, Penalty: c.Penalty, Alpha: c.Alpha}))
		require.Zero(t, averages[uid].Weight)
		require.Zero(t, averages[uid].Scored)
	}
}

// stats reads a round's statistics by their names.
func (c validatorCase) stats(t *testing.T, task Task, round recordedRound) (list []Stats) {
	t.Helper()
	for uid, in := range round.In {
		s := newStats(task, uid)
		for _, f := range s.fields() {
			if v, ok := in[f.name]; ok {
				*f.value = float64(v)
				delete(in, f.name)
				s.Answered = s.Answered || f.name == "loss_nxt" || f.name == c.Key
			}
		}
		delete(in, "uid")
		require.Empty(t, in, "unknown quantities")
		list = append(list, s)
	}
	return list
}

func requireWeights(t *testing.T, c validatorCase) {
	t.Helper()
	rules := WeightRules{Least: c.Least, Most: c.Most, Quantile: c.Quantile}
	if c.Quantile == -1 {
		rules.Quantile = c.ChainQuantile
	}
	values := map[int]float64{}
	for uid, v := range c.Values {
		values[uid] = float64(v)
	}
	got, err := rules.Weights(values)
	require.NoError(t, err)
	require.Len(t, got, len(c.UIDs))
	for i, w := range got {
		require.Equal(t, c.UIDs[i], w.UID)
		requireClose(t, c.Weights[i], float64(w.Value), 1e-5, 1e-7)
	}
	if len(got) > 0 {
		emitted, err := Emit(got)
		require.NoError(t, err)
		requireSameEmitted(t, c, emitted)
	}
}

func requireEmitted(t *testing.T, c validatorCase) {
	t.Helper()
	weights := make([]Weight, len(c.UIDs))
	for i, uid := range c.UIDs {
		weights[i] = Weight{uid, float32(c.Weights[i])}
	}
	emitted, err := Emit(weights)
	if c.Error != nil {
		require.ErrorIs(t, err, ErrWeight)
		return
	}
	require.NoError(t, err)
	requireSameEmitted(t, c, emitted)
}

func requireSameEmitted(t *testing.T, c validatorCase, emitted []Emitted) {
	t.Helper()
	require.Len(t, emitted, len(c.EmitUIDs))
	for i, e := range emitted {
		require.Equal(t, c.EmitUIDs[i], e.UID)
		require.InDelta(t, c.EmitValues[i], e.Value, 1)
	}
}
