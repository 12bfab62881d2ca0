package validator

import "math"

// party is a server that may do better together with another.
type party struct {
	uid   int
	worth *Worth
	probs []float64 // of what came, one for each prediction
}

// parties are those of the servers whose loss is known.
func parties(servers []server, of func(server) (*Worth, []float64)) []party {
	var list []party
	for _, s := range servers {
		if s.answer == nil {
			continue
		}
		worth, losses := of(s)
		if math.IsNaN(worth.Loss) {
			continue
		}
		p := party{s.UID, worth, make([]float64, len(losses))}
		for i, l := range losses {
			p.probs[i] = math.Exp(-l)
		}
		list = append(list, p)
	}
	return list
}

// synergise gives each server its share of what it does better together with
// each other one: of n servers, for each two,
//
//	max(0, N(measured)^power − N(expected)^power) / 2n
//
// where expected is the smaller of their losses, measured the loss of the mean of
// their probabilities, and N the [EffectiveParams]. The same is done with the
// losses themselves. What a token that did not come was given does not enter,
// so a probability for each prediction is all that is needed.
func (r Rules) synergise(list []party, tell func(first, second int, share float64)) {
	for i, a := range list {
		for _, b := range list[i+1:] {
			expected := min(a.worth.Loss, b.worth.Loss)
			measured := together(a.probs, b.probs)
			parts := 2 * float64(len(list))
			loss := max(expected-measured, 0) / parts
			gain := max(r.value(measured)-r.value(expected), 0) / parts
			for _, p := range []party{a, b} {
				p.worth.Synergy += gain
				p.worth.SynergyLoss += loss
			}
			if tell != nil {
				tell(a.uid, b.uid, loss)
			}
		}
	}
}

func (r Rules) value(loss float64) float64 { return Power(EffectiveParams(loss), r.SynergyPower) }

// together is the mean of −ln((a + b)/2 + 1e-40). Logarithms are taken of seven
// factors at a time, whose product is 1e-280 at least.
func together(a, b []float64) float64 {
	sum, product := 0.0, 1.0
	for i, p := range a {
		product *= (p+b[i])/2 + leastProb
		if i%7 == 6 {
			sum -= math.Log(product)
			product = 1
		}
	}
	return (sum - math.Log(product)) / float64(len(a))
}
