// Package validator says how well servers predict text, and what that is
// worth: losses, effective parameters, synergy, divergence, moving averages and
// weights, by the formulas of the network's release 3.7.0 (its core validator) or by a
// proper rule of axon's own; docs/scoring.md has both in one place. It knows neither
// connections nor clocks nor files: answers come in decoded, and numbers go out.
//
// A round goes through it once. [MeasureNext] or [MeasureCausalLM], and by the proper
// rule [MeasureFirstNext] or [MeasureFirstCausalLM], reduces each answer, as it comes in, to
// a loss for each prediction; [Rules.Score] compares the servers of the round;
// [Averages.Update] adds that to what is known of them; [WeightRules.Weights] makes
// weights of it, and [Emit] what a chain takes. [Tally] and [Neighbours] say how
// sure all of that is.
//
// Its subpackages are the validator at work (rounds), its memory (state), and what people
// see of it (report). Start reading at [Rules.Score].
package validator

import "errors"

// Faults.
var (
	// ErrAnswer is returned when an answer cannot be measured: when it has not a
	// prediction for each text, or phrases without a single token.
	ErrAnswer = errors.New("answer does not fit the question")
	// ErrTarget is returned when there is nothing to compare an answer with: when
	// a target is empty, or not a token of the vocabulary.
	ErrTarget = errors.New("no target to compare with")
	// ErrRound is returned when replies do not make a round: when a server comes
	// twice, or answers are about different numbers of texts.
	ErrRound = errors.New("replies do not make a round")
	// ErrRules is returned when rules make no sense.
	ErrRules = errors.New("rules make no sense")
	// ErrWeight is returned when a chain could not take a weight: when it or its
	// uid is negative or not a number.
	ErrWeight = errors.New("not a weight")
)
