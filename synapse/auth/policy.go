package auth

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"axon/synapse/wire"
)

// Registry knows who is registered in a network, and with how much stake. A metagraph is one.
type Registry interface {
	Stake(hotkey PublicKey) (stake float64, registered bool)
}

// Rules say who may ask a server for what. The zero value admits whoever has a hotkey.
type Rules struct {
	// Registry knows the network. Without one nothing is known of stakes, and all hotkeys
	// are as good as registered; but where Allow names some, then only those.
	Registry          Registry
	AllowUnregistered bool    // hotkeys that Registry does not know count as having no stake, instead of being refused
	MinStake          float64 // refuses those with less
	MinStakeFor       map[wire.SynapseType]float64
	MinInterval       time.Duration // between two requests of one hotkey, forward and backward each for itself; 0 for none
	Deny              []PublicKey   // are refused, whatever else holds
	Allow             []PublicKey   // are asked for neither registration nor stake
	Now               func() time.Time
}

// Validate lists what is wrong with the rules.
func (r Rules) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
	}
	for _, stake := range append(slices.Collect(maps.Values(r.MinStakeFor)), r.MinStake) {
		switch {
		case !(stake >= 0) || math.IsInf(stake, 0):
			fault("a minimum stake of %v", stake)
		case stake > 0 && r.Registry == nil:
			fault("a minimum stake of %v, and no metagraph that tells stakes", stake)
		}
	}
	if r.AllowUnregistered && r.Registry == nil {
		fault("unregistered hotkeys are allowed, and no metagraph tells who is registered")
	}
	if r.MinInterval < 0 {
		fault("a minimum interval of %v", r.MinInterval)
	}
	for _, key := range r.Deny {
		if slices.Contains(r.Allow, key) {
			fault("%v is both allowed and denied", key)
		}
	}
	return errors.Join(faults...)
}

// Policy applies rules to callers. It may be used by many goroutines, and the stake it
// goes by is what the registry knows at that moment.
type Policy struct {
	rules       Rules
	allow, deny map[PublicKey]bool
	recent      *recent
}

// NewPolicy makes a policy of rules.
func NewPolicy(r Rules) (*Policy, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	return &Policy{r, setOf(r.Allow), setOf(r.Deny), newRecent(r.MinInterval, recentLimit)}, nil
}

func setOf(keys []PublicKey) map[PublicKey]bool {
	set := make(map[PublicKey]bool, len(keys))
	for _, key := range keys {
		set[key] = true
	}
	return set
}

// Admit refuses a proven caller who may not ask for anything now, with a [Refusal] that
// says why. It is meant for [Options.Admit].
func (p *Policy) Admit(c Caller) error {
	if p.deny[c.Hotkey] {
		return refuse(ErrDenied, "hotkey %v is on this server's list of those not answered", c.Hotkey)
	}
	if err := p.registered(c.Hotkey); err != nil {
		return err
	}
	if err := p.enough(c.Hotkey, p.rules.MinStake, ""); err != nil {
		return err
	}
	// The interval comes last: only who is let in otherwise takes up memory.
	passed, ok := p.recent.admit(asker{c.Hotkey, c.Request}, p.rules.Now())
	if !ok {
		return refuse(ErrInterval, "asked again after %v, within the minimum interval of %v",
			passed.Round(time.Millisecond), p.rules.MinInterval)
	}
	return nil
}

// registered refuses hotkeys that are in no list.
func (p *Policy) registered(hotkey PublicKey) error {
	if p.allow[hotkey] || p.rules.AllowUnregistered {
		return nil
	}
	if p.rules.Registry == nil {
		if len(p.allow) > 0 {
			return refuse(ErrUnregistered, "hotkey %v is not on this server's list of those answered", hotkey)
		}
		return nil
	}
	if _, ok := p.rules.Registry.Stake(hotkey); !ok {
		return refuse(ErrUnregistered, "hotkey %v is not registered in the metagraph that this server knows", hotkey)
	}
	return nil
}

// MayAsk refuses an admitted hotkey whose stake does not suffice for a synapse.
func (p *Policy) MayAsk(hotkey PublicKey, synapse wire.SynapseType) error {
	return p.enough(hotkey, p.rules.MinStakeFor[synapse], " for "+strings.TrimPrefix(synapse.String(), "SYNAPSE_TYPE_"))
}

// enough refuses stakes below a minimum.
func (p *Policy) enough(hotkey PublicKey, minimum float64, what string) error {
	if minimum == 0 || p.allow[hotkey] {
		return nil
	}
	if stake := p.Priority(hotkey); stake < minimum {
		return refuse(ErrStake, "the stake %v of hotkey %v is below the minimum %v%s", stake, hotkey, minimum, what)
	}
	return nil
}

// Priority is where a hotkey stands in a queue: its stake, as with the reference, and
// zero where nothing is known of it.
func (p *Policy) Priority(hotkey PublicKey) float64 {
	if p.rules.Registry == nil {
		return 0
	}
	stake, _ := p.rules.Registry.Stake(hotkey)
	return stake
}

func refuse(reason error, format string, args ...any) error {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}
