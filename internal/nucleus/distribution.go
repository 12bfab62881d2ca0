package nucleus

import (
	"fmt"
	"math"
	"sync"

	"axon/kernels"
	"axon/synapse"
)

// leastProb is what a probability is taken for that rounding or translation made
// zero: its logarithm must be finite.
const leastProb = 1e-38

// distribution is a row of logits or of probabilities.
type distribution struct {
	row     []float32
	probs   bool
	scratch *scratch
}

// top is the k most likely tokens.
func (d *distribution) top(k int, order kernels.Order) (kernels.Sparse, error) {
	s := d.scratch
	var lse float64
	var err error
	k = min(k, len(d.row))
	if s.top, lse, err = kernels.Reduce(s.top[:0], d.row, k, order, &s.Scratch); err != nil {
		return kernels.Sparse{}, err
	}
	if math.IsInf(lse, 0) {
		return kernels.Sparse{}, fmt.Errorf("%w: its log-sum-exp is %v", kernels.ErrNotFinite, lse)
	}
	if d.probs {
		return kernels.Sparse{Entries: s.top, Rest: logs(s.top)}, nil
	}
	return kernels.Sparse{Entries: s.top, Rest: kernels.LogProbs(s.top, lse, len(d.row), &s.Scratch)}, nil
}

// logs turns probabilities into their logarithms and returns that of what is
// left of 1.
func logs(top []kernels.Entry) (rest float32) {
	mass := 0.0
	for i := range top {
		mass += float64(top[i].Value)
		top[i].Value = float32(math.Log(max(float64(top[i].Value), leastProb)))
	}
	return float32(math.Log(max(1-mass, leastProb)))
}

// logProb is how likely a token is.
func (d *distribution) logProb(token int32) (float32, error) {
	if token < 0 || int(token) >= len(d.row) {
		return 0, fmt.Errorf("%w: token %d of %d", kernels.ErrIndex, token, len(d.row))
	}
	if d.probs {
		return float32(math.Log(max(float64(d.row[token]), leastProb))), nil
	}
	if math.IsNaN(d.scratch.lse) {
		lse, err := kernels.LogSumExp(d.row)
		if err != nil {
			return 0, err
		}
		d.scratch.lse = lse
	}
	return float32(float64(d.row[token]) - d.scratch.lse), nil
}

// next hands what may follow the text to a need.
func (p *pass) next(n *synapse.Need, row []float32) error {
	d := distribution{row: row, scratch: borrow()}
	defer d.scratch.giveBack()
	top, err := d.top(n.NextK, kernels.Descending)
	if err != nil {
		return err
	}
	return n.Next(synapse.NewPhrases(top, len(row), p.pair.Phrase))
}

// scratch is the working memory of one row.
type scratch struct {
	kernels.Scratch
	top []kernels.Entry
	lse float64 // of the row; NaN: not known yet
}

// Rows are reduced on whatever goroutine takes them: the memory goes round.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

func borrow() *scratch {
	s := scratches.Get().(*scratch)
	s.lse = math.NaN()
	return s
}

func (s *scratch) giveBack() { scratches.Put(s) }
