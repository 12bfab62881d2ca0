package gguf

import (
	"errors"
	"fmt"
)

// The kinds of fault. Every error and every Problem of this package wraps one.
var (
	// ErrEmpty is returned when the file has no bytes at all.
	ErrEmpty = errors.New("empty file")
	// ErrDirectory is returned when the path names a directory or another thing that is not a file.
	ErrDirectory = errors.New("not a regular file")
	// ErrNotGGUF is returned when the file does not begin with the bytes GGUF.
	ErrNotGGUF = errors.New("not a GGUF file")
	// ErrVersion is returned when the version of the format is not 2 or 3.
	ErrVersion = errors.New("unsupported GGUF version")
	// ErrBigEndian is returned when the file was written for a big-endian machine.
	ErrBigEndian = errors.New("big-endian GGUF")
	// ErrTruncated is returned when the file ends before what it announces.
	ErrTruncated = errors.New("truncated")
	// ErrAbsurd is returned when a count, length, size or offset cannot be meant.
	ErrAbsurd = errors.New("absurd number")
	// ErrMalformed is returned when the bytes break the rules of the format.
	ErrMalformed = errors.New("malformed")
	// ErrDuplicate is returned when a key, a tensor or a token stands twice in the file.
	ErrDuplicate = errors.New("duplicate")
	// ErrTensor is returned when a tensor's type, shape or place cannot be used.
	ErrTensor = errors.New("unusable tensor")
	// ErrKey is returned when a key that is needed is missing, of the wrong type or out of range.
	ErrKey = errors.New("bad key")
	// ErrArchitecture is returned when llama.cpp has no such architecture.
	ErrArchitecture = errors.New("unknown architecture")
	// ErrTokenizer is returned when the vocabulary contradicts itself.
	ErrTokenizer = errors.New("bad tokenizer")
	// ErrVocabOnly is returned when a model is wanted and the file holds a vocabulary only.
	ErrVocabOnly = errors.New("vocabulary only")
	// ErrSplit is returned when parts of a model that was split over several files are missing or wrong.
	ErrSplit = errors.New("incomplete split model")
)

// Hints: the next step of a person who reads an error.
const (
	hintDownload = "download it again"
	hintConvert  = "convert it again with a current convert_hf_to_gguf.py"
	hintPath     = "check the path"
)

// Error is a fault that stops the reading of a file.
type Error struct {
	// Path is the file's name, "" when it was read from memory.
	Path string
	// Offset is the position at which reading stopped, -1 when there is none.
	Offset int64
	// Kind is one of the package's sentinels, or the operating system's error.
	Kind error
	// Text says in words what is wrong.
	Text string
	// Hint says what to do about it.
	Hint string
}

// Error formats the fault as one line: file, cause, next step.
func (e *Error) Error() string {
	return oneLine(e.Path, fmt.Sprintf("%v: %s", e.Kind, e.Text), e.Hint)
}

// Unwrap returns the kind, for errors.Is.
func (e *Error) Unwrap() error { return e.Kind }

func oneLine(path, text, hint string) string {
	if path != "" {
		text = path + ": " + text
	}
	if hint != "" {
		text += "; " + hint
	}
	return text
}
