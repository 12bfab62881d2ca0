package kernels

import (
	"fmt"
	"sync"
)

// Reduction is what [Reduce] makes of one row.
type Reduction struct {
	Entries   []Entry
	LogSumExp float64
}

// ReduceRows reduces the rows of a matrix, which lie one behind the other in
// logits, to out, reusing the entries' memory. As many goroutines work as there
// are scratches; one does it without starting any. The error names the first
// row it found to hold a NaN.
func ReduceRows(out []Reduction, logits []float32, k int, order Order, scratches []Scratch) error {
	if len(out) == 0 {
		return nil
	}
	if len(scratches) == 0 || len(logits)%len(out) != 0 {
		return fmt.Errorf("%d rows do not divide %d logits, or there is no scratch (%d)", len(out), len(logits), len(scratches))
	}
	workers := min(len(scratches), len(out))
	errs := make([]error, workers)
	work := func(w int) {
		for i := w * len(out) / workers; i < (w+1)*len(out)/workers && errs[w] == nil; i++ {
			errs[w] = out[i].reduce(i, logits[i*len(logits)/len(out):(i+1)*len(logits)/len(out)], k, order, &scratches[w])
		}
	}
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { work(w) })
	}
	work(0)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Reduction) reduce(i int, row []float32, k int, order Order, s *Scratch) (err error) {
	if r.Entries, r.LogSumExp, err = Reduce(r.Entries[:0], row, k, order, s); err != nil {
		return fmt.Errorf("row %d: %w", i, err)
	}
	return nil
}
