package llama

import "errors"

var (
	// ErrClosed is returned when an object is used after Close.
	ErrClosed = errors.New("used after Close")
	// ErrAborted is returned by Decode when Abort stopped it.
	ErrAborted = errors.New("decode aborted")
	// ErrNoKVSpace is returned by Decode when the batch does not fit into the KV cache; the cache is as before.
	ErrNoKVSpace = errors.New("no room in the KV cache")
	// ErrBatch is returned by Decode for a batch that breaks a limit; nothing was computed.
	ErrBatch = errors.New("invalid batch")
	// ErrVersion is returned by Init when the linked llama.cpp is not the pinned one.
	ErrVersion = errors.New("wrong version of llama.cpp linked")
	// ErrUnknownDevice is returned by Open when there is no device of that name.
	ErrUnknownDevice = errors.New("unknown device")
	// ErrToken is returned for a token id outside the vocabulary.
	ErrToken = errors.New("token id outside the vocabulary")
	// ErrOption is returned for an option whose value llama.cpp has no name for.
	ErrOption = errors.New("unknown value")
)
