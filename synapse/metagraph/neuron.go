package metagraph

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"

	"axon/synapse/auth"
)

// maxUID is the highest number of a neuron, which bounds how many a file can have.
const maxUID = 1<<16 - 1

// Neuron is one who takes part.
type Neuron struct {
	UID     int // 0 … 65535
	Hotkey  auth.PublicKey
	Coldkey auth.PublicKey // zero where it is not known
	IP      netip.Addr     // invalid where it is not known
	Port    uint16         // zero where it is not known
	Stake   float64        // not negative; the unit is the network's
}

// Address is where the neuron's server listens, as in 203.0.113.7:8091; it is empty for a
// neuron that serves nothing.
func (n Neuron) Address() string {
	if !n.IP.IsValid() || n.IP.IsUnspecified() || n.Port == 0 {
		return ""
	}
	return netip.AddrPortFrom(n.IP, n.Port).String()
}

// check says what no neuron may be.
func (n Neuron) check() error {
	switch {
	case n.UID < 0 || n.UID > maxUID:
		return fmt.Errorf("uid %d is not within 0 and %d", n.UID, maxUID)
	case n.Hotkey == (auth.PublicKey{}):
		return fmt.Errorf("no hotkey")
	case n.IP.Zone() != "":
		return fmt.Errorf("ip %s has a zone, which only its own machine understands", n.IP)
	case !(n.Stake >= 0) || math.IsInf(n.Stake, 0):
		return fmt.Errorf("stake %v is no amount", n.Stake)
	}
	return nil
}

// table is a set of neurons; no two share a uid or a hotkey.
type table struct {
	neurons  []Neuron // by uid
	byHotkey map[auth.PublicKey]int
}

// newTable takes neurons that were checked to be different.
func newTable(neurons []Neuron) *table {
	slices.SortFunc(neurons, func(a, b Neuron) int { return cmp.Compare(a.UID, b.UID) })
	t := &table{neurons: neurons, byHotkey: make(map[auth.PublicKey]int, len(neurons))}
	for i, n := range neurons {
		t.byHotkey[n.Hotkey] = i
	}
	return t
}
