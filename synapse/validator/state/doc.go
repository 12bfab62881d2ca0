// Package state keeps what a validator has learnt in a file that survives the end of
// its process at any moment: averages of every server, the place in the texts, the number
// of the round, and the latest rounds. A round is written whole or not at all, so that
// whoever opens the file goes on with the round after the last that was finished.
//
// The database is bbolt: one file, pure Go, transactions that are synced to the disk
// before they count. Values in it are JSON, which keeps every bit of a float64 and which
// other programs can read.
//
// The package does not know how rounds come about.
//
// Start reading at [Store].
package state

import "errors"

// Faults.
var (
	// ErrBusy is returned when another process has the file open.
	ErrBusy = errors.New("the state is in use")
	// ErrSchema is returned for a file that is no state, or one of another version.
	ErrSchema = errors.New("not a state of this version")
	// ErrSettings is returned when a file belongs to a validator with other settings.
	ErrSettings = errors.New("the state belongs to other settings")
	// ErrCommit is returned when a round could not be written: what is in memory is
	// then ahead of the file.
	ErrCommit = errors.New("the state could not be written")
	// ErrOrder is returned when a round is committed that does not follow the last.
	ErrOrder = errors.New("rounds out of order")
)
