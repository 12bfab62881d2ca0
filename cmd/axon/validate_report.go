package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"axon/synapse/validator"
	findings "axon/synapse/validator/report"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

func validateReportCommand() *cli.Command {
	return &cli.Command{
		Name:  "report",
		Usage: "write a report of what was learnt, with pictures",
		Description: "The report is one HTML file that needs nothing else. --folder writes its pictures as PNG and\n" +
			"its tables as CSV as well.",
		Flags: join([]cli.Flag{
			stateFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the report to `FILE` (HTML)", Value: findings.HTMLFile, TakesFile: true},
			&cli.StringFlag{Name: "folder", Usage: "write pictures (PNG) and tables (CSV) into `FOLDER`", TakesFile: true},
			&cli.StringSliceFlag{Name: "size", Usage: "`UID=PARAMETERS` of a server, repeatable"},
		}, weightFlags()),
		Action: func(c *cli.Context) error {
			s, err := openLatest(c)
			if err != nil {
				return err
			}
			return errors.Join(reportState(c, s), s.Close())
		},
	}
}

func reportState(c *cli.Context, s *state.Store) error {
	sizes, err := sizesOf(c)
	if err != nil {
		return err
	}
	d, err := reportData(s, weightRules(c), sizes)
	if err != nil {
		return err
	}
	path := c.String("output")
	if err := findings.WriteHTML(path, d); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: %s, %s\n", quoteControls(path), plural(len(d.Servers), "server"), plural(s.State.Progress.Rounds, "round"))
	folder := c.String("folder")
	if folder == "" {
		return nil
	}
	if err := errors.Join(findings.WritePNG(folder, d), findings.WriteCSV(folder, d)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: pictures and tables\n", quoteControls(filepath.Clean(folder)))
	return err
}

func writeReportFile(path string, s *state.Store, rules validator.WeightRules, sizes map[int]float64) error {
	d, err := reportData(s, rules, sizes)
	if err != nil {
		return err
	}
	return findings.WriteHTML(path, d)
}

// reportData is a state in the form of a report.
func reportData(s *state.Store, rules validator.WeightRules, sizes map[int]float64) (*findings.Data, error) {
	st := &s.State
	weights, err := rounds.Weights(st, rules)
	if err != nil {
		return nil, err
	}
	emitted, err := newWeightsJSON(st, weights)
	if err != nil {
		return nil, err
	}
	history, err := historyOf(s)
	if err != nil {
		return nil, err
	}
	law, err := lawOf(s, sizes)
	if err != nil {
		return nil, err
	}
	differences, err := differencesOf(s)
	if err != nil {
		return nil, err
	}
	d := &findings.Data{Made: time.Now(), Facts: reportFacts(st), Synergy: synergyOf(st), Law: law}
	for uid, server := range st.Servers {
		if !st.IsPresent(uid) {
			continue
		}
		r := reportServer(server, history[uid], sizes[uid])
		if i := slices.IndexFunc(emitted.Weights, func(w weightJSON) bool { return w.UID == uid }); i >= 0 {
			r.Weight, r.Emitted = float64(emitted.Weights[i].Weight), int(emitted.Weights[i].Chain)
		}
		d.Servers = append(d.Servers, r)
	}
	confidence := rounds.Confidence(len(differences) + 1)
	for _, diff := range differences {
		d.Different = append(d.Different, findings.Pair{Better: diff.Better, Worse: diff.Worse, Difference: diff.Mean, Error: diff.Error,
			Significant: diff.Differs(confidence), Confidence: confidence, Rounds: diff.Rounds})
	}
	return d, nil
}

func reportFacts(st *state.State) []findings.Fact {
	facts := []findings.Fact{
		{Name: "rounds", Value: strconv.Itoa(st.Progress.Rounds)},
		{Name: "texts asked about", Value: strconv.Itoa(st.Progress.Texts)},
	}
	for _, name := range []string{"task", "rule", "top-k", "texts", "context", "held-out", "prune", "servers", "alpha", "seed"} {
		facts = append(facts, findings.Fact{Name: name, Value: st.Settings[name]})
	}
	return facts
}

func reportServer(s *state.Server, history []findings.Point, size float64) findings.Server {
	a := s.Average
	r := findings.Server{UID: a.UID, Name: s.Address, Hotkey: s.Hotkey, Size: math.NaN(), Loss: a.Worth.Loss, Error: a.Tally.Error(),
		Params: validator.EffectiveParams(a.Worth.Loss), BitsPerByte: math.NaN(), Score: a.Score, ResponseTime: a.ResponseTime,
		Divergence: a.Divergence, DivergenceError: a.DivergenceTally.Error(), Asked: a.Rounds, Answered: s.Answered(), Codes: codeCounts(s), Rounds: history}
	r.ParamsLow, r.ParamsHigh = a.Tally.ParamsInterval()
	if size > 0 {
		r.Size = size
	}
	return r
}

// mostPoints bounds the memory of a report: beyond it not every round has points.
const mostPoints = 1 << 20

// historyOf are the rounds of each server, as far as they are kept.
func historyOf(s *state.Store) (map[int][]findings.Point, error) {
	points := make(map[int][]findings.Point)
	sums := make(map[int]*runningMean)
	every := 1 + len(s.State.Servers)*s.State.Progress.Rounds/mostPoints
	for round, err := range s.Rounds(0) {
		if err != nil {
			return nil, err
		}
		for reply := range s.State.Replies(round) {
			sum := sums[reply.UID]
			if sum == nil {
				sum = new(runningMean)
				sums[reply.UID] = sum
			}
			p := findings.Point{Step: round.Number, Loss: sum.add(reply.Losses), Divergence: math.NaN(), ResponseTime: reply.Seconds}
			p.Mean, p.Error = sum.mean()
			if reply.Divergence != nil {
				p.Divergence = float64(*reply.Divergence)
			}
			if round.Number%every == 0 {
				points[reply.UID] = append(points[reply.UID], p)
			}
		}
	}
	return points, nil
}

// runningMean is a plain mean of the losses so far.
type runningMean struct{ sum, squares, n float64 }

// add returns the mean of what is added.
func (r *runningMean) add(losses []float32) float64 {
	sum := 0.0
	for _, l := range losses {
		sum += float64(l)
		r.squares += float64(l) * float64(l)
	}
	r.sum += sum
	r.n += float64(len(losses))
	return sum / float64(len(losses))
}

func (r *runningMean) mean() (mean, standardError float64) {
	mean = r.sum / r.n
	return mean, math.Sqrt(max(0, r.squares/r.n-mean*mean) / (r.n - 1))
}

// synergyOf are the pairs' gains, nil where none were measured.
func synergyOf(st *state.State) *findings.Matrix {
	if len(st.Pairs) == 0 {
		return nil
	}
	m := &findings.Matrix{UIDs: rounds.Ranking(st)}
	for range m.UIDs {
		m.Values = append(m.Values, slices.Repeat([]float64{math.NaN()}, len(m.UIDs)))
	}
	for i, a := range m.UIDs {
		for j, b := range m.UIDs {
			if p, ok := st.Pairs[[2]int{min(a, b), max(a, b)}]; ok && a != b {
				m.Values[i][j] = p.Sum / float64(p.Rounds)
			}
		}
	}
	return m
}

// lawOf fits a scaling law to the servers whose sizes are known, if they are enough.
func lawOf(s *state.Store, sizes map[int]float64) (*findings.Law, error) {
	var uids []int
	var sized []validator.Sized
	for _, uid := range rounds.Ranking(&s.State) {
		if sizes[uid] > 0 {
			uids = append(uids, uid)
			sized = append(sized, validator.Sized{Params: sizes[uid], Loss: s.State.Servers[uid].Average.Worth.Loss})
		}
	}
	var fault error
	law, err := validator.FitLaw(sized, validator.Covariance(uids, lossesOf(s, &fault)))
	if fault != nil || err != nil { // without a fault there are too few sizes, which is none
		return nil, fault
	}
	r := &findings.Law{Nc: math.Exp(law.LogNc), Alpha: law.Alpha, Servers: law.Servers, Band: law.Band}
	r.AlphaLow, r.AlphaHigh = law.AlphaInterval()
	return r, nil
}
