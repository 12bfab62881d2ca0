// Package llama is a thin, safe binding to llama.cpp.
//
// It is the only package that imports "C" for the engine, and it knows nothing
// of scheduling, sampling policy or the network: it opens models, contexts,
// samplers and adapters, and runs one batch at a time. Start reading at Open
// (model.go), then NewContext and Context.Decode (context.go). The C side is
// shim.h: our own functions over plain structs, so that no struct of
// llama.cpp's is mirrored in Go and no C++ exception can reach it.
//
// # Ownership
//
// A Model, Context, Pool, Sampler or Adapter owns one C object. Close frees it,
// may be called any number of times and from any goroutine, and is what
// programs must call; a cleanup registered with the runtime only mends leaks.
// After Close every method returns ErrClosed or a zero value. An object lives
// on, in C, until the calls that are running on it have returned and whatever
// was made from it (the contexts of a model) is closed as well, so the order
// of closing does not matter.
//
// Memory that C returns (rows of logits) belongs to the context and is valid
// until its next call; memory that Go passes is used only during the call.
//
// # Threads
//
// Vocabulary functions may be called from any number of goroutines. A Context
// must be driven by one goroutine at a time; Abort alone may come from any.
package llama
