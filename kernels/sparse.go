package kernels

import "math"

// Sparse is a distribution over the tokens of a vocabulary of which only some
// are known one by one: the logarithms of their probabilities, by ascending
// index, and the logarithm of what is left for all others. −Inf stands for a
// token that cannot come, and for nothing that is left.
type Sparse struct {
	Entries []Entry
	Rest    float32
}

// LogProbs turns logits into log-probabilities, in place, and returns the
// logarithm of the mass that the other tokens of the vocabulary share. The
// entries are the largest of a row of the given length whose log-sum-exp is
// lse, which must be finite, as [Reduce] leaves them.
//
// The mass of the rest is what the entries lack of 1, with the error of both
// sums: about 1e-6. It is never more than the other tokens could have, none of
// which is likelier than the least entry.
func LogProbs(entries []Entry, lse float64, vocabulary int, s *Scratch) (rest float32) {
	if len(entries) == 0 {
		return 0
	}
	if len(s.logs) < len(entries) {
		s.logs = make([]float32, len(entries))
	}
	logs := s.logs[:len(entries)]
	least := float32(math.Inf(1))
	for i, e := range entries {
		v := float32(float64(e.Value) - lse)
		entries[i].Value, logs[i] = v, v
		if v < least {
			least = v
		}
	}
	sum, _ := active.sumExp(logs, 0)
	others := float64(vocabulary - len(entries))
	return float32(math.Log(max(0, min(1-sum, others*math.Exp(float64(least))))))
}

// Hellinger is the distance of two distributions over the same vocabulary:
// √(1 − Σ √(p·q)), between 0 and 1. Each distribution's rest is taken to be
// spread evenly over the tokens it does not name, as a receiver of the sparse
// form has to assume.
func Hellinger(p, q Sparse, vocabulary int) float64 {
	floorP, floorQ := p.floor(vocabulary), q.floor(vocabulary)
	overlap, named := 0.0, 0
	for i, j := 0, 0; i < len(p.Entries) || j < len(q.Entries); named++ {
		lp, lq := floorP, floorQ
		inP := j == len(q.Entries) || i < len(p.Entries) && p.Entries[i].Index <= q.Entries[j].Index
		inQ := i == len(p.Entries) || j < len(q.Entries) && q.Entries[j].Index <= p.Entries[i].Index
		if inP {
			lp = float64(p.Entries[i].Value)
			i++
		}
		if inQ {
			lq = float64(q.Entries[j].Value)
			j++
		}
		overlap += math.Exp((lp + lq) / 2)
	}
	if others := vocabulary - named; others > 0 {
		overlap += float64(others) * math.Exp((floorP+floorQ)/2)
	}
	return math.Sqrt(max(0, 1-overlap))
}

// floor is the log-probability of each token that is not named.
func (s Sparse) floor(vocabulary int) float64 {
	others := vocabulary - len(s.Entries)
	if others <= 0 {
		return math.Inf(-1)
	}
	return float64(s.Rest) - math.Log(float64(others))
}
