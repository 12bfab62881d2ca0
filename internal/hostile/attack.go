package hostile

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/validator"
)

var _ io.Closer = (*copier)(nil)

// Knowledge is what an attacker has to predict from. Honest play, which it is compared with, is
// to answer by the same.
type Knowledge int

// What attackers know.
const (
	Own       Knowledge = iota // its own model
	Neighbour                  // the neighbour that it asks
	Several                    // several neighbours, which together know more than each
	Text                       // the validator's text
)

// String names whose honest play an attack is compared with.
func (k Knowledge) String() string {
	return [...]string{"the same model", "the neighbour", "the neighbours together", "the text"}[k]
}

// Attack is one way of answering. The zero value but for the name is honest.
type Attack struct {
	Name  string
	About string // what it does
	// Tasks are those in which it does anything; none stands for both.
	Tasks []validator.Task
	Knows Knowledge
	// Repeats says that it only does anything where texts come again.
	Repeats bool
	// Anew says that it takes a new hotkey for each round, so that each is a server's first. Who
	// measures it has to average over such servers.
	Anew bool
	// Late says that it answers after the validator has given up.
	Late bool

	wrap func(server.Model, Means) server.Model
	lie  func(Means) Lie
}

// Means are what attackers have at hand besides a model. Each needs some of it only.
type Means struct {
	Delay time.Duration // of a server that is slow
	// Key is whom a copier asks as; Neighbours are those that it may ask, the best first.
	Key        *auth.Key
	Neighbours func() []client.Endpoint
	// Text is what a server knows by heart: documents in standard tokens.
	Text [][]int32
}

// Lie alters an answered item before it leaves: its answer, or that there is one.
type Lie func(item *synapse.Item)

// For says whether the attack does anything in a task.
func (a Attack) For(t validator.Task) bool { return len(a.Tasks) == 0 || slices.Contains(a.Tasks, t) }

// OnTheWire says whether the attack needs a server of its own, see [Serve].
func (a Attack) OnTheWire() bool { return a.lie != nil }

// Check says what of the means is missing: ErrAttack.
func (a Attack) Check(m Means) error {
	switch {
	case (a.Knows == Neighbour || a.Knows == Several) && (m.Key == nil || m.Neighbours == nil):
		return fmt.Errorf("%w: %s asks neighbours, and has no key or nobody to ask", ErrAttack, a.Name)
	case a.Knows == Text && len(m.Text) == 0:
		return fmt.Errorf("%w: %s knows a text, and none is given", ErrAttack, a.Name)
	}
	return nil
}

// Wrap is the attacker's model: what answers in place of an honest one. One that asks
// neighbours is an [io.Closer], to be closed after its server.
func (a Attack) Wrap(m server.Model, means Means) server.Model {
	if a.wrap == nil {
		return m
	}
	return a.wrap(m, means)
}

// Named finds attacks by their names, in the order of [All]; none gives all. The error is
// ErrAttack.
func Named(names ...string) ([]Attack, error) {
	if len(names) == 0 {
		return All(), nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(All(), func(a Attack) bool { return a.Name == name }) {
			return nil, fmt.Errorf("%w: %.40q; there are %s", ErrAttack, name, strings.Join(Names(), ", "))
		}
	}
	return slices.DeleteFunc(All(), func(a Attack) bool { return !slices.Contains(names, a.Name) }), nil
}

// Names are those of all attacks.
func Names() []string {
	var names []string
	for _, a := range All() {
		names = append(names, a.Name)
	}
	return names
}
