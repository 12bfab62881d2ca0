package validator

import (
	"iter"
	"math"
)

// Average is what is known of a server from all rounds: exponential moving
// averages
//
//	average ← (1 − α)·average + α·value
//
// of every quantity, begun with its first value. A value that is NaN or infinite
// does not enter. Answered is whether the server answered in its latest round. By the proper rule
// α is 1/n in the n-th round while that is more: averages begin as plain means.
type Average struct {
	Stats
	// Tally is how sure Worth.Loss is, and the others how sure Divergence and
	// ResponseTime are.
	Tally, DivergenceTally, TimeTally Tally
	// Weight is what weights are made of: the parallel average of the score, which begins
	// with 0 and receives 0 in a round in which the server has no score. By the proper
	// rule it is the score as of the latest round.
	Weight float64
	Rounds int // in which the server was asked
	Scored int // those of them in which it was scored, be it with NaN
}

// NewAverage is that of a server of which nothing is known.
func NewAverage(task Task, uid int) *Average {
	return &Average{Stats: newStats(task, uid)}
}

// Update adds a round and says whether the server has a score in it. The score
// of TextCausalLM is the round's. That of TextCausalLMNext comes of the averages:
//
//	(N(loss)^power + synergy) / (1 + penalty·excess)
//
// where N is [EffectiveParams]; without an average of the excess nothing is
// divided, without one of the synergy there is no score. By the proper rule both tasks have
// N(loss)^power of the averaged loss, less that of silence and corrected for luck, and 0
// until the server is known from ten rounds.
func (a *Average) Update(s Stats, r Rules) bool {
	r = r.withDefaults()
	alpha := r.share(a.Rounds)
	a.Answered = s.Answered
	blend(&a.Stats, s, alpha)
	if len(s.Losses) > 0 {
		a.Tally.add(s.Worth.Loss, alpha)
	}
	a.DivergenceTally.addKnown(s.Divergence, alpha)
	a.TimeTally.addKnown(s.ResponseTime, alpha)
	fresh, score := a.judge(s, r)
	a.Rounds++
	scored := !math.IsNaN(score)
	a.weigh(score, alpha, r)
	if s.Answered && (a.Task == CausalLM || !math.IsNaN(a.Worth.Synergy)) {
		a.Scored++
	}
	blend(&a.Stats, fresh, alpha)
	return scored
}

// share is the weight in an average of the round after so many.
func (r Rules) share(rounds int) float64 {
	if r.Proper {
		return max(r.Alpha, 1/float64(rounds+1))
	}
	return r.Alpha
}

// weigh brings the score of a round into the weight. By the proper rule silence has cost
// the loss already, and the score is that of the average: it need not be averaged again.
func (a *Average) weigh(score, alpha float64, r Rules) {
	switch {
	case r.Proper:
		a.Weight = a.Tally.worth(r.Power)
	case math.IsNaN(score):
		a.Weight *= 1 - alpha
	default:
		a.Weight = (1-alpha)*a.Weight + alpha*score
	}
}

// judge returns the score of the round, and what else is computed from averages.
func (a *Average) judge(s Stats, r Rules) (fresh Stats, score float64) {
	fresh = newStats(a.Task, a.UID)
	if a.Task == CausalLM && !r.Proper {
		return fresh, s.Score
	}
	if !s.Answered || math.IsNaN(a.Worth.Loss) {
		return fresh, nan
	}
	fresh.Worth.Params = EffectiveParams(a.Worth.Loss)
	fresh.Worth.Base = Power(fresh.Worth.Params, r.Power)
	if r.Proper {
		fresh.Score = a.Tally.worth(r.Power)
		return fresh, fresh.Score
	}
	fresh.Score = fresh.Worth.Base + a.Worth.Synergy
	if !math.IsNaN(a.Excess) {
		fresh.Score /= 1 + r.Penalty*a.Excess
	}
	return fresh, fresh.Score
}

// blend brings new values into averages.
func blend(average *Stats, s Stats, alpha float64) {
	values := s.fields()
	for i, f := range average.fields() {
		switch v := *values[i].value; {
		case math.IsNaN(v), math.IsInf(v, 0):
		case math.IsNaN(*f.value):
			*f.value = v
		default:
			*f.value = (1-alpha)**f.value + alpha*v
		}
	}
}

// Named are the averages under the reference's names, Weight with an
// exclamation mark.
func (a Average) Named() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for name, value := range a.Stats.Named() {
			if !yield(name, value) {
				return
			}
		}
		score := a.Task.scoreName()
		_ = yield(score+"!", a.Weight) && yield("updates!", float64(a.Rounds)) &&
			(a.Scored == 0 || yield("updates_"+score, float64(a.Scored)))
	}
}

// Averages are those of a network's servers, by uid. Whoever finds another hotkey
// behind a uid removes it.
type Averages map[int]*Average

// Update adds a round, and returns the servers that have a score in it, in the
// order of the round.
func (a Averages) Update(round []Stats, r Rules) (scored []int) {
	for _, s := range round {
		if a[s.UID] == nil {
			a[s.UID] = NewAverage(s.Task, s.UID)
		}
		if a[s.UID].Update(s, r) {
			scored = append(scored, s.UID)
		}
	}
	return scored
}

// Weights are the servers' parallel averages: what [WeightRules.Weights] takes.
func (a Averages) Weights() map[int]float64 {
	values := make(map[int]float64, len(a))
	for uid, average := range a {
		values[uid] = average.Weight
	}
	return values
}
