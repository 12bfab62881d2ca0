// Package gguf reads, checks and writes GGUF model files without any C.
//
// It stands between a file that somebody downloaded and the native library that
// will map it: llama.cpp aborts the whole process on some malformed files and
// allocates without limit on others, so everything that must hold is looked at
// here first, and said in one line a person can act on.
//
// Three doors:
//
//   - [Open] and [Parse] read the header, the key-values and the tensor table
//     into a [File]. Nothing is allocated before its size was compared with the
//     bytes that remain, and tensor data is never read.
//   - [Check] (a whole model) and [CheckVocab] (a tokenizer only) list every
//     [Problem] of a parsed file; [Problems.Err] folds them into one error.
//     [Summarize] gathers what `axon model info` prints.
//   - [Write] streams a new file, tensor by tensor, and renames it into place at
//     the end. Package synth builds models of a given shape on top of it.
//
// The package knows the container and the keys that llama.cpp v0.5.0 reads. It
// does not know how to run a model, nor what a tensor's numbers mean.
//
// Start reading at parse.go, then check.go.
package gguf
