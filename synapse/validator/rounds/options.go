package rounds

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"

	"axon/synapse"
	"axon/synapse/validator"
	"axon/synapse/validator/state"
)

// Options say what is asked and how it is scored. A zero stands for the default where one
// is given.
type Options struct {
	Task    validator.Task
	Rules   validator.Rules // an alpha of 0 is that of the rule: 0.1, and 0.01 of the proper one
	Weights validator.WeightRules
	Seed    uint64
	TopK    int // phrases, or entries of each position; default the task's
	Texts   int // in a round; default 8
	Context int // tokens of a text that servers see, before pruning; default 64
	HeldOut int // tokens behind them that servers do not see; default 8
	Prune   int // tokens left out of each context at random places, but not among the last 3
	Servers int // asked in a round, drawn at random; 0: all
	// Repeat goes on when all texts were asked about, with other windows of them. Who
	// remembers what he was asked knows them then.
	Repeat bool
	// Packed asks for TextCausalLM in axon's packed form, a seventh of the bytes. Servers
	// that do not know it are asked again without.
	Packed bool
}

// What the reference holds out, and how near to it nothing is left out.
const (
	defaultHeldOut = 8
	keptAtTheEnd   = 3
)

// properAlpha makes an average of about 200 rounds.
const properAlpha = 0.01

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	topK := 4096
	if o.Task == validator.CausalLM {
		topK = 512
	}
	o.TopK = cmp.Or(o.TopK, topK)
	o.Texts = cmp.Or(o.Texts, 8)
	o.Context = cmp.Or(o.Context, 64)
	o.HeldOut = cmp.Or(o.HeldOut, defaultHeldOut)
	if o.Rules.Proper {
		o.Rules.Alpha = cmp.Or(o.Rules.Alpha, properAlpha)
	}
	return o
}

// Window is how many tokens of a text a round takes.
func (o Options) Window() int { return o.Context + o.HeldOut }

// Validate lists all faults of options whose defaults are filled in.
func (o Options) Validate() error {
	faults := []error{o.Rules.Validate(), o.Weights.Validate()}
	check := func(name string, value, least, most int) {
		if value < least || value > most {
			faults = append(faults, fmt.Errorf("%w: %s of %d, must be %d to %d", ErrOptions, name, value, least, most))
		}
	}
	if o.Packed && o.Task != validator.CausalLM {
		faults = append(faults, fmt.Errorf("%w: %v has no packed form, %v has", ErrOptions, o.Task, validator.CausalLM))
	}
	check("top-k", o.TopK, 1, synapse.StandardVocabulary)
	check("texts", o.Texts, 1, 1<<12)
	check("a context", o.Context, 1, 1<<16)
	check("tokens held out", o.HeldOut, 1, 1<<10)
	check("tokens left out", o.Prune, 0, max(0, o.Context-keptAtTheEnd-1))
	check("servers", o.Servers, 0, 1<<16)
	return errors.Join(faults...)
}

// Settings are what a state's numbers depend on. The fingerprint is that of the texts.
// Weights are made of the numbers afterwards.
func (o Options) Settings(fingerprint string) state.Settings {
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return state.Settings{
		"task":          o.Task.String(),
		"rule":          o.ruleName(),
		"seed":          strconv.FormatUint(o.Seed, 10),
		"top-k":         strconv.Itoa(o.TopK),
		"texts":         strconv.Itoa(o.Texts),
		"context":       strconv.Itoa(o.Context),
		"held-out":      strconv.Itoa(o.HeldOut),
		"prune":         strconv.Itoa(o.Prune),
		"servers":       strconv.Itoa(o.Servers),
		"alpha":         float(o.Rules.Alpha),
		"power":         float(o.Rules.Power),
		"synergy":       strconv.FormatBool(o.Rules.Synergy),
		"synergy-power": float(o.Rules.SynergyPower),
		"penalty":       float(o.Rules.Penalty),
		"packed":        strconv.FormatBool(o.Packed),
		"text-files":    fingerprint, // their names, sizes and times
	}
}

func (o Options) ruleName() string {
	if o.Rules.Proper {
		return "proper"
	}
	return "reference"
}
