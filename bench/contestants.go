package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"

	llama "axon/cgo"
	"axon/kernels"
)

// contestant computes something of a row. result tells what came of the last
// run; it is not timed.
type contestant struct {
	name   string
	run    func(row []float32) error
	result func() (outcome, error)
}

// outcome is what a contestant found; lse is NaN and entries are nil where it
// does not look for them. Entries are in descending order.
type outcome struct {
	entries []kernels.Entry
	lse     float64
}

// contestants are all that are measured, by their place.
type contestants struct {
	list   [places]contestant
	chains []*llama.Ranking
}

// The places of the contestants, in the order of their samples.
const (
	atReduce = iota
	atMaximum
	atSoftmaxTopK
	atTopK
	atHeap
	atSort
	places
)

func newContestants(t KernelTest) (*contestants, error) {
	c := new(contestants)
	c.list[atReduce] = reduceContestant(t.K, t.Order)
	c.list[atMaximum] = maximumContestant()
	c.list[atHeap] = naiveContestant("heap", t.K, heapTopK)
	c.list[atSort] = naiveContestant("sort", t.K, sortTopK)
	var err error
	if c.list[atSoftmaxTopK], err = c.llamaContestant("llama.cpp dist, top_k", t.K, llama.Softmax, llama.Step(t.K)); err != nil {
		return nil, err
	}
	if c.list[atTopK], err = c.llamaContestant("llama.cpp top_k", t.K, llama.Step(t.K)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *contestants) close() {
	for _, r := range c.chains {
		_ = r.Close()
	}
}

func reduceContestant(k int, order kernels.Order) contestant {
	var scratch kernels.Scratch
	var last outcome
	return contestant{
		name: "kernels.Reduce",
		run: func(row []float32) (err error) {
			last.entries, last.lse, err = kernels.Reduce(last.entries[:0], row, k, order, &scratch)
			return err
		},
		result: func() (outcome, error) {
			return outcome{slices.SortedFunc(slices.Values(last.entries), descending), last.lse}, nil
		},
	}
}

func maximumContestant() contestant {
	var top float32
	return contestant{
		name: "kernels.Max",
		run: func(row []float32) (err error) {
			top, err = kernels.Max(row)
			return err
		},
		result: func() (outcome, error) {
			return outcome{[]kernels.Entry{{Index: -1, Value: top}}, math.NaN()}, nil
		},
	}
}

func naiveContestant(name string, k int, topK func([]kernels.Entry, []float32, int) []kernels.Entry) contestant {
	var last outcome
	return contestant{
		name: name,
		run: func(row []float32) error {
			last.lse = naiveLogSumExp(row)
			last.entries = topK(last.entries[:0], row, k)
			return nil
		},
		result: func() (outcome, error) { return last, nil },
	}
}

// llamaContestant is a chain of llama.cpp's samplers. With a softmax over the
// whole row, the log-sum-exp is the first logit less the log of its
// probability.
func (c *contestants) llamaContestant(name string, k int, steps ...llama.Step) (contestant, error) {
	r, err := llama.NewRanking(steps...)
	if err != nil {
		return contestant{}, err
	}
	c.chains = append(c.chains, r)
	return contestant{name: name, run: r.Apply, result: func() (outcome, error) {
		top, err := r.Top(k)
		if err != nil || len(top) == 0 {
			return outcome{}, errors.Join(errors.New("nothing left of the row"), err)
		}
		o := outcome{lse: math.NaN()}
		for _, t := range top {
			o.entries = append(o.entries, kernels.Entry{Index: t.Token, Value: t.Logit})
		}
		if slices.Contains(steps, llama.Softmax) {
			o.lse = float64(top[0].Logit) - math.Log(float64(top[0].P))
		}
		return o, nil
	}}, nil
}

// agree runs all contestants on a row and compares what they found with ours.
// Values must be the same; which of several equal ones is taken is free.
func (c *contestants) agree(row []float32) error {
	var ours outcome
	for i, x := range c.list {
		if err := x.run(row); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		o, err := x.result()
		if err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		if i == atReduce {
			ours = o
			continue
		}
		if err := ours.compare(o); err != nil {
			return fmt.Errorf("%s and %s: %w", c.list[atReduce].name, x.name, err)
		}
	}
	return nil
}

// compare looks at what both have: a maximum is compared with the first entry.
func (o outcome) compare(other outcome) error {
	for i, e := range other.entries {
		if i >= len(o.entries) || o.entries[i].Value != e.Value {
			return fmt.Errorf("%w in entry %d: %v", errDisagree, i, e)
		}
	}
	if off := math.Abs(o.lse - other.lse); off > 1e-5*max(1, math.Abs(o.lse)) {
		return fmt.Errorf("%w in the log-sum-exp: %v, %v", errDisagree, o.lse, other.lse)
	}
	return nil
}

// passes are the contestants' turns over the rows.
func (c *contestants) passes(rows [][]float32) []pass {
	list := make([]pass, places)
	for i, x := range c.list {
		list[i] = pass{x.name, func(input int) error { return x.run(rows[input]) }}
	}
	return list
}
