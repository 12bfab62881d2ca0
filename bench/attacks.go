package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"axon/internal/hostile"
	"axon/models"
	"axon/synapse/validator"
)

// What attacks on a validator earn, see docs/attacks.md: honest servers and hostile ones on
// loopback, asked by a validator about the same texts, scored by both rules.

// ErrAttacks is returned when attacks cannot be measured as asked.
var ErrAttacks = errors.New("attacks cannot be measured like this")

// AttackConfig says which attacks are measured, and on how much. A zero stands for the default
// where one is given.
//
// What honest play is: to answer by what the attacker knows. An attacker with a model of its own
// is compared with the honest server of that model, one that asks neighbours with the best of
// these. Of TextCausalLMNext there are two honest answers, the model's own tokens and
// standard ones ([hostile.Translated]), of which the second is better by the proper rule.
type AttackConfig struct {
	Attacks []hostile.Attack // honest controls are added
	Tasks   []validator.Task
	Models  []string // of the honest servers; default: the built-in family
	Base    string   // the model that attackers have; default axon-800k. It is among the honest servers
	File    string   // with the text; default: the one held out from the family
	Rounds  int      // default 40
	Texts   int      // in a round; default 8
	Context int      // tokens of a text; default 48
	Threads int      // of each model; default 1
	Seed    uint64
	// Resamplings are those behind an interval; default 200.
	Resamplings int
}

const (
	// attackTopKNext leaves a model of the family, which has 4096 tokens, something for the floor.
	attackTopKNext = 1000
	// attackTopK is the reference's of TextCausalLM.
	attackTopK = 512
	// attackBase is in the middle of the family, so that there are better neighbours to copy.
	attackBase = "axon-800k"
)

// WithDefaults fills in the defaults.
func (c AttackConfig) WithDefaults() AttackConfig {
	if len(c.Models) == 0 {
		c.Models = models.Names()
	}
	c.Base = cmp.Or(c.Base, attackBase)
	c.Rounds = cmp.Or(c.Rounds, 40)
	c.Texts = cmp.Or(c.Texts, 8)
	c.Context = cmp.Or(c.Context, 48)
	c.Threads = cmp.Or(c.Threads, 1)
	c.Resamplings = cmp.Or(c.Resamplings, 200)
	if !slices.Contains(c.Models, c.Base) {
		c.Models = append(slices.Clone(c.Models), c.Base)
	}
	c.Attacks = slices.DeleteFunc(slices.Clone(c.Attacks), func(a hostile.Attack) bool { return a.Name == hostile.Honest })
	return c.withControl()
}

// QuickAttacks are few and short texts: enough to see that all works.
func QuickAttacks() AttackConfig {
	return AttackConfig{Rounds: 12, Texts: 2, Context: 24, Resamplings: 20}
}

// withControl adds the better one of two honest answers, if it is not among the attacks.
func (c AttackConfig) withControl() AttackConfig {
	if slices.ContainsFunc(c.Attacks, func(a hostile.Attack) bool { return a.Name == hostile.Translated }) {
		return c
	}
	control, err := hostile.Named(hostile.Translated)
	if err == nil { // it is one of them
		c.Attacks = append(control, c.Attacks...)
	}
	return c
}

// Validate lists what is wrong with a config whose defaults are filled in: ErrAttacks.
func (c AttackConfig) Validate() error {
	var faults []error
	check := func(name string, value, least int) {
		if value < least {
			faults = append(faults, fmt.Errorf("%w: %s of %d, must be %d at least", ErrAttacks, name, value, least))
		}
	}
	check("rounds", c.Rounds, validator.LeastScored)
	check("texts", c.Texts, 1)
	check("a context", c.Context, hostile.LongestMemory)
	check("threads", c.Threads, 1)
	check("resamplings", c.Resamplings, 2)
	if len(c.Tasks) == 0 {
		faults = append(faults, fmt.Errorf("%w: no task", ErrAttacks))
	}
	return errors.Join(faults...)
}

// AttackRow is what an attack earned in one task, by both rules.
type AttackRow struct {
	Build  string `json:"build"`
	Time   string `json:"test_time"`
	Task   string `json:"task"`
	Attack string `json:"attack"`
	About  string `json:"about"`
	Model  string `json:"model"`  // the attacker's
	Beside string `json:"beside"` // the model whose honest play it is compared with
	Knows  string `json:"knows"`  // what the attacker has to predict from
	// Repeated says that the texts had come before.
	Repeated  bool          `json:"repeated"`
	Rounds    int           `json:"rounds"`
	Texts     int           `json:"texts"`
	Seed      uint64        `json:"seed"`
	Reference AttackOutcome `json:"reference"`
	Proper    AttackOutcome `json:"proper"`
}

// AttackOutcome is what an attack earned by one rule. What was not measured is zero.
type AttackOutcome struct {
	Answered int `json:"answered"` // rounds
	// Loss is the averaged one, as the rule has it, nats.
	Loss      float64 `json:"loss"`
	LossError float64 `json:"loss_error"`
	// More is by how much it lost more than honest play, on the texts on which both have a
	// loss; MoreThanBest, by the proper rule, how much more than the honest play that is best in
	// the task, see [AttackConfig].
	More         AttackMean `json:"more"`
	MoreThanBest AttackMean `json:"more_than_best"`
	Score        float64    `json:"score"`
	Weight       float64    `json:"weight"` // what weights are made of
	// Ratio is its weight over that of honest play, with an interval of 95 %.
	Ratio    float64    `json:"ratio"`
	Interval [2]float64 `json:"ratio_interval"`
	Verdict  string     `json:"verdict"` // more, same, less
}

// AttackMean is a mean over texts, with its standard error.
type AttackMean struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"error"`
	Texts int     `json:"texts"`
}

// RunAttacks runs a network for each task. tell hears what is done, and how much of all, 0 to 1.
// What describes the build is for the caller to add to the rows.
func RunAttacks(ctx context.Context, c AttackConfig, tell func(what string, done float64)) ([]AttackRow, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	begun := time.Now().UTC().Format(time.RFC3339)
	var rows []AttackRow
	for i, task := range c.Tasks {
		part := func(what string, done float64) {
			tell(task.String()+" "+what, (float64(i)+done)/float64(len(c.Tasks)))
		}
		list, err := runAttacksOn(ctx, c, task, part)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", task, err)
		}
		rows = append(rows, list...)
	}
	for i := range rows {
		rows[i].Time, rows[i].Seed = begun, c.Seed
	}
	return rows, nil
}

func runAttacksOn(ctx context.Context, c AttackConfig, task validator.Task, tell func(string, float64)) (rows []AttackRow, err error) {
	c.Attacks = slices.DeleteFunc(slices.Clone(c.Attacks), func(a hostile.Attack) bool { return !a.For(task) })
	g, err := newAttackGame(ctx, c, task)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	repeating := slices.DeleteFunc(slices.Clone(g.players), func(p player) bool { return !p.attack.Repeats })
	share := 1.0
	if len(repeating) > 0 {
		share = 0.8
	}
	rows, err = g.first(ctx, func(done float64) { tell("", done*share) })
	if err != nil || len(repeating) == 0 {
		return rows, err
	}
	again, err := g.repeated(ctx, repeating, func(done float64) { tell("again", share+done*(1-share)) })
	return append(rows, again...), err
}
