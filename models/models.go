// Package models holds the model that is built into the binary, and names the
// rest of its family, which lies beside it in the repository.
package models

import _ "embed"

// BuiltInName is what the built-in model is called.
const BuiltInName = "axon-3m"

// BuiltIn is the built-in model as a GGUF file: about three million parameters
// of the llama architecture, trained on the documentation of Go's standard
// library (see train/README.md and NOTICE).
//
//go:embed axon-3m.gguf
var BuiltIn []byte

// Family lists the files of the family, smallest first: the same vocabulary,
// the same text, the same text held out. The last one is built in.
var Family = []string{"axon-70k.gguf", "axon-200k.gguf", "axon-800k.gguf", "axon-3m.gguf"}

// GPT2Vocabulary is the member that has GPT-2's vocabulary.
const GPT2Vocabulary = "axon-gpt2vocab.gguf"
