package validator

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// An average that was written and read goes on as if it had never been away: to the bit.
func TestAveragesSurviveJSON(t *testing.T) {
	r := random(t)
	for _, rules := range []Rules{{Synergy: true, Penalty: 0.2}, {Proper: true, Alpha: 0.01}} {
		stays, away := Averages{}, Averages{}
		for range 40 {
			stats, err := rules.Score(Next, randomRound(t, r, 6, 3, 20))
			require.NoError(t, err)
			for i := range stats {
				stats[i].UID = i
			}
			stays.Update(stats, rules)
			away.Update(stats, rules)
			data, err := json.Marshal(away)
			require.NoError(t, err)
			away = Averages{}
			require.NoError(t, json.Unmarshal(data, &away))
		}
		require.Equal(t, named(stays), named(away))
		for uid := range stays {
			require.Equal(t, stays[uid].Tally, away[uid].Tally)
			require.Equal(t, stays[uid].DivergenceTally, away[uid].DivergenceTally)
			require.Equal(t, stays[uid].TimeTally, away[uid].TimeTally)
			require.Equal(t, stays[uid].Answered, away[uid].Answered)
		}
	}
}

func named(a Averages) map[int]map[string]float64 {
	all := map[int]map[string]float64{}
	for uid, average := range a {
		all[uid] = map[string]float64{}
		for name, value := range average.Named() {
			all[uid][name] = value
		}
	}
	return all
}

func TestWhatIsNoAverage(t *testing.T) {
	for _, text := range []string{`[]`, `{}`, `{"task":"TextSeq2Seq"}`, `{"task":"TextCausalLM","quantities":{"loss_nxt":3}}`, `{"task":"TextCausalLM","quantities":{"loss":1e999}}`} {
		require.Error(t, json.Unmarshal([]byte(text), &Average{}), text)
	}
}
