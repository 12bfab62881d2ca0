package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"axon/synapse/validator"
	findings "axon/synapse/validator/report"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

// serverJSON is what is known of a server.
type serverJSON struct {
	UID             int               `json:"uid"`
	Hotkey          string            `json:"hotkey"`
	Address         string            `json:"address"`
	Loss            wide              `json:"loss"`
	Error           wide              `json:"error"`
	Params          wide              `json:"effective_parameters"`
	ParamsLow       wide              `json:"effective_parameters_low"`
	ParamsHigh      wide              `json:"effective_parameters_high"`
	Divergence      wide              `json:"divergence"`
	DivergenceError wide              `json:"divergence_error"`
	Time            wide              `json:"response_time"` // seconds
	TimeError       wide              `json:"response_time_error"`
	Weight          float32           `json:"weight"`
	Chain           uint16            `json:"chain"`
	Rounds          int               `json:"rounds"`
	Answered        int               `json:"answered"`
	Codes           map[string]int    `json:"codes"`
	Ahead           *differenceJSON   `json:"ahead_of_next,omitempty"`
	Average         map[string]number `json:"averages"` // under the reference's names
}

type differenceJSON struct {
	UID    int  `json:"uid"`
	Mean   wide `json:"mean"`
	Error  wide `json:"error"`
	Rounds int  `json:"rounds"`
	Differ bool `json:"differs"`
}

type resultJSON struct {
	Rounds   int            `json:"rounds"`
	Texts    int            `json:"texts"`
	Settings state.Settings `json:"settings"`
	Servers  []serverJSON   `json:"servers"` // by ascending loss
	Verdict  string         `json:"verdict,omitempty"`
}

// wide is a number of double precision that JSON can hold.
type wide float64

// MarshalJSON writes null for what is no number.
func (w wide) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(w))
}

func (v *validation) result(weights []validator.Weight) (*resultJSON, error) {
	r, err := newResult(v.rounds.State(), weights, v.rounds.Neighbours())
	if err == nil {
		r.Verdict = v.verdict()
	}
	return r, err
}

func newResult(st *state.State, weights []validator.Weight, differences []validator.Difference) (*resultJSON, error) {
	emitted, err := newWeightsJSON(st, weights)
	if err != nil {
		return nil, err
	}
	r := &resultJSON{Rounds: st.Progress.Rounds, Texts: st.Progress.Texts, Settings: st.Settings}
	order := rounds.Ranking(st)
	for _, uid := range order {
		s := st.Servers[uid]
		j := serverJSON{UID: uid, Hotkey: s.Hotkey, Address: s.Address, Loss: wide(s.Average.Worth.Loss), Error: wide(s.Average.Tally.Error()),
			Params: wide(validator.EffectiveParams(s.Average.Worth.Loss)), Rounds: s.Average.Rounds, Answered: s.Answered(),
			Codes: map[string]int{}, Average: map[string]number{}}
		j.Divergence, j.DivergenceError = wide(s.Average.Divergence), wide(s.Average.DivergenceTally.Error())
		j.Time, j.TimeError = wide(s.Average.ResponseTime), wide(s.Average.TimeTally.Error())
		low, high := s.Average.Tally.ParamsInterval()
		j.ParamsLow, j.ParamsHigh = wide(low), wide(high)
		for _, c := range codeCounts(s) {
			j.Codes[c.Name] = c.N
		}
		for name, value := range s.Average.Named() {
			j.Average[name] = number(value)
		}
		if i := slices.IndexFunc(emitted.Weights, func(w weightJSON) bool { return w.UID == uid }); i >= 0 {
			j.Weight, j.Chain = emitted.Weights[i].Weight, emitted.Weights[i].Chain
		}
		if i := slices.IndexFunc(differences, func(d validator.Difference) bool { return d.Better == uid }); i >= 0 {
			d := differences[i]
			j.Ahead = &differenceJSON{d.Worse, wide(d.Mean), wide(d.Error), d.Rounds, d.Differs(rounds.Confidence(len(order)))}
		}
		r.Servers = append(r.Servers, j)
	}
	return r, nil
}

