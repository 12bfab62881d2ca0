package engine

import (
	"errors"

	llama "axon/cgo"
)

var (
	// ErrClosed is returned by requests to an engine that was closed.
	ErrClosed = errors.New("the engine is closed")
	// ErrBusy is returned when Options.Queue requests are waiting already.
	ErrBusy = errors.New("too many requests are waiting")
	// ErrTooLong is returned when a request cannot fit into the context even alone.
	ErrTooLong = errors.New("the request does not fit into the context")
	// ErrRequest is returned for a request that contradicts itself or the model.
	ErrRequest = errors.New("invalid request")
	// ErrToken is returned for a token id outside the vocabulary.
	ErrToken = llama.ErrToken
	// ErrUnsupported is returned for a model that cannot do what was asked.
	ErrUnsupported = errors.New("the model cannot do this")
	// ErrNoKVSpace is returned to a request that lost its place in the KV cache; it may be sent again.
	ErrNoKVSpace = llama.ErrNoKVSpace
)
