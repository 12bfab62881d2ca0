package validator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Rules say what losses are worth. The zero value is the reference's, but for
// synergy and penalty, which it has from the chain.
type Rules struct {
	// Proper scores by the logarithmic loss of the first standard token alone, see
	// [MeasureFirstNext] and [MeasureFirstCausalLM], which the answers were measured by.
	// Silence loses [SilenceLoss], averages begin as plain means, and neither synergy nor
	// divergence enters a score. Without it the rule is the reference's.
	Proper       bool
	Power        float64 // of effective parameters in a base score, to 3; 0 means 0.5
	SynergyPower float64 // the same for what pairs do better; 0 means 0.6
	// Synergy adds to a score the server's share in what pairs do better. It
	// takes n²/2 steps for n servers and each prediction.
	Synergy bool
	// Pair, if set, is told for each two servers (first's uid below second's) what
	// each was given of the reduction of the loss, in nats.
	Pair func(first, second int, share float64)
	// Penalty divides the score of TextCausalLMNext by 1 + Penalty·Excess; 0 is none.
	Penalty float64
	Alpha   float64 // weight of the newest value in averages, above 0, at most 1; 0 means 0.1
}

// maxPower keeps N^power within float32: N is 8.83e10 at most.
const maxPower = 3

// Validate lists all faults: ErrRules.
func (r Rules) Validate() error {
	var faults []error
	check := func(name string, value, most float64) {
		if !(value >= 0 && value <= most) {
			faults = append(faults, fmt.Errorf("%w: %s is %v, want 0 to %v", ErrRules, name, value, most))
		}
	}
	check("the power", r.Power, maxPower)
	check("the power of synergy", r.SynergyPower, maxPower)
	check("the penalty", r.Penalty, math.MaxFloat64)
	check("alpha", r.Alpha, 1)
	return errors.Join(faults...)
}

func (r Rules) withDefaults() Rules {
	r.Power = cmp.Or(r.Power, 0.5)
	r.SynergyPower = cmp.Or(r.SynergyPower, 0.6)
	r.Alpha = cmp.Or(r.Alpha, 0.1)
	return r
}

// Reply is one server's part in a round.
type Reply struct {
	UID     int
	Time    float64 // seconds until the answer, or until it was given up
	Routing float64 // how much was expected of the server, 0 to 1; see [Stats]
	Answer  *Answer // nil when there is none
}

// Score compares the servers of a round, each of which was asked the same: the
// statistics come in the order of the replies and do not depend on it. A server
// without an answer has its response time and routing only, and by the proper rule the
// loss of silence. One whose
// TextCausalLM loss is infinite or not a number is treated likewise; when only the
// loss of the first held-out token is, it keeps what the text is worth, but has
// no score. Errors are ErrRules and ErrRound.
func (r Rules) Score(task Task, replies []Reply) ([]Stats, error) {
	if err := errors.Join(r.Validate(), checkRound(replies)); err != nil {
		return nil, err
	}
	r = r.withDefaults()
	texts := textsOf(replies)
	stats := make([]Stats, len(replies))
	servers := make([]server, len(replies))
	for i, reply := range replies {
		stats[i] = r.base(task, reply)
		if reply.Answer == nil && r.Proper {
			stats[i].silence(texts)
		}
		servers[i] = server{&stats[i], reply.Answer}
	}
	slices.SortFunc(servers, func(a, b server) int { return cmp.Compare(a.UID, b.UID) })
	diverge(servers)
	if r.Synergy {
		r.synergise(parties(servers, func(s server) (*Worth, []float64) { return &s.Worth, s.answer.Losses }), r.Pair)
		if task == CausalLM {
			r.synergise(parties(servers, func(s server) (*Worth, []float64) { return &s.First, s.answer.First }), nil)
		}
	}
	if task == CausalLM && !r.Proper {
		for i := range stats {
			stats[i].combine()
		}
	}
	return stats, nil
}

func checkRound(replies []Reply) error {
	seen := map[int]bool{}
	var first *Answer
	for _, reply := range replies {
		if seen[reply.UID] {
			return fmt.Errorf("%w: server %d comes twice", ErrRound, reply.UID)
		}
		seen[reply.UID] = true
		a := reply.Answer
		if a == nil {
			continue
		}
		if first == nil {
			first = a
		}
		if len(a.Losses) != len(first.Losses) || len(a.First) != len(first.First) ||
			a.tokens != nil && len(a.tokens) != len(a.First) {
			return fmt.Errorf("%w: server %d answers %d predictions for %d texts, others %d for %d",
				ErrRound, reply.UID, len(a.Losses), len(a.First), len(first.Losses), len(first.First))
		}
	}
	return nil
}

// server is one of those compared.
type server struct {
	*Stats
	answer *Answer
}

// base is what is known of a server alone.
func (r Rules) base(task Task, reply Reply) Stats {
	s := newStats(task, reply.UID)
	s.ResponseTime, s.Routing = reply.Time, reply.Routing
	if reply.Answer == nil {
		return s
	}
	for _, part := range []struct {
		worth  *Worth
		losses []float64
	}{{&s.Worth, reply.Answer.Losses}, {&s.First, reply.Answer.First}} {
		loss := mean(part.losses)
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return s
		}
		part.worth.Loss = loss
		if task == CausalLM && !r.Proper {
			part.worth.Params = EffectiveParams(loss)
			part.worth.Base = Power(part.worth.Params, r.Power)
		}
		if task == CausalLM || part.worth == &s.Worth {
			part.worth.Synergy, part.worth.SynergyLoss = 0, 0
		}
	}
	s.Answered, s.Losses = true, reply.Answer.perText()
	s.RoutingTarget = math.Exp(-max(s.Worth.Loss-EntropyOfText, 0))
	s.RoutingLoss = (s.Routing - s.RoutingTarget) * (s.Routing - s.RoutingTarget)
	return s
}

// perText are the mean losses of each text, of which all have equally many predictions.
func (a *Answer) perText() []float64 {
	n := len(a.Losses) / max(1, len(a.First))
	if n <= 1 {
		return a.Losses
	}
	list := make([]float64, len(a.First))
	for i := range list {
		list[i] = mean(a.Losses[i*n : (i+1)*n])
	}
	return list
}

// silence is what a server loses that did not answer, by the proper rule.
func (s *Stats) silence(texts int) {
	s.Worth.Loss, s.First.Loss = SilenceLoss, SilenceLoss
	s.Losses = slices.Repeat([]float64{SilenceLoss}, texts)
}

// textsOf is how many texts a round was about, as far as anybody answered: 1 otherwise.
func textsOf(replies []Reply) int {
	for _, reply := range replies {
		if reply.Answer != nil {
			return len(reply.Answer.First)
		}
	}
	return 1
}

// combine makes scores of base and synergy. What was not measured stays NaN.
func (s *Stats) combine() {
	s.Worth.Score = s.Worth.Base + s.Worth.Synergy
	s.First.Score = s.First.Base + s.First.Synergy
	s.Score = min(s.Worth.Score, s.First.Score)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
