package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/hostile"
	"axon/synapse/validator"
)

// quickAttacks runs some attacks on a little text.
func quickAttacks(t *testing.T, task validator.Task, names ...string) map[string]AttackRow {
	t.Helper()
	c := QuickAttacks()
	c.Tasks, c.Models, c.Base, c.Seed = []validator.Task{task}, []string{"axon-70k", "axon-200k"}, "axon-70k", 1
	var err error
	c.Attacks, err = hostile.Named(names...)
	require.NoError(t, err)
	return runAttacks(t, c)
}

func runAttacks(t *testing.T, c AttackConfig) map[string]AttackRow {
	t.Helper()
	last := 0.0
	rows, err := RunAttacks(t.Context(), c, func(what string, done float64) {
		require.NotEmpty(t, what)
		require.GreaterOrEqual(t, done, last)
		last = done
	})
	require.NoError(t, err)
	require.InDelta(t, 1, last, 1e-9)
	byName := map[string]AttackRow{}
	for _, r := range rows {
		byName[r.title()] = r
	}
	return byName
}

func TestAttacksAreMeasured(t *testing.T) {
	rows := quickAttacks(t, validator.Next, hostile.Silent, hostile.Truncated, "garbage", "slow", hostile.Copies, "certain", hostile.Peeks)
	require.NotContains(t, rows, hostile.Peeks, "it is none in this task")
	for _, name := range []string{"honest, axon-70k", "slow", hostile.Truncated, hostile.Copies} {
		r := rows[name]
		require.Equal(t, 12, r.Proper.Answered, name)
		require.Equal(t, 24, r.Texts)
		require.InDelta(t, 1, r.Proper.Ratio, 1e-6, name)
		require.Equal(t, EarnsSame, r.Proper.Verdict, name)
	}
	require.Equal(t, "axon-200k", rows[hostile.Copies].Beside)
	for _, name := range []string{hostile.Silent, "garbage"} {
		r := rows[name]
		require.Zero(t, r.Proper.Answered, name)
		require.InDelta(t, validator.SilenceLoss, r.Proper.Loss, 1e-6)
		require.Zero(t, r.Reference.Loss)
		require.Zero(t, r.Reference.Ratio)
		require.Equal(t, EarnsLess, r.Reference.Verdict)
	}
	require.Equal(t, EarnsLess, rows["certain"].Proper.Verdict)
	require.Greater(t, rows["certain"].Proper.More.Mean, 10.0)
	require.NotEqual(t, rows["honest, axon-70k"].Proper.Loss, rows["honest, axon-200k"].Proper.Loss)
}

func TestAttacksOnRows(t *testing.T) {
	rows := quickAttacks(t, validator.CausalLM, hostile.Peeks, hostile.Remembers)
	require.NotContains(t, rows, hostile.Translated)
	peeks := rows[hostile.Peeks]
	require.Zero(t, peeks.Reference.Loss, "it knows what stands in the question")
	require.InDelta(t, 1, peeks.Proper.Ratio, 1e-6, "which is worth nothing")
	require.Greater(t, peeks.Reference.Ratio, 1.0)
	again := rows["remembers, texts repeated"]
	require.True(t, again.Repeated)
	require.Less(t, again.Reference.More.Mean, -1.0)
	require.InDelta(t, 0, rows[hostile.Remembers].Reference.More.Mean, 0.2)
}

func TestTheTableOfAttacks(t *testing.T) {
	row := AttackRow{
		Task: "TextCausalLM", Attack: "remembers", About: "keeps", Beside: "axon-70k", Repeated: true, Rounds: 4,
		Reference: AttackOutcome{Answered: 4, Loss: 2.5, LossError: 0.25, More: AttackMean{-1, 0.125, 32}, Score: 1234, Ratio: 267.4, Interval: [2]float64{27, 2616}, Verdict: EarnsMore},
		Proper:    AttackOutcome{Verdict: EarnsLess},
	}
	for format, want := range map[string][]string{
		"md":  {"remembers, texts repeated", "2.500 ± 0.250", "-1.0000 ± 0.1250", "267 [27, 2616]", "| more ", "| less "},
		"csv": {"reference_ratio_low", "267.400000"},
	} {
		var out bytes.Buffer
		p, err := NewPrinter(&out, format, AttackTable())
		require.NoError(t, err)
		require.NoError(t, p.Row(row))
		require.NoError(t, p.Close())
		for _, w := range want {
			require.Contains(t, out.String(), w, format)
		}
	}
}

