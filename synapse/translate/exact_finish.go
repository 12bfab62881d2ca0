package translate

import (
	"math"
	"sort"
)

// firstWith is the first position that may wait for a row.
func (r *exactRun) firstWith(row int32) int {
	return sort.Search(len(r.places), func(s int) bool { return r.places[s].hi >= row })
}

// finish makes the distribution of what follows a position, of which all rows
// have come.
func (r *exactRun) finish(s int) error {
	dense := r.dense[s]
	r.dense[s] = nil
	probs := *dense
	weights := r.weights(s)
	total := r.gather(s, weights, probs)
	if s+1 < len(r.standard) {
		r.setNext(s, weights, total, probs)
	} else {
		if r.last.hold(dense, weights(r.places[s].hi)) {
			return nil
		}
		normalise(probs)
	}
	err := r.each(s, probs)
	r.probs.Put(dense)
	r.release(s)
	return err
}

// release forgets what only this position and those before it needed.
func (r *exactRun) release(s int) {
	for _, c := range r.places[s].cuts {
		r.slots[c].rest = nil
	}
}

// weights are, for each row of a position, the probability of the text's own
// tokens from the first of them on.
func (r *exactRun) weights(s int) func(row int32) float64 {
	lo := max(r.places[s].lo, r.first)
	sums := make([]float64, r.places[s].hi-lo+2)
	for row := lo; row <= r.places[s].hi; row++ {
		sums[row-lo+1] = sums[row-lo] + r.spelled[row]
	}
	return func(row int32) float64 { return math.Exp(sums[row-lo]) }
}

// gather adds up what the rows say of a position, and returns how likely its
// bytes are.
func (r *exactRun) gather(s int, weight func(int32) float64, probs []float32) float64 {
	cuts := r.places[s].cuts
	main := weight(r.cuts[cuts[len(cuts)-1]].row)
	for i := range probs {
		probs[i] *= float32(main)
	}
	for _, c := range cuts {
		if r.cuts[c].row < r.first {
			continue
		}
		w := weight(r.cuts[c].row)
		for _, share := range r.slots[c].rest {
			probs[share.token] += float32(w) * share.prob
		}
	}
	return r.mass(s, weight)
}

// mass is how likely the bytes up to a position are, from a row on.
func (r *exactRun) mass(s int, weight func(int32) float64) (total float64) {
	for _, c := range r.places[s].cuts {
		if row := r.cuts[c].row; row >= r.first {
			total += weight(row) * r.slots[c].mass
		}
	}
	return total
}

// setNext gives the text's own next token its probability, which is a quotient of
// two masses, and the others what is left.
func (r *exactRun) setNext(s int, weight func(int32) float64, total float64, probs []float32) {
	next := r.standard[s+1]
	if !r.certain[s+1] || total <= 0 {
		normalise(probs)
		return
	}
	after := r.mass(s+1, weight)
	if next == r.exact.standard.EndOfText() {
		// What the tokenizer puts in front of the text that follows is not expected.
		after = weight(r.places[s].hi)
	}
	r.takeBack(s, weight, next, probs)
	probs[next] = 0
	p := min(after/total, 1)
	share(probs, 1-p, next)
	probs[next] = float32(p)
}

// takeBack takes from the standard token that the text's own server token was
// counted for what is now counted for a longer one.
func (r *exactRun) takeBack(s int, weight func(int32) float64, next int32, probs []float32) {
	cuts := r.places[s].cuts
	main := r.cuts[cuts[len(cuts)-1]]
	if int(main.row) == len(r.tokens) {
		return
	}
	head := r.head(r.tokens[main.row], int(main.depth))
	if head < 0 || head == next {
		return
	}
	moved := 0.0
	for _, c := range r.places[s+1].cuts {
		if row := r.cuts[c].row; row > main.row {
			moved += weight(row) * r.slots[c].mass
		}
	}
	probs[head] = max(0, probs[head]-float32(moved))
}

// normalise makes the sum of probabilities 1.
func normalise(probs []float32) { share(probs, 1, -1) }

// share makes a sum out of probabilities; where there are none all but one token
// get the same.
func share(probs []float32, want float64, but int32) {
	sum := 0.0
	for _, p := range probs {
		sum += float64(p)
	}
	if sum > 0 && !math.IsInf(want/sum, 0) {
		scale := float32(want / sum)
		for i := range probs {
			probs[i] *= scale
		}
		return
	}
	n := len(probs)
	if but >= 0 {
		n--
	}
	for i := range probs {
		if int32(i) != but {
			probs[i] = float32(want / float64(max(n, 1)))
		}
	}
}