// codeCounts are a server's return codes by name, the most frequent first.
func codeCounts(s *state.Server) []findings.Count {
	var list []findings.Count
	for _, code := range slices.Sorted(maps.Keys(s.Codes)) {
		list = append(list, findings.Count{Name: codeName(code), N: s.Codes[code]})
	}
	slices.SortStableFunc(list, func(a, b findings.Count) int { return cmp.Compare(b.N, a.N) })
	return list
}

func validateExportCommand() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "print what was learnt as JSON lines",
		Description: "The first line has settings, servers and their averages, each further one a round, as far\n" +
			"as rounds are kept (the latest 10,000).",
		Flags: join([]cli.Flag{
			stateFlag(),
			&cli.BoolFlag{Name: "no-rounds", Usage: "leave the rounds out"},
		}, weightFlags()),
		Action: func(c *cli.Context) error {
			s, err := openLatest(c)
			if err != nil {
				return err
			}
			return errors.Join(exportState(c, s), s.Close())
		},
	}
}

func exportState(c *cli.Context, s *state.Store) error {
	weights, err := rounds.Weights(&s.State, weightRules(c))
	if err != nil {
		return err
	}
	differences, err := differencesOf(s)
	if err != nil {
		return err
	}
	r, err := newResult(&s.State, weights, differences)
	if err != nil {
		return err
	}
	if err := writeLine(c.App.Writer, r); err != nil || c.Bool("no-rounds") {
		return err
	}
	for round, err := range s.Rounds(0) {
		if err != nil {
			return err
		}
		if err := writeLine(c.App.Writer, round); err != nil {
			return err
		}
	}
	return nil
}

// differencesOf compares neighbours on all rounds that are kept.
func differencesOf(s *state.Store) ([]validator.Difference, error) {
	rules, err := rulesOfState(&s.State)
	if err != nil {
		return nil, err
	}
	var fault error
	list := rules.Neighbours(rounds.Ranking(&s.State), lossesOf(s, &fault))
	return list, fault
}

// rulesOfState are those that averages were made by.
func rulesOfState(st *state.State) (r validator.Rules, err error) {
	r.Proper = st.Settings["rule"] == ruleProper
	if r.Alpha, err = strconv.ParseFloat(st.Settings["alpha"], 64); err != nil {
		err = fmt.Errorf("%w: its alpha is %w", state.ErrSchema, err)
	}
	return r, err
}

// lossesOf goes through the rounds that are kept, until there is a fault.
func lossesOf(s *state.Store, fault *error) iter.Seq[validator.Losses] {
	return func(yield func(validator.Losses) bool) {
		for round, err := range s.Rounds(0) {
			if *fault = err; err != nil || !yield(s.State.Losses(round)) {
				return
			}
		}
	}
}

func validateWeightsCommand() *cli.Command {
	return &cli.Command{
		Name:  "weights",
		Usage: "print the weights that follow from what was learnt",
		Description: "Weights are those of the servers that were in the network at the latest round: as shares of 1,\n" +
			"and as the shares of 65535 that a chain takes.",
		Flags: join([]cli.Flag{
			stateFlag(),
			&cli.StringFlag{Name: "format", Usage: "table, or json", Value: "table"},
		}, weightFlags()),
		Action: func(c *cli.Context) error {
			s, err := openLatest(c)
			if err != nil {
				return err
			}
			return errors.Join(printWeights(c, s), s.Close())
		},
	}
}

func printWeights(c *cli.Context, s *state.Store) error {
	rules := weightRules(c)
	if err := rules.Validate(); err != nil {
		return cli.Exit(err, exitUsage)
	}
	weights, err := rounds.Weights(&s.State, rules)
	if err != nil {
		return err
	}
	w, err := newWeightsJSON(&s.State, weights)
	if err != nil {
		return err
	}
	switch format := c.String("format"); format {
	case "json":
		return writeIndented(c, w)
	case "table":
		fmt.Fprintln(c.App.Writer, "  UID  WEIGHT    OF 65535  HOTKEY")
		for _, one := range w.Weights {
			if _, err := fmt.Fprintf(c.App.Writer, "%5d  %.6f  %8d  %s\n", one.UID, one.Weight, one.Chain, one.Hotkey); err != nil {
				return err
			}
		}
		return nil
	default:
		return usageError("--format %q: must be table or json", format)
	}
}
