// Package kernels reduces rows of logits: one float32 for each token of a
// vocabulary, as a model's last layer leaves them. It does no I/O, knows
// neither models nor tokens, and allocates nothing once the caller's scratch
// has grown to its size.
//
// Start reading at [Reduce]. It goes through a row once, block by block, with
// the primitives of generic.go, which are also their definitions; the
// assembly behind them is written by _generate and chosen in variant.go.
package kernels

import "errors"

// ErrNaN is returned when a row holds a value that is not a number.
var ErrNaN = errors.New("row of logits contains NaN")

// ErrIndex is returned when a token's index lies outside its row.
var ErrIndex = errors.New("index outside the row of logits")

// ErrNotFinite is returned when a row's probabilities are not defined: when it
// holds +Inf, or nothing but −Inf.
var ErrNotFinite = errors.New("row of logits is not a distribution")

// Entry is one token of a row: its index and its logit, or whatever else the
// row holds.
type Entry struct {
	Index int32
	Value float32
}

// Order is the order in which entries are wanted.
type Order int

// The orders.
const (
	Descending Order = iota // by value, the lower index first among equals
	ByIndex                 // ascending indices
)
