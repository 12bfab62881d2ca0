// Package models holds the family of small models that is built into the binary,
// and the text that none of them has read.
package models

import (
	_ "embed"
	"slices"
)

// BuiltInName is the member that answers where no model is named.
const BuiltInName = "axon-3m"

// BuiltIn is that member as a GGUF file: about three million parameters
// of the llama architecture, trained on the documentation of Go's standard
// library (see train/README.md and NOTICE).
//
//go:embed axon-3m.gguf
var BuiltIn []byte

//go:embed axon-70k.gguf
var axon70k []byte

//go:embed axon-200k.gguf
var axon200k []byte

//go:embed axon-800k.gguf
var axon800k []byte

// HeldOut is the text that was kept from the family: 128 documents in English, and
// source code. Two blank lines separate documents, one separates paragraphs.
//
//go:embed heldout.txt
var HeldOut string

// Member is a member of the family.
type Member struct {
	Name       string
	Parameters int // those of the embedding included
}

// Members lists the family, smallest first: the same vocabulary, the same text, the
// same text held out. All are in the binary.
var Members = []Member{{"axon-70k", 72_272}, {"axon-200k", 197_984}, {"axon-800k", 836_448}, {BuiltInName, 3_443_136}}

// Family lists their files, beside this one.
var Family = []string{"axon-70k.gguf", "axon-200k.gguf", "axon-800k.gguf", "axon-3m.gguf"}

// GPT2Vocabulary is the file of the relative that has GPT-2's vocabulary. It is not in
// the binary.
const GPT2Vocabulary = "axon-gpt2vocab.gguf"

// Names are those of all members, smallest first.
func Names() []string {
	names := make([]string, len(Members))
	for i, m := range Members {
		names[i] = m.Name
	}
	return names
}

// Open is the GGUF file of the member of a name, which must not be changed, and false
// when there is none.
func Open(name string) ([]byte, bool) {
	i := slices.IndexFunc(Members, func(m Member) bool { return m.Name == name })
	if i < 0 {
		return nil, false
	}
	return [][]byte{axon70k, axon200k, axon800k, BuiltIn}[i], true
}
