package synapse

import (
	"fmt"
	"slices"
	"strings"
)

// wrongError is an error in the reference's words, which travel, of one of the
// kinds of [Decode].
type wrongError struct {
	kind  error
	words string
}

func (e *wrongError) Error() string { return e.words }
func (e *wrongError) Unwrap() error { return e.kind }

func wrong(kind error, format string, args ...any) error {
	return &wrongError{kind, fmt.Sprintf(format, args...)}
}

// noRectangle refuses a batch's shape.
func noRectangle(t *Task, shape []int) *Fault {
	return Faultf(badShape, "Input shape exception with error:%s", noRectangleWords(t, shape))
}

func noRectangleWords(t *Task, shape []int) string {
	return fmt.Sprintf("forward_request_tensor.shape must be in [-1, -1], got: %s for synapse: %s", listed(shape), t.Name)
}

// listed writes a shape as the reference does.
func listed(shape []int) string {
	words := make([]string, len(shape))
	for i, d := range shape {
		words[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func sameShape(shape []int, want ...int) bool { return slices.Equal(shape, want) }
