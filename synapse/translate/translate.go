// Package translate expresses what a model says about its own tokens as
// distributions over the tokens of another vocabulary, the standard one, which is
// GPT-2's on the network. It knows neither the engine nor the network: vocabularies
// are a [Vocabulary], the model is a function [Rows].
//
// Start reading at [Pair].
package translate

import "context"

// Vocabulary is a tokenizer. Its methods may be called from several goroutines.
type Vocabulary interface {
	// Size is the number of tokens.
	Size() int
	// Piece is the bytes that a token stands for in a text, which need not be
	// valid UTF-8; of a control token its name, of a token outside the vocabulary
	// nil. The bytes are shared and must not be changed.
	Piece(token int32) []byte
	// IsControl reports whether a token is not part of a text.
	IsControl(token int32) bool
	// EndOfText is the control token that ends a text, -1 if there is none.
	EndOfText() int32
	// Tokenize turns text into tokens. None are added, and names of control
	// tokens in the text are text.
	Tokenize(text string) ([]int32, error)
	// Text is the inverse of Tokenize.
	Text(tokens []int32) (string, error)
}

// Rows runs a model over its own tokens and gives the row of logits at each wanted
// position (nil: all) to each, which may be called from several goroutines at
// once, in any order, and must not keep the row. The row at position p is
// for token p+1.
type Rows func(ctx context.Context, tokens []int32, positions []int, each func(pos int, logits []float32) error) error

// Method is a way of translating.
type Method string

// The methods.
const (
	// Exact sums over the server's tokens by the bytes they begin with.
	Exact Method = "exact"
	// Reference is the heuristic of the network's release 3.7.0.
	Reference Method = "reference"
)

// Text is one text that is to be translated.
type Text interface {
	// Tokens is the text in the server's tokens.
	Tokens() []int32
	// Distributions runs the model and gives the distribution of what follows each
	// wanted position of the standard tokens (nil: all) to each: probabilities as
	// many as the standard vocabulary has tokens. each is called as in [Rows].
	Distributions(ctx context.Context, model Rows, positions []int, each func(pos int, probs []float32) error) (Stats, error)
}

// Stats is what a translation took.
type Stats struct {
	Passes int // runs of the model; more than one where it had to be asked again
	Tokens int // tokens that it ran over
}
