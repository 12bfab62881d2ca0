package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"axon/models"
)

// The claims with which Bittensor's Synapse update changed in 2022 how servers are asked and
// scored, as measurements. docs/claims.md has them in the update's words, and what was found.

// Claim is one of them.
type Claim string

// The claims.
const (
	// ClaimDecoding: logits tell a server's loss better, and for less, than hidden states that
	// the validator decodes.
	ClaimDecoding Claim = "a"
	// ClaimCompression: logits can be compressed and lose little.
	ClaimCompression Claim = "b"
	// ClaimCollective: a score of what servers do together punishes copies and fluctuates, one
	// of each alone does neither.
	ClaimCollective Claim = "c"
	// ClaimScaling: scaling laws tell large models apart.
	ClaimScaling Claim = "d"
)

// Claims are all of them.
func Claims() []Claim {
	return []Claim{ClaimDecoding, ClaimCompression, ClaimCollective, ClaimScaling}
}

// ErrClaims is returned when claims cannot be measured as asked.
var ErrClaims = errors.New("claims cannot be measured like this")

// ClaimsConfig says what is measured, and on how much.
type ClaimsConfig struct {
	Claims  []Claim
	Models  []string // of the servers: members of the built-in family, or files
	Length  int      // tokens of a text
	Texts   int      // about which servers are compared
	Train   int      // texts that the older way learns from
	Threads int      // of each model
	Seed    uint64
	Effort  Effort
}

// Effort is how often what is drawn at random is drawn.
type Effort struct {
	Bootstrap int // resamplings behind an interval
	Draws     int // subsets of texts of one size
	Epochs    int // passes over the training texts at most
	Coded     int // texts that encodings are compared by, at most Texts
	Dense     int // texts whose whole rows are asked for
}

// DefaultClaims take some minutes on two cores.
func DefaultClaims() ClaimsConfig {
	return ClaimsConfig{
		Claims: Claims(), Models: models.Names(), Length: 64, Texts: 384, Train: 512, Threads: 1, Seed: 1,
		Effort: Effort{Bootstrap: 2000, Draws: 4000, Epochs: 12, Coded: 128, Dense: 8},
	}
}

// QuickClaims take seconds, and leave wide intervals.
func QuickClaims() ClaimsConfig {
	c := DefaultClaims()
	c.Length, c.Texts, c.Train = 32, 48, 48
	c.Effort = Effort{Bootstrap: 300, Draws: 300, Epochs: 3, Coded: 16, Dense: 2}
	return c
}

// Validate lists what is wrong: ErrClaims.
func (c ClaimsConfig) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrClaims}, args...)...))
	}
	for _, one := range c.Claims {
		if !slices.Contains(Claims(), one) {
			fault("claim %q: must be a, b, c or d", one)
		}
	}
	if len(c.Claims) == 0 {
		fault("no claim")
	}
	if len(c.Models) == 0 {
		fault("no model")
	}
	for _, least := range []struct {
		what      string
		is, least int
	}{
		{"tokens of a text", c.Length, 8}, {"texts", c.Texts, 32}, {"texts to learn from", c.Train, 32},
		{"threads", c.Threads, 1}, {"resamplings", c.Effort.Bootstrap, 100}, {"draws", c.Effort.Draws, 100},
		{"epochs", c.Effort.Epochs, 1}, {"texts of encodings", c.Effort.Coded, 2}, {"texts of whole rows", c.Effort.Dense, 2},
	} {
		if least.is < least.least {
			fault("%s %d: must be at least %d", least.what, least.is, least.least)
		}
	}
	faults = append(faults, c.checkServers())
	return errors.Join(faults...)
}

// ModelsForAll is how many models there must be for all claims.
const ModelsForAll = 3

// checkServers refuses claims about several servers where there are too few.
func (c ClaimsConfig) checkServers() error {
	for _, need := range []struct {
		claim   Claim
		servers int
	}{{ClaimCollective, 2}, {ClaimScaling, ModelsForAll}} {
		if slices.Contains(c.Claims, need.claim) && len(c.Models) < need.servers {
			return fmt.Errorf("%w: claim %s is about %d models at least, there are %d", ErrClaims, need.claim, need.servers, len(c.Models))
		}
	}
	return nil
}

