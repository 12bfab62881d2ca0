// Package rounds is the validator at work: round by round it takes texts, holds their ends
// back, asks some servers what comes next, measures what each of them lost, and commits what
// that adds to what is known.
//
// All chance in a round, whom to ask and what to leave out of a text, follows from the seed
// and the round's number, and the texts from the place that the last round left off at.
// So a validator that was killed goes on as if it had not been, and the round that was
// under way is asked once more.
//
// It knows neither where texts and servers come from nor what the numbers are shown as.
//
// Start reading at [Validator.Round].
package rounds

import "errors"

// Faults.
var (
	// ErrOptions is returned for settings that make no sense.
	ErrOptions = errors.New("invalid options")
	// ErrNobody is returned when there is no server to ask.
	ErrNobody = errors.New("nobody to ask")
	// ErrUsedUp is returned when all texts were asked about, and may not be again.
	ErrUsedUp = errors.New("all texts were asked about once")
	// ErrQuestion is returned when a round's question cannot be sent to anybody: it is
	// the validator's own fault then.
	ErrQuestion = errors.New("the question cannot be asked")
)
