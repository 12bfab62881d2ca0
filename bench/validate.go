package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"axon/internal/simnet"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

// ValidateTest is a validator at work with so many servers, which are simulated.
type ValidateTest struct {
	Rounds   rounds.Options // with their defaults filled in
	Network  simnet.Options
	Slowness float64 // the factor of the recorded latencies; 0: replies come at once
	Folder   string  // where the state's file is made; "": that of temporary files
}

// ValidateTasks are the tasks by their short names, as axon validate has them.
var ValidateTasks = map[string]validator.Task{"next": validator.Next, "causallm": validator.CausalLM}

// Validate lists what is wrong with the test.
func (t ValidateTest) Validate() error {
	faults := []error{t.Rounds.Validate(), t.Network.Validate()}
	if !(t.Slowness >= 0 && t.Slowness <= maxSlowness) {
		faults = append(faults, fmt.Errorf("latencies times %v: must be 0 to %d", t.Slowness, maxSlowness))
	}
	return errors.Join(faults...)
}

const maxSlowness = 1000

// RunValidate does one round that counts for nothing but code and memory, and then so many
// others, each of which is measured. tick is called after each.
func RunValidate(ctx context.Context, t ValidateTest, times int, tick func()) (ValidateRow, error) {
	if err := t.Validate(); err != nil {
		return ValidateRow{}, err
	}
	begun := time.Now()
	if t.Slowness > 0 {
		t.Network.Latencies = simnet.Latencies(t.Slowness)
	}
	network, err := simnet.New(t.Network)
	if err != nil {
		return ValidateRow{}, err
	}
	folder, err := os.MkdirTemp(t.Folder, "axon-bench-*")
	if err != nil {
		return ValidateRow{}, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // what was learnt of nobody
	w := &watch{asker: network, texts: network.Texts(t.Rounds.Window())}
	store, err := state.Open(filepath.Join(folder, "state"), state.Options{Settings: t.Rounds.Settings(w.texts.Fingerprint())})
	if err != nil {
		return ValidateRow{}, err
	}
	steps, err := t.steps(ctx, network, w, store, times, tick)
	if err := cmp.Or(err, store.Close()); err != nil {
		return ValidateRow{}, err
	}
	return t.row(begun, steps, len(store.State.Pairs)), nil
}

// steps does the rounds.
func (t ValidateTest) steps(ctx context.Context, n *simnet.Network, w *watch, store *state.Store, times int, tick func()) ([]step, error) {
	v, err := rounds.New(t.Rounds, w, watchedTexts{w.texts, w}, n.Endpoints, store)
	if err != nil {
		return nil, err
	}
	var steps []step
	for i := range 1 + times {
		s, err := w.round(ctx, v, store)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			steps = append(steps, s)
		}
		tick()
	}
	return steps, nil
}

// round does one round and says what it took. How long the commit took is learnt by
// committing the same once more, which changes nothing.
func (w *watch) round(ctx context.Context, v *rounds.Validator, store *state.Store) (step, error) {
	w.step = step{}
	defer w.memory.stop()
	began, cpu := time.Now(), cpuTime()
	r, err := v.Round(ctx)
	if err != nil {
		return step{}, err
	}
	s := w.step
	s.whole = time.Since(began) - w.making
	s.cpu = cpuTime() - cpu - w.makingCPU
	w.memory.stop()
	began = time.Now()
	if err := store.Commit(r); err != nil {
		return step{}, err
	}
	s.committing = time.Since(began)
	s.comparing = max(0, s.whole-s.asking-s.committing)
	s.peakHeap, s.peakResident = w.memory.heap, w.memory.resident
	runtime.GC()
	s.steadyHeap = heapInUse()
	return s, nil
}
