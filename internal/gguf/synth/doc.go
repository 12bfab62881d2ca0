// Package synth writes GGUF models of a given shape with random weights.
//
// Such a model is as large and as fast as a trained one, which is what a speed
// measurement needs, and its next-token distribution has a realistic spread, so
// that greedy runs of two engines can be compared token by token. What it says
// is noise.
//
// The same [Spec] gives the same bytes on every machine and with any number of
// threads: each block of numbers has a random stream of its own, seeded by the
// model's seed, the tensor's name and the block's number.
//
// Start reading at spec.go, then [Write].
package synth
