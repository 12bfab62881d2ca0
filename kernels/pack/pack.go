// Package pack turns sparse rows of next-token distributions into few bytes and
// back: k tokens with their log-probabilities, and the log of the mass that is
// left. docs/packing.md specifies the bytes and says why they are so.
//
// The package does no I/O and knows neither models nor where rows come from. It
// trusts no byte it is given: whatever [Parse] and [Batch.Row] accept has
// ascending indices below the vocabulary and log-probabilities an [Encoder]
// would take, and what they reject costs no more memory than its own length
// allows for.
//
// Start reading at [Encoder.Add] and [Batch.Row]; rice.go, write.go and read.go are
// the coder, grid.go is the spacing of the values.
package pack

import (
	"errors"
	"fmt"
	"math"

	"axon/kernels"
)

// The format's own limits; a batch that exceeds them is corrupt.
const (
	MaxVocab = 1 << 24 // tokens of a vocabulary
	MaxKL    = 1.0     // nats, Params.KL
	MinKL    = 1e-6
	MaxStep  = 4.0 // nats, Params.MaxStep
	MinStep  = 1.0 / 64
)

// The values of Params where they are zero.
const (
	DefaultKL      = 1e-4 // nats
	DefaultMaxStep = 0.5  // nats
)

// Floor is the least finite log-probability that Quantised keeps apart, in nats:
// lower ones decode as if they had been there. −Inf stays −Inf.
const Floor = -256.0

// Slack is how far above 0 a log-probability may lie by rounding, in nats.
const Slack = 1e-3

var (
	// ErrCorrupt is returned when bytes are not a batch: damaged, cut off, or made to mislead.
	ErrCorrupt = errors.New("corrupt batch")
	// ErrVersion is returned for an intact batch of another version of the format.
	ErrVersion = errors.New("unknown version of a batch")
	// ErrLimit is returned when a batch exceeds what the caller is ready to take.
	ErrLimit = errors.New("batch exceeds a limit")
	// ErrRow is returned when a row cannot be packed, because it is not a distribution
	// over the vocabulary or holds what the mode cannot express.
	ErrRow = errors.New("row cannot be packed")
	// ErrParams is returned for parameters outside their ranges.
	ErrParams = errors.New("invalid packing parameters")
)

// Row is one position's distribution over the next token: the known tokens by
// ascending index with the natural logs of their probabilities, each at most 0 up to
// Slack, and the natural log of the mass of all others.
type Row = kernels.Sparse

// Mode says how values are kept. Indices are exact in all of them.
type Mode uint8

// The modes, by their number in a batch.
const (
	Quantised Mode = iota // companded levels: a bounded error, few bytes
	Float16               // IEEE 754 half precision, rounded to nearest even
	Float32               // every bit
	modes
)

// String names the mode.
func (m Mode) String() string {
	if m >= modes {
		return fmt.Sprintf("mode %d", uint8(m))
	}
	return [...]string{"quantised", "float16", "float32"}[m]
}

// Params describe a batch.
type Params struct {
	// Vocab is the number of tokens V: indices lie below. 1 … MaxVocab.
	Vocab int
	// Mode is how values are kept; zero is Quantised.
	Mode Mode
	// KL is the Kullback-Leibler divergence in nats from a row to its decoded form that
	// the spacing of levels aims at; MinKL … MaxKL in steps of 1e-6, to which it is
	// rounded. Zero is DefaultKL. Only for Quantised.
	KL float64
	// MaxStep is the widest cell of a level in nats: a log-probability is off by half of
	// it at most, before the row's mass is made to fit. MinStep … MaxStep in steps of
	// 1/64, to which it is rounded. Zero is DefaultMaxStep. Only for Quantised.
	MaxStep float64
}

// Validate lists all faults of the parameters at once; each wraps ErrParams.
func (p Params) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrParams}, args...)...))
	}
	if p.Vocab < 1 || p.Vocab > MaxVocab {
		fault("Vocab %d is outside 1 … %d", p.Vocab, MaxVocab)
	}
	if p.Mode >= modes {
		fault("%v is unknown", p.Mode)
	}
	if p.KL != 0 && !(p.KL >= MinKL && p.KL <= MaxKL) {
		fault("KL %v nats is outside %v … %v", p.KL, MinKL, MaxKL)
	}
	if p.MaxStep != 0 && !(p.MaxStep >= MinStep && p.MaxStep <= MaxStep) {
		fault("MaxStep %v nats is outside %v … %v", p.MaxStep, MinStep, MaxStep)
	}
	return errors.Join(faults...)
}

// spacing is what the header says of levels, in the units it says it in.
type spacing struct {
	kl   uint32 // micronats, 1 … 1e6
	step uint32 // 1/64 nat, 1 … 256
}

const (
	klUnit   = 1e6
	stepUnit = 64
)

func (p Params) spacing() spacing {
	orDefault := func(v, d float64) float64 {
		if v == 0 {
			return d
		}
		return v
	}
	return spacing{
		kl:   uint32(math.Round(orDefault(p.KL, DefaultKL) * klUnit)),
		step: uint32(math.Round(orDefault(p.MaxStep, DefaultMaxStep) * stepUnit)),
	}
}

func (s spacing) valid() bool {
	return s.kl >= 1 && s.kl <= MaxKL*klUnit && s.step >= 1 && s.step <= MaxStep*stepUnit
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

func badRow(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRow}, args...)...)
}
