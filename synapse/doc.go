// Package synapse is the protocol without its network: what is asked, how it is
// written, read and checked, and how answers are put together.
//
// A [Synapse] is one question about a [Batch] of texts, and a [Task] its kind.
// There is a file for each: lasthidden.go, causallm.go, causallmnext.go,
// seq2seq.go and crossentropy.go; registry.go lists them. Both sides of a call use
// the same type. A server reads a [Request] with [ParseForward], answers each item
// by meeting the [Need] that its synapse has for each text, and writes
// [Request.Reply]. A client writes [NewForward] and reads [ParseReply].
//
// Below are tensors and how they are serialised: [Tensor], [Encode], [Decode]. All
// bytes are taken to be a stranger's: whatever they say of sizes is checked
// against [Limits] and against their own number before anything is allocated.
//
// Where the reference's behaviour is recorded this package has it, bit by bit where
// that matters, with these exceptions. Token ids are not sent through float16
// (CMPPACK) unless [Limits.LossyIDs] allows it. The spare 50258th token is read in
// answers but refused in texts, since no text has it. Rows that hold NaN are not
// answered. A failed message is a failure to the client, whatever it lacks. All
// synapses of a message are asked, or none. Gradients are checked, and then
// refused as not implemented. Of phrases, what is neither a probability nor a
// token is refused.
//
// The package knows neither engine nor tokenizer nor network.
//
// Start reading at [Synapse] and then causallm.go.
package synapse
