package kernels

import (
	"fmt"
	"math"
)

// Exp sets dst[i] to exp(x[i] − shift), with a relative error below 1e-6 where
// that is above e^-20 and 2e-6 where it is above e^-87; what is below comes out
// as e^-87 at most. dst is as long as x and may be x. The shift is finite, no
// value of x may exceed it by more than 64, and none may be NaN.
func Exp(dst, x []float32, shift float32) { active.exp(dst[:len(x)], x, shift) }

// Softmax sets dst[i] to exp(row[i]) / Σ exp(row[j]). dst is as long as row and
// may be row. ErrNaN is returned when any value is NaN, an error when the sum
// is zero or infinite.
func Softmax(dst, row []float32) error {
	lse, err := finiteLogSumExp(row)
	if err != nil {
		return err
	}
	// The shift is a float32: what its rounding cost is put back as a factor.
	shift := float32(lse)
	active.exp(dst[:len(row)], row, shift)
	if factor := float32(math.Exp(float64(shift) - lse)); factor != 1 {
		for i := range row {
			dst[i] *= factor
		}
	}
	return nil
}

// LogSoftmax sets dst[i] to row[i] − ln Σ exp(row[j]), under the conditions of
// [Softmax].
func LogSoftmax(dst, row []float32) error {
	lse, err := finiteLogSumExp(row)
	if err != nil {
		return err
	}
	dst = dst[:len(row)]
	for i, v := range row {
		dst[i] = float32(float64(v) - lse)
	}
	return nil
}

// CrossEntropy is −ln p(target) in nats: ln Σ exp(row[j]) − row[target]. It is
// +Inf for a target that cannot come. ErrIndex is returned for a target outside
// the row, and otherwise what [Softmax] returns.
func CrossEntropy(row []float32, target int) (float64, error) {
	if target < 0 || target >= len(row) {
		return 0, fmt.Errorf("%w: %d of %d", ErrIndex, target, len(row))
	}
	lse, err := finiteLogSumExp(row)
	if err != nil {
		return 0, err
	}
	return lse - float64(row[target]), nil
}

func finiteLogSumExp(row []float32) (float64, error) {
	lse, err := LogSumExp(row)
	if err == nil && math.IsInf(lse, 0) {
		err = fmt.Errorf("%w: the log-sum-exp is %v", ErrNotFinite, lse)
	}
	return lse, err
}
