package kernels

import "errors"

// Max is the largest value. ErrNaN is returned when any value is NaN.
func Max(row []float32) (float32, error) {
	if len(row) == 0 {
		return 0, errors.New("row of logits is empty")
	}
	top := active.max(row)
	if top != top {
		return 0, ErrNaN
	}
	return top, nil
}

// ArgMax is the index of the largest value, the lowest one among equals.
// ErrNaN is returned when any value is NaN.
func ArgMax(row []float32) (int, error) {
	if len(row) == 0 {
		return 0, errors.New("row of logits is empty")
	}
	first := 0
	best := active.max(row[:min(block, len(row))])
	for at := 0; at < len(row); at += block {
		top := active.max(row[at:min(at+block, len(row))])
		if top != top {
			return 0, ErrNaN
		}
		if top > best {
			best, first = top, at
		}
	}
	for row[first] != best {
		first++
	}
	return first, nil
}
