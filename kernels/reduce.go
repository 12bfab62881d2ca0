package kernels

import "math"

// block is how many values Reduce takes at a time: they stay in the first
// level of cache (8 KiB) from one primitive to the next.
const block = 2048

// Scratch is the working memory of reductions, one at a time. Its zero value
// is ready; it grows to 8 bytes for each of 2k+8192 values, at most for each
// value of the row, and to some 40 for each of k, and is then reused.
type Scratch struct {
	kept candidates
	few  []Entry
	logs []float32
	sorter
}

// Reduce goes through a row of logits once. It returns the logarithm of
// Σ exp(row[i]) over the whole row, and dst extended by the k largest entries,
// which are those that a stable sort would put first: among equal values the
// lower index wins. A k above the length of the row means all of it, one below
// zero means none.
//
// The row may hold −Inf (a token that cannot come) and +Inf; the log-sum-exp is
// infinite when there is a +Inf, or nothing but −Inf. ErrNaN is returned when
// any value is NaN. The relative error of the sum of exponentials is below
// 1e-6.
//
// Nothing is allocated when dst has room for the entries and s has served a
// row of this length and k before.
func Reduce(dst []Entry, row []float32, k int, order Order, s *Scratch) ([]Entry, float64, error) {
	k = max(0, min(k, len(row)))
	sel := newSelection(row, k, s)
	lse := newLogSumExp()
	for at := 0; at < len(row); at += block {
		x := row[at:min(at+block, len(row))]
		if err := lse.add(x); err != nil {
			return dst, 0, err
		}
		sel.add(x, at)
	}
	return sel.entries(dst, order), lse.value(), nil
}

// LogSumExp is ln Σ exp(row[i]), and what [Reduce] says of it. An empty row
// gives −Inf.
func LogSumExp(row []float32) (float64, error) {
	lse := newLogSumExp()
	for at := 0; at < len(row); at += block {
		if err := lse.add(row[at:min(at+block, len(row))]); err != nil {
			return 0, err
		}
	}
	return lse.value(), nil
}

// logSumExp adds up exponentials relative to a value of the row, so that they
// neither overflow nor lose small terms: the largest of the first block, or a
// larger one as soon as that comes to much.
type logSumExp struct {
	shift float32
	sum   float64
}

// headroom is how far a value may exceed the shift: exponentials far above 1 are
// less exact.
const headroom = 32

func newLogSumExp() logSumExp { return logSumExp{shift: -inf32} }

func (l *logSumExp) add(x []float32) error {
	if !math.IsInf(float64(l.shift), 0) {
		sum, top := active.sumExp(x, l.shift)
		if top <= l.shift+headroom && sum == sum {
			l.sum += sum
			return nil
		}
	}
	top := active.max(x)
	if top != top {
		return ErrNaN
	}
	if top > l.shift {
		l.sum *= math.Exp(float64(l.shift) - float64(top))
		l.shift = top
	}
	if !math.IsInf(float64(l.shift), 0) {
		sum, _ := active.sumExp(x, l.shift)
		l.sum += sum
	}
	return nil
}

func (l *logSumExp) value() float64 {
	if math.IsInf(float64(l.shift), 0) {
		return float64(l.shift)
	}
	return float64(l.shift) + math.Log(l.sum)
}
