package bench

import (
	"context"
	"errors"
	"fmt"

	"axon/kernels"
)

// KernelTest is one reduction to measure: the log-sum-exp and the K largest of
// rows of one length.
type KernelTest struct {
	Rows   [][]float32 // taken in turn, one for each round
	Source string      // what they are: a Kind, or a model's name
	K      int
	Order  kernels.Order
}

// RunKernels measures the test for so many rounds on one thread, with the
// variant of package kernels that is in use. All contestants must agree first.
// What describes the build is for the caller to add to the row.
func RunKernels(ctx context.Context, t KernelTest, rounds int, tick func()) (KernelRow, error) {
	var none KernelRow
	if len(t.Rows) == 0 || rounds < 1 {
		return none, fmt.Errorf("%d rounds over %d rows; there must be one at least", rounds, len(t.Rows))
	}
	vocab := len(t.Rows[0])
	if t.K < 1 || t.K > vocab {
		return none, fmt.Errorf("top-k %d: must be 1 to %d, the length of the row", t.K, vocab)
	}
	field, err := newContestants(t)
	if err != nil {
		return none, err
	}
	defer field.close()
	for i, row := range t.Rows {
		if err := field.agree(row); err != nil {
			return none, fmt.Errorf("row %d: %w", i, err)
		}
	}
	samples, err := measure(ctx, rounds, len(t.Rows), field.passes(t.Rows), tick)
	if err != nil {
		return none, err
	}
	return newKernelRow(t, vocab, samples), nil
}

// ParseOrders reads "index" and "descending".
func ParseOrders(names []string) ([]kernels.Order, error) {
	known := map[string]kernels.Order{orderName(kernels.ByIndex): kernels.ByIndex, orderName(kernels.Descending): kernels.Descending}
	var orders []kernels.Order
	for _, name := range names {
		o, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("order %q: must be index or descending", name)
		}
		orders = append(orders, o)
	}
	return orders, nil
}

func orderName(o kernels.Order) string {
	if o == kernels.ByIndex {
		return "index"
	}
	return "descending"
}

// errDisagree is returned when a contestant gives another result than ours.
var errDisagree = errors.New("contestants disagree")
