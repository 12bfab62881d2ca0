// Package hostile is servers that try to earn more than their predictions are worth: the
// attacks on a validator, for tests and benchmarks to start. Each is an [Attack], which says
// in a sentence what it does. docs/attacks.md has what each of them earns.
//
// Most attacks alter what an honest model says, and are servers like others in all else: they
// wrap a [server.Model]. What such a server would never send, for it checks its own answers,
// comes from [Serve], a server of a few lines which lets the attack have the answer before it
// leaves.
//
// Nothing here is random: the same questions in the same order get the same answers.
//
// Start reading at [All].
package hostile

import "errors"

// ErrAttack is returned when there is no attack of a name, and for one that lacks what it needs:
// neighbours to copy, or a text to know.
var ErrAttack = errors.New("no such attack")
