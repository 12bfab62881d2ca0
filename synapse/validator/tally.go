package validator

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// Tally is how sure an averaged loss is. It follows the same moving average: with the
// weights w that texts have in it,
//
//	error² = (Σ w·loss² − (Σ w·loss)²) / (1 − Σ w²) · Σ w²
//
// which for equal weights is the usual standard error of a mean. Texts are taken to be
// independent, as those are that are drawn at random and never twice.
type Tally struct {
	Mean    float64 // Σ w·loss, nats
	Square  float64 // Σ w·loss²
	Weights float64 // Σ w²
	Texts   int     // that were measured
}

// add takes the losses of one round, which get the weight share together.
func (t *Tally) add(losses []float64, share float64) {
	n := float64(len(losses))
	sum, squares := 0.0, 0.0
	for _, l := range losses {
		sum += l
		squares += l * l
	}
	if t.Texts == 0 {
		share = 1
	}
	t.Mean += share * (sum/n - t.Mean)
	t.Square += share * (squares/n - t.Square)
	t.Weights = (1-share)*(1-share)*t.Weights + share*share/n
	t.Texts += len(losses)
}

// Error is the standard error of the mean, in nats; NaN with less than two texts.
func (t Tally) Error() float64 {
	if t.Texts < 2 {
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

// Losses are what each server lost on each text of a round, by uid. Servers that were not
// asked, or have no loss, are not among them.
type Losses map[int][]float64

// Difference is how two servers compare on the texts that both were asked about.
type Difference struct {
	Better, Worse int     // uids, by their averaged losses
	Mean          float64 // by which the worse lost more a text, nats
	Error         float64 // standard error of it
	Texts         int
}

// leastTexts is how many texts it takes before a mean is held for normal.
const leastTexts = 30

// Differs says whether the difference is more than luck: whether 0 lies outside of the
// interval that holds a normal variable of its mean and error with this confidence, 0 to
// 1. The interval has two sides, because which of the two is the better was learnt from
// the same numbers. Of m differences that shall all hold together each needs
// 1 − (1 − confidence)/m.
func (d Difference) Differs(confidence float64) bool {
	return d.Texts >= leastTexts && d.Mean > math.Sqrt2*math.Erfinv(confidence)*d.Error
}

// Neighbours compares each server of an order with the next one, on what both lost in the
// rounds: a difference for each but the last. The rounds are gone through once, with a
// step for each server and text. Pairing takes out of the comparison what makes texts
// hard for everybody.
func Neighbours(order []int, rounds iter.Seq[Losses]) []Difference {
	sums := make([]paired, max(0, len(order)-1))
	for round := range rounds {
		for i := range sums {
			sums[i].add(round[order[i]], round[order[i+1]])
		}
	}
	list := make([]Difference, len(sums))
	for i, s := range sums {
		list[i] = s.difference(order[i], order[i+1])
	}
	return list
}

// paired are sums over differences.
type paired struct {
	sum, squares float64
	n            int
}

func (p *paired) add(better, worse []float64) {
	if len(better) != len(worse) {
		return // one of them was not asked
	}
	for i, l := range better {
		d := worse[i] - l
		p.sum += d
		p.squares += d * d
		p.n++
	}
}

func (p paired) difference(better, worse int) Difference {
	n := float64(p.n)
	d := Difference{Better: better, Worse: worse, Mean: p.sum / n, Texts: p.n, Error: nan}
	if p.n > 1 {
		d.Error = math.Sqrt(max(0, p.squares/n-d.Mean*d.Mean) / (n - 1))
	}
	return d
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
