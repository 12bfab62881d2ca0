// Package rowfile keeps packed rows of next-token distributions in a file: one
// row for each position of a text, in order, with the token that came there.
// docs/logits-file.md specifies the bytes.
//
// A file only grows. Whatever stops its writer leaves at most one chunk that is
// cut off; [Open] drops it and goes on behind the last whole one, so that no row
// is lost and none stands twice. A last chunk tells a finished file from an
// interrupted one.
//
// The package packs nothing itself (kernels/pack does) and knows neither engines
// nor models: what a header says of them it carries and compares. It trusts no
// byte of a file, and what it rejects has cost no more memory than there were
// bytes.
//
// Start reading at [Header], [Writer] and [Reader.Read].
package rowfile

import (
	"errors"
	"fmt"
)

var (
	// ErrFormat is returned when something is no file of rows at all.
	ErrFormat = errors.New("not a file of packed rows")
	// ErrVersion is returned for a file in a version of the format that is not known here.
	ErrVersion = errors.New("unknown version of a file of packed rows")
	// ErrUnfinished is returned where an intact file stops before its end: its writer was interrupted.
	ErrUnfinished = errors.New("unfinished file of packed rows")
	// ErrCorrupt is returned when bytes are not what was written, or were made to mislead.
	ErrCorrupt = errors.New("damaged file of packed rows")
	// ErrHeader is returned for a header whose values contradict themselves or exceed a limit.
	ErrHeader = errors.New("invalid header of a file of packed rows")
	// ErrMismatch is returned when a file exists but holds the rows of something else.
	ErrMismatch = errors.New("the file holds other rows")
	// ErrRows is returned by a Writer for rows that the header did not announce.
	ErrRows = errors.New("rows that do not belong here")
	// ErrLocked is returned when another process is writing to the file.
	ErrLocked = errors.New("another process is writing to the file")
)

// Error says where reading a file stopped. Whatever lies before Offset, that is
// the rows below Row, is whole and was or can be read.
type Error struct {
	Kind   error  // one of the package's sentinels
	Offset int64  // bytes: where the chunk begins that cannot be read
	Row    uint64 // the first row that cannot be read
	Text   string // what is wrong
}

// Error formats the fault as one line.
func (e *Error) Error() string {
	if e.Offset == 0 { // the header itself
		return fmt.Sprintf("%v: %s", e.Kind, e.Text)
	}
	return fmt.Sprintf("%v: byte %d, row %d: %s", e.Kind, e.Offset, e.Row, e.Text)
}

// Unwrap returns the kind, for errors.Is.
func (e *Error) Unwrap() error { return e.Kind }
