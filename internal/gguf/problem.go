package gguf

import (
	"fmt"
	"strings"
)

// Severity says whether a problem keeps a file from being loaded.
type Severity int

const (
	// Warning is for what loads but works worse than it should.
	Warning Severity = iota
	// Fault is for what llama.cpp refuses, aborts on or cannot bound.
	Fault
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Problem is one thing that Check found.
type Problem struct {
	Severity Severity
	// Kind is one of the package's sentinels.
	Kind error
	// Text says in words what is wrong, and where.
	Text string
	// Hint says what to do about it; may be "".
	Hint string
}

// String formats the problem as one line.
func (p Problem) String() string { return oneLine("", fmt.Sprintf("%v: %s", p.Kind, p.Text), p.Hint) }

// Problems are all that Check found, in the order of the file's parts.
type Problems []Problem

// Faults returns the problems that keep the file from being loaded.
func (ps Problems) Faults() Problems { return ps.of(Fault) }

// Warnings returns the others.
func (ps Problems) Warnings() Problems { return ps.of(Warning) }

func (ps Problems) of(s Severity) Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Err returns nil if nothing keeps the file from being loaded, otherwise one
// error of one line: the first fault, and how many more there are.
func (ps Problems) Err(path string) error {
	faults := ps.Faults()
	if len(faults) == 0 {
		return nil
	}
	first := faults[0]
	e := &Error{Path: path, Offset: -1, Kind: first.Kind, Text: first.Text, Hint: first.Hint}
	if len(faults) > 1 {
		e.Hint = strings.TrimPrefix(fmt.Sprintf("%s (%d more: axon model check)", first.Hint, len(faults)-1), " ")
	}
	return e
}

// checker collects problems while it walks a file.
type checker struct {
	f    *File
	list Problems
	// others are the further parts of a split model.
	others []*File
}

func (c *checker) fault(kind error, hint, format string, args ...any) {
	c.list = append(c.list, Problem{Fault, kind, fmt.Sprintf(format, args...), hint})
}

func (c *checker) warn(kind error, hint, format string, args ...any) {
	c.list = append(c.list, Problem{Warning, kind, fmt.Sprintf(format, args...), hint})
}
