package server

import "errors"

var (
	// ErrOptions is returned for settings that contradict themselves or are missing.
	ErrOptions = errors.New("invalid options")
	// ErrForced is returned by Shutdown when calls were cut off.
	ErrForced = errors.New("server stopped before every call was answered")

	// ErrTooLong is returned by a model, wrapped in words for the caller, when a text is longer than it can take.
	ErrTooLong = errors.New("text too long")
	// ErrBusy is returned by a model, wrapped in words for the caller, when it has no room for a text now.
	ErrBusy = errors.New("model busy")
	// ErrUnsupported is returned by a model, wrapped in words for the caller, when it cannot meet a need at all.
	ErrUnsupported = errors.New("not supported by this model")
	// ErrInvalid is returned by a model, wrapped in words for the caller, when a text makes no sense to it.
	ErrInvalid = errors.New("invalid text")

	// errFull is returned by the queue to whoever finds no place in it, or loses it to somebody with more stake.
	errFull = errors.New("queue full")
	// errPanic is returned in place of a panic, which was logged.
	errPanic = errors.New("panic")
)
