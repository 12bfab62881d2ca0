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
