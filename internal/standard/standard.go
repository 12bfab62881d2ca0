// Package standard is the network's standard tokenizer, GPT-2's, whose token ids
// travel between peers. Its vocabulary is part of the binary, so that nothing has
// to be found or fetched to speak the protocol. It knows no model.
//
// gpt2.gguf is cut out of the member of the model family that carries it; models/NOTICE
// says whose it is, and a test compares it with llama.cpp's own file.
//
// Start reading at [Vocab].
package standard

import (
	"context"
	_ "embed"
	"fmt"
	"sync"

	"axon/engine"
)

//go:generate go run generate.go

//go:embed gpt2.gguf
var file []byte

// EndOfText is the vocabulary's one control token.
const EndOfText engine.Token = 50256

// open loads the vocabulary once. Its model stays open as long as the process, so
// that nobody has to close it.
var open = sync.OnceValues(func() (*engine.Model, error) {
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{
		Data: file, Name: "standard tokenizer", VocabOnly: true, CPUOnly: true,
		NoMmap: true, // llama.cpp maps no file that ends where its tensors would begin
	})
	if err != nil {
		return nil, fmt.Errorf("open the standard tokenizer: %w", err)
	}
	return m, nil
})

// Vocab is the standard tokenizer's vocabulary. It is opened at the first call and
// shared by all; an error is the binary's own fault, and stays.
func Vocab() (*engine.Vocab, error) {
	m, err := open()
	if err != nil {
		return nil, err
	}
	return m.Vocab(), nil
}
