// Package engine runs language models: it scores token sequences, returns
// hidden states and generates text, for many requests at once, on one model.
//
// Start reading at OpenModel (model.go) and New (engine.go). A request is one
// of three kinds: Distributions (every wanted row of logits goes through a
// function of the caller's), Hidden (hidden states likewise) and Generate
// (sampling, several sequences from one prompt, beam search). Each blocks
// until it is done; start many from as many goroutines.
//
// # How it works
//
// One goroutine, the driver (driver.go), owns the llama.cpp context. It admits
// waiting requests while their KV cells and sequence slots fit, fills one
// physical batch after another with whatever is pending — the next token of
// every generation first, then chunks of prompts — decodes it, and hands each
// row of logits to the request that asked for it. Rows are taken by several
// goroutines at once while the compute threads rest. The rows themselves stay
// where llama.cpp put them and are gone with the next batch.
//
// # What is guaranteed
//
// A cancelled request stops within one physical batch; others in that batch
// do not notice. Memory for rows is bounded by Options.Rows × vocabulary,
// whatever is asked for. Logits are bit-identical for the same batch shape
// only: the same request in other company may differ in the last digits, as
// in llama.cpp itself.
//
// The package knows nothing of the synapse protocol or of any network.
package engine