// ClaimsReport is what was found. What was not asked for is nil.
type ClaimsReport struct {
	Models      []ClaimsModel      `json:"models"`
	Length      int                `json:"length"`
	Texts       int                `json:"texts"`
	Seed        uint64             `json:"seed"`
	Seconds     float64            `json:"seconds"`
	Build       string             `json:"build"`
	Decoding    *DecodingResult    `json:"a,omitempty"`
	Compression *CompressionResult `json:"b,omitempty"`
	Collective  *CollectiveResult  `json:"c,omitempty"`
	Scaling     *ScalingResult     `json:"d,omitempty"`
}

// ClaimsModel is the model of a server, and what it loses on the texts.
type ClaimsModel struct {
	Name       string   `json:"name"`
	Parameters uint64   `json:"parameters"`
	Loss       Estimate `json:"loss"` // nats a token
}

// Verdict is what a measurement says of a claim.
type Verdict string

// The verdicts.
const (
	Holds       Verdict = "holds"
	DoesNotHold Verdict = "does not hold"
	Undecided   Verdict = "undecided"
)

// Finding is a verdict on a claim, or on a part of it, and what it rests on.
type Finding struct {
	Claim   string  `json:"claim"`
	Verdict Verdict `json:"verdict"`
	Because string  `json:"because"`
}

// String is the finding in a line.
func (f Finding) String() string { return fmt.Sprintf("%s: %s — %s", f.Claim, f.Verdict, f.Because) }

// decide tells on which side of a limit an interval lies.
func decide(i Interval, limit float64, above bool) Verdict {
	switch {
	case i.Low > limit:
		return verdict(above)
	case i.High < limit:
		return verdict(!above)
	}
	return Undecided
}

func verdict(holds bool) Verdict {
	if holds {
		return Holds
	}
	return DoesNotHold
}

// RunClaims measures. tell, if set, is told what is at work, and which part of it is done.
func RunClaims(ctx context.Context, c ClaimsConfig, tell func(what string, done float64)) (*ClaimsReport, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if tell == nil {
		tell = func(string, float64) {}
	}
	r, err := newClaimsRun(ctx, c, tell)
	if err != nil {
		return nil, err
	}
	return r.run(ctx)
}

func (r *claimsRun) run(ctx context.Context) (_ *ClaimsReport, err error) {
	defer func() { err = errors.Join(err, r.net.Close()) }()
	report := &ClaimsReport{Length: r.config.Length, Texts: r.config.Texts, Seed: r.config.Seed}
	if err := r.truth(ctx); err != nil {
		return nil, err
	}
	for i, name := range r.config.Models {
		report.Models = append(report.Models, ClaimsModel{claimsModelName(name), r.net.Info(i).Params, newEstimate(r.perText(i))})
	}
	for _, measure := range []struct {
		claim Claim
		do    func() error
	}{
		{ClaimDecoding, func() error { report.Decoding, err = r.decoding(ctx); return err }},
		{ClaimCompression, func() error { report.Compression, err = r.compression(ctx); return err }},
		{ClaimCollective, func() error { report.Collective, err = r.collective(ctx); return err }},
		{ClaimScaling, func() error { report.Scaling = r.scaling(); return nil }},
	} {
		if !slices.Contains(r.config.Claims, measure.claim) {
			continue
		}
		if err := measure.do(); err != nil {
			return nil, fmt.Errorf("claim %s: %w", measure.claim, err)
		}
	}
	return report, nil
}

// claimsModelName is a file's name without what is the same for all.
func claimsModelName(name string) string {
	return strings.TrimSuffix(name[strings.LastIndexAny(name, `/\`)+1:], ".gguf")
}

// random is a source of random numbers for one purpose.
func (c ClaimsConfig) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed, purpose))
}
