package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"axon/internal/corpus"
	"axon/internal/wholefile"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

// validation is a running axon validate, and what it was made of.
type validation struct {
	c       *cli.Context
	options rounds.Options
	undo    []func() error // closes what was opened, the last first

	target    *queryTarget
	statePath string
	texts     corpus.Corpus
	store     *state.Store
	rounds    *rounds.Validator
	screen    validateScreen
	sizes     map[int]float64
	metrics   *validatorMetrics
	failed    chan error // of the metrics' listener
}

// reportEvery is how many rounds pass between two reports.
const reportEvery = 100

func (v *validation) onClose(f func() error) { v.undo = append(v.undo, f) }

func (v *validation) close() error {
	var faults []error
	for _, f := range slices.Backward(v.undo) {
		faults = append(faults, f())
	}
	return errors.Join(faults...)
}

// run does rounds until as many are done as were asked for, the texts end, or somebody
// stops it, and then shows what came out.
func (v *validation) run() error {
	err := v.all()
	stopped := errors.Is(err, context.Canceled)
	switch {
	case errors.Is(err, io.EOF) && !errors.Is(err, corpus.ErrTooShort):
		err = nil
	case errors.Is(err, rounds.ErrUsedUp):
		fmt.Fprintf(v.c.App.ErrWriter, "axon: %v; --repeat asks about them again, more texts are better\n", err)
		err = nil
	}
	if errors.Is(err, state.ErrCommit) { // what is in memory is not what was learnt
		return err
	}
	if v.rounds.State().Progress.Rounds > 0 {
		if failed := v.finish(); failed != nil {
			return errors.Join(err, failed)
		}
		if !v.answered() {
			return errors.Join(err, fmt.Errorf("no server has answered in %s", plural(v.rounds.State().Progress.Rounds, "round")))
		}
	}
	if stopped && v.c.Int("rounds") == 0 { // that is how it is meant to end
		return nil
	}
	return err
}

// answered says whether any server ever has.
func (v *validation) answered() bool {
	for _, s := range v.rounds.State().Servers {
		if s.Answered() > 0 {
			return true
		}
	}
	return false
}

// nobodyWait is how long an empty network is waited for.
const nobodyWait = 10 * time.Second

func (v *validation) all() error {
	last := v.c.Int("rounds")
	for last == 0 || v.rounds.State().Progress.Rounds < last {
		began := time.Now()
		round, err := v.rounds.Round(v.c.Context)
		pause := time.Until(began.Add(v.c.Duration("interval")))
		switch {
		case errors.Is(err, rounds.ErrNobody): // a metagraph that is being written anew, say
			fmt.Fprintf(v.c.App.ErrWriter, "axon: %v; looking again in %v\n", err, nobodyWait)
			pause = max(pause, nobodyWait)
		case err != nil:
			return err
		default:
			if err := v.tell(round); err != nil {
				return err
			}
			if round.Number == last {
				return nil
			}
		}
		if err := v.wait(pause); err != nil {
			return err
		}
	}
	return nil
}

// weights are those of the state as it is.
func (v *validation) weights() ([]validator.Weight, error) {
	return rounds.Weights(v.rounds.State(), v.options.Weights)
}

// tell shows a round and writes what is written after each.
func (v *validation) tell(round *state.Round) error {
	weights, err := v.weights()
	if err != nil {
		return err
	}
	if round.Unreadable > 0 {
		fmt.Fprintf(v.c.App.ErrWriter, "axon: round %d: %s without a text\n", round.Number, plural(round.Unreadable, "line"))
	}
	v.metrics.set(v.rounds.State(), weights, round)
	if err := v.screen.round(v, round, weights); err != nil {
		return err
	}
	if err := v.writeWeights(weights); err != nil {
		return err
	}
	if round.Number%reportEvery == 0 {
		return v.writeReport()
	}
	return nil
}

func (v *validation) wait(d time.Duration) error {
	select {
	case err := <-v.failed:
		return fmt.Errorf("metrics: %w", err)
	default:
	}
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case err := <-v.failed:
		return fmt.Errorf("metrics: %w", err)
	case <-v.c.Context.Done():
		return v.c.Context.Err()
	}
}

// finish shows what came out.
func (v *validation) finish() error {
	weights, err := v.weights()
	if err != nil {
		return err
	}
	return errors.Join(v.screen.end(v, weights), v.writeWeights(weights), v.writeReport())
}

func (v *validation) writeReport() error {
	path := v.c.String("report")
	if path == "" {
		return nil
	}
	return writeReportFile(path, v.store, v.options.Weights, v.sizes)
}

// weightsJSON is what --weights writes.
type weightsJSON struct {
	Rounds  int          `json:"rounds"`
	Weights []weightJSON `json:"weights"`
}

type weightJSON struct {
	UID    int     `json:"uid"`
	Hotkey string  `json:"hotkey"`
	Weight float32 `json:"weight"` // of 1
	Chain  uint16  `json:"chain"`  // of 65535 for all together
}

// newWeightsJSON has the weights of a state, the largest first.
func newWeightsJSON(st *state.State, weights []validator.Weight) (*weightsJSON, error) {
	emitted, err := validator.Emit(weights)
	if err != nil {
		return nil, err
	}
	chain := make(map[int]uint16, len(emitted))
	for _, e := range emitted {
		chain[e.UID] = e.Value
	}
	w := &weightsJSON{Rounds: st.Progress.Rounds, Weights: []weightJSON{}}
	for _, weight := range weights {
		w.Weights = append(w.Weights, weightJSON{weight.UID, st.Servers[weight.UID].Hotkey, weight.Value, chain[weight.UID]})
	}
	slices.SortStableFunc(w.Weights, func(a, b weightJSON) int { return int(b.Chain) - int(a.Chain) })
	return w, nil
}

// writeWeights replaces the file of --weights as a whole: whoever reads it never finds half
// of it.
func (v *validation) writeWeights(weights []validator.Weight) error {
	path := v.c.String("weights")
	if path == "" {
		return nil
	}
	w, err := newWeightsJSON(v.rounds.State(), weights)
	if err != nil {
		return err
	}
	return wholefile.Write(path, func(to io.Writer) error {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		return e.Encode(w)
	})
}
