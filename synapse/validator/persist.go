package validator

import (
	"encoding/json"
	"fmt"
	"math"
)

// averageJSON is how an average is kept: quantities under the reference's names, without
// those that were not measured. JSON keeps every bit of a finite float64.
type averageJSON struct {
	UID        int                `json:"uid"`
	Task       string             `json:"task"`
	Answered   bool               `json:"answered"`
	Rounds     int                `json:"rounds"`
	Scored     int                `json:"scored"`
	Weight     float64            `json:"weight"`
	Quantities map[string]float64 `json:"quantities"`
	Tally      Tally              `json:"tally"`
	Divergence Tally              `json:"divergence_tally"`
	Time       Tally              `json:"time_tally"`
}

// MarshalJSON writes all that [Average.UnmarshalJSON] needs to go on with the same bits.
func (a *Average) MarshalJSON() ([]byte, error) {
	j := averageJSON{UID: a.UID, Task: a.Task.String(), Answered: a.Answered, Rounds: a.Rounds, Scored: a.Scored,
		Weight: a.Weight, Quantities: make(map[string]float64), Tally: a.Tally, Divergence: a.DivergenceTally, Time: a.TimeTally}
	for name, value := range a.Stats.Named() {
		j.Quantities[name] = value
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote. Quantities that no task has are an error.
func (a *Average) UnmarshalJSON(data []byte) error {
	var j averageJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	task, err := ParseTask(j.Task)
	if err != nil {
		return err
	}
	*a = *NewAverage(task, j.UID)
	a.Answered, a.Rounds, a.Scored, a.Weight = j.Answered, j.Rounds, j.Scored, j.Weight
	a.Tally, a.DivergenceTally, a.TimeTally = j.Tally, j.Divergence, j.Time
	known := 0
	for _, f := range a.fields() {
		value, ok := j.Quantities[f.name]
		if !ok {
			continue
		}
		if math.IsInf(value, 0) || math.IsNaN(value) {
			return fmt.Errorf("average of server %d: %s is %v", j.UID, f.name, value)
		}
		*f.value = value
		known++
	}
	if known != len(j.Quantities) {
		return fmt.Errorf("average of server %d: %d of its %d quantities are not of %v", j.UID, len(j.Quantities)-known, len(j.Quantities), task)
	}
	return nil
}