func TestVerdictsOnAttacks(t *testing.T) {
	require.Equal(t, EarnsMore, verdictOfLoss(AttackMean{-0.1, 0.01, 100}))
	require.Equal(t, EarnsLess, verdictOfLoss(AttackMean{0.1, 0.01, 100}))
	require.Equal(t, EarnsSame, verdictOfLoss(AttackMean{-0.1, 0.04, 100}))
	require.Equal(t, EarnsSame, verdictOfLoss(AttackMean{-0.001, 0, 100}))
	require.Equal(t, EarnsMore, verdictOfRatio(2, 0.1))
	require.Equal(t, EarnsSame, verdictOfRatio(2, 0.5))
	require.Equal(t, EarnsSame, verdictOfRatio(1.005, 0))
	require.Equal(t, EarnsLess, verdictOfRatio(0.5, 0.1))
	require.Equal(t, EarnsLess, verdictOfRatio(0, 0))
}

func TestAttacksThatCannotBeMeasured(t *testing.T) {
	_, err := RunAttacks(t.Context(), AttackConfig{Rounds: 1, Context: 2}, nil)
	require.ErrorIs(t, err, ErrAttacks)
	require.ErrorContains(t, err, "rounds of 1")
	require.ErrorContains(t, err, "a context of 2")
	require.ErrorContains(t, err, "no task")

	short := filepath.Join(t.TempDir(), "short.txt")
	require.NoError(t, os.WriteFile(short, bytes.Repeat([]byte("Nothing is new under the sun. "), 200), 0o600))
	c := QuickAttacks()
	c.Tasks, c.Models, c.Base, c.File = []validator.Task{validator.Next}, []string{"axon-70k"}, "axon-70k", short
	c.Rounds = 100
	_, err = RunAttacks(t.Context(), c, func(string, float64) {})
	require.ErrorIs(t, err, ErrAttacks)
	require.ErrorContains(t, err, "name a longer text")
	c.File = filepath.Join(t.TempDir(), "none.txt")
	_, err = RunAttacks(t.Context(), c, func(string, float64) {})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// By the proper rule nobody loses less than who answers by what he knows, as far as the texts
// tell with 99.9 %. Who asks several neighbours, or has the text, knows more than his model does, and
// there is nobody who knows as much beside him.
func TestNoAttackEarnsMoreThanHonestPlayByTheProperRule(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundreds of texts")
	}
	for task, c := range map[validator.Task]AttackConfig{
		validator.Next:     {Rounds: 32, Seed: 2},
		validator.CausalLM: {Rounds: 20, Context: 24, Seed: 2},
	} {
		c.Attacks, c.Tasks, c.Resamplings = hostile.All(), []validator.Task{task}, 100
		rows := runAttacks(t, c)
		for name, r := range rows {
			if name == hostile.Anew { // its answers are honest: what it earns is a matter of averages
				require.InDelta(t, 0, r.Proper.More.Mean, 1e-4)
				require.Zero(t, r.Proper.Weight, "who is not known is worth nothing")
				continue
			}
			if r.Knows == hostile.Several.String() || r.Knows == hostile.Text.String() || r.Repeated {
				continue
			}
			require.NotEqual(t, EarnsMore, verdictOfLoss(r.Proper.MoreThanBest), "%v, %s: %+v", task, name, r.Proper)
		}
		for _, name := range []string{hostile.Silent, hostile.Unsure, "sharpened", "certain", "uniform", "zeros", "garbage", "too-slow"} {
			require.Equal(t, EarnsLess, rows[name].Proper.Verdict, "%v, %s: %+v", task, name, rows[name].Proper)
		}
		// What a rule of answers cannot tell, and what not asking about a text twice is for.
		require.Equal(t, EarnsMore, rows[hostile.ByHeart].Proper.Verdict)
		require.Equal(t, EarnsMore, rows["remembers, texts repeated"].Proper.Verdict)
		if task == validator.CausalLM {
			require.Greater(t, rows[hostile.Peeks].Reference.Ratio, 1.5)
		}
	}
}
