package validator

import (
	"fmt"
	"iter"
	"math"
)

// Task is which synapse is asked.
type Task int

// The tasks.
const (
	Next     Task = iota // TextCausalLMNext: phrases that follow the text
	CausalLM             // TextCausalLM: a distribution at every position
)

// String is the synapse's name.
func (t Task) String() string {
	if t == Next {
		return "TextCausalLMNext"
	}
	return "TextCausalLM"
}

// ParseTask is the task of a synapse's name: ErrRules where it is neither.
func ParseTask(name string) (Task, error) {
	for _, t := range []Task{Next, CausalLM} {
		if name == t.String() {
			return t, nil
		}
	}
	return 0, fmt.Errorf("%w: %.40q is neither %v nor %v", ErrRules, name, Next, CausalLM)
}

// suffix is how the reference marks the task's quantities.
func (t Task) suffix() string {
	if t == Next {
		return "_nxt"
	}
	return ""
}

// scoreName is what the reference calls the score that weights are made of.
func (t Task) scoreName() string {
	if t == Next {
		return "shapley_values_nxt"
	}
	return "shapley_values_min"
}

// Stats are what is measured of a server: in a round, or on average. NaN stands
// for what was not measured.
type Stats struct {
	Task Task
	UID  int
	// Answered says that the server gave an answer with a loss, whatever it is worth.
	Answered     bool
	ResponseTime float64 // seconds
	// Losses are those of the round's texts, nats, of which Worth.Loss is the mean.
	// Averages have none.
	Losses []float64
	// Routing is how much a validator expected of the server, 0 to 1; RoutingTarget
	// is exp(−max(loss − 1.69, 0)), what it should have been, and RoutingLoss the
	// square of the difference.
	Routing, RoutingTarget, RoutingLoss float64
	// Worth is what the whole prediction is worth: of TextCausalLMNext the phrase,
	// of TextCausalLM all tokens of the text.
	Worth Worth
	// First is what the prediction of the first held-out token is worth.
	First Worth
	// Divergence is the Hellinger distance from the mean of all servers, 0 to 1, and
	// Excess by how much it is too large, 0 to 10; of TextCausalLMNext.
	Divergence, Excess float64
	// Score is what the server is worth altogether. Of TextCausalLM it is the
	// smaller of the two scores. Of TextCausalLMNext only averages have one: it comes
	// from the averaged loss.
	Score float64
}

// Worth is a loss and what follows from it.
type Worth struct {
	Loss   float64 // nats
	Params float64 // effective parameters, see [EffectiveParams]
	Base   float64 // Params^power
	// Synergy is the server's share in what pairs do better than the better of
	// the two, in Params^power; SynergyLoss is the same in nats.
	Synergy, SynergyLoss float64
	Score                float64 // Base + Synergy; of TextCausalLM
}

var unmeasuredWorth = Worth{nan, nan, nan, nan, nan, nan}

var nan = math.NaN()

func newStats(task Task, uid int) Stats {
	return Stats{Task: task, UID: uid, ResponseTime: nan, Routing: nan, RoutingTarget: nan, RoutingLoss: nan,
		Worth: unmeasuredWorth, First: unmeasuredWorth, Divergence: nan, Excess: nan, Score: nan}
}

// Named are the quantities that were measured, under the reference's names.
func (s Stats) Named() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for _, f := range s.fields() {
			if !math.IsNaN(*f.value) && !math.IsInf(*f.value, 0) && !yield(f.name, *f.value) {
				return
			}
		}
	}
}

// field is a quantity and the reference's name for it.
type field struct {
	name  string
	value *float64
}

// fields are all quantities of a task, always in the same order.
func (s *Stats) fields() []field {
	x := s.Task.suffix()
	list := []field{
		{"response_time" + x, &s.ResponseTime},
		{"routing_score", &s.Routing},
		{"routing_score_target" + x, &s.RoutingTarget},
		{"routing_loss" + x, &s.RoutingLoss},
		{"logits_divergence" + x, &s.Divergence},
		{"logits_excess" + x, &s.Excess},
		{s.Task.scoreName(), &s.Score},
	}
	list = append(list, s.Worth.fields(x)...)
	list = append(list, s.First.fields("_val"+x)...)
	if s.Task == CausalLM {
		list = append(list, field{"shapley_values", &s.Worth.Score}, field{"shapley_values_val", &s.First.Score})
	}
	return list
}

func (w *Worth) fields(suffix string) []field {
	return []field{
		{"loss" + suffix, &w.Loss},
		{"est_params" + suffix, &w.Params},
		{"base_params" + suffix, &w.Base},
		{"synergy" + suffix, &w.Synergy},
		{"synergy_loss_diff" + suffix, &w.SynergyLoss},
	}
}
