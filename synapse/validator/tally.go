package validator

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// Tally is an average of rounds and how sure it is. A round counts as its mean: texts of one
// round may share their luck, such as the silence of a server, rounds hardly do. With the
// weights w that rounds have in the moving average,
//
//	error² = (Σ w·m² − (Σ w·m)²) / (1 − Σ w²) · Σ w²
//
// which for equal weights is the usual standard error of a mean. Rounds are taken to be
// independent, as they are whose texts are drawn at random and never twice.
type Tally struct {
	Mean    float64 `json:"mean"`    // Σ w·m
	Square  float64 `json:"square"`  // Σ w·m²
	Weights float64 `json:"weights"` // Σ w²
	Rounds  int     `json:"rounds"`  // that were measured
}

// add takes the mean of one round, which gets the weight share; the first gets all.
func (t *Tally) add(mean, share float64) {
	if t.Rounds == 0 {
		share = 1
	}
	t.Mean += share * (mean - t.Mean)
	t.Square += share * (mean*mean - t.Square)
	t.Weights = (1-share)*(1-share)*t.Weights + share*share
	t.Rounds++
}

// addKnown is add, of what is finite.
func (t *Tally) addKnown(mean, share float64) {
	if !math.IsNaN(mean) && !math.IsInf(mean, 0) {
		t.add(mean, share)
	}
}

// Error is the standard error of the mean; NaN with less than two rounds.
func (t Tally) Error() float64 {
	if t.Rounds < 2 {
		return nan
	}
	return math.Sqrt(max(0, t.Square-t.Mean*t.Mean) / (1 - t.Weights) * t.Weights)
}

// sigmas95 is the half of an interval that holds a normal variable 95 % of the time.
const sigmas95 = 1.959964

// ParamsInterval are the effective parameters at both ends of the 95 % interval of the
// loss, the smaller first.
func (t Tally) ParamsInterval() (low, high float64) {
	half := sigmas95 * t.Error()
	return EffectiveParams(t.Mean + half), EffectiveParams(t.Mean - half)
}

// LeastScored is how many rounds a server is known for before it is worth anything by the
// proper rule: the error of fewer is itself too unsure to correct for.
const LeastScored = 10

// worth is N(loss)^power of an averaged loss, less that of silence, which shall be worth
// nothing, and corrected for luck. N^power goes with
// loss^−q, q = power/0.076, and so an average that is off by chance is worth too much by
// the factor 1 + q(q+1)/2·(error/loss)² on average (to second order in the error); without
// the correction newcomers would earn more than those who are known.
func (t Tally) worth(power float64) float64 {
	if t.Rounds < LeastScored {
		return 0
	}
	q := power / lawExponent
	off := t.Error() / max(t.Mean, EntropyOfText)
	score := Power(EffectiveParams(t.Mean), power) * (1 - q*(q+1)/2*off*off)
	return max(0, score-Power(EffectiveParams(SilenceLoss), power))
}

// Losses are what each server lost on each text of a round, by uid. Servers that were not
// asked, or have no loss, are not among them.
type Losses map[int][]float64

// Difference is how two servers compare on the rounds in which both were asked.
type Difference struct {
	Better, Worse int     // uids, by their averaged losses
	Mean          float64 // by which the worse lost more a text, nats
	Error         float64 // standard error of it
	Rounds        int
}

// LeastRounds is how many rounds it takes before a mean is held for normal.
const LeastRounds = 30

// Differs says whether the difference is more than luck: whether 0 lies outside of the
// interval that holds a normal variable of its mean and error with this confidence, 0 to
// 1. The interval has two sides, because which of the two is the better was learnt from
// the same numbers. Of m differences that shall all hold together each needs
// 1 − (1 − confidence)/m.
func (d Difference) Differs(confidence float64) bool {
	return d.Rounds >= LeastRounds && d.Mean > math.Sqrt2*math.Erfinv(confidence)*d.Error
}

// Neighbours compares each server of an order with the next one, on what both lost in the
// rounds, from the oldest on: a difference for each but the last. Rounds have the weights
// that they have in the averages, but among those in which both were asked. They are gone
// through once, with a step for each server and text. Pairing takes out of the comparison
// what makes texts hard for everybody.
func (r Rules) Neighbours(order []int, rounds iter.Seq[Losses]) []Difference {
	r = r.withDefaults()
	pairs := make([]Tally, max(0, len(order)-1))
	for round := range rounds {
		for i := range pairs {
			better, worse := round[order[i]], round[order[i+1]]
			if len(better) > 0 && len(worse) > 0 { // both were asked
				pairs[i].add(mean(worse)-mean(better), r.share(pairs[i].Rounds))
			}
		}
	}
	list := make([]Difference, len(pairs))
	for i, t := range pairs {
		list[i] = Difference{Better: order[i], Worse: order[i+1], Mean: t.Mean, Error: t.Error(), Rounds: t.Rounds}
	}
	return list
}

// Ranking are the uids by ascending averaged loss. Servers without one come last.
func (a Averages) Ranking() []int {
	var order []int
	for uid := range a {
		order = append(order, uid)
	}
	slices.SortFunc(order, func(x, y int) int {
		lx, ly := a[x].Worth.Loss, a[y].Worth.Loss
		if math.IsNaN(lx) != math.IsNaN(ly) {
			if math.IsNaN(lx) {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(lx, ly), cmp.Compare(x, y))
	})
	return order
}
