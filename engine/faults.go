package engine

import (
	"errors"
	"fmt"
	"math"
)

// faults collects what is wrong with a request, so that its sender learns all
// of it at once.
type faults []error

// check notes a fault unless ok.
func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// note adds an error, if there is one.
func (f *faults) note(err error) {
	if err != nil {
		*f = append(*f, err)
	}
}

// err is nil, or an ErrRequest with all faults.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrRequest, errors.Join(f...))
}

func finite(f float32) bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

func fraction(f float32) bool { return f >= 0 && f <= 1 }
