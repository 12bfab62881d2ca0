// Package simnet is a network that is not there: any number of servers that know more or
// less of texts whose law is known, each answering after a time that was recorded of real
// ones. It stands where a [client.Client] would, so that a validator can be measured with
// more servers than a machine can run, and tested with servers of which it is known who
// is the better.
//
// What a client does for each reply is done for each: the question is signed, bytes of
// its own arrive, are unmarshalled and checked, in as many goroutines as a client has calls
// on their way. Only gRPC is missing. What servers do is done once for many: some make an
// answer, all others send copies.
//
// All follows from the seed: texts, answers, times and silences, but for the caller's key. So
// a round can be repeated, by another process, too.
//
// Start reading at [Network.ForwardAll].
package simnet

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"axon/synapse/auth"
	"axon/synapse/client"
)

// ErrOptions is returned for settings that make no sense.
var ErrOptions = errors.New("invalid options")

// Options say what the network is like. A zero stands for the default where one is given.
type Options struct {
	Servers int
	Seed    uint64
	// Minds is how many servers think for themselves; the others answer as one of them
	// does. Default 64, or as many as there are servers.
	Minds int
	// Latencies are the times of which each question draws one. None: replies come at once.
	Latencies []time.Duration
	// Silent is the share of questions that are never answered, 0 to 1.
	Silent float64
	// Timeout is how long a reply is waited for; default 12 s. Without latencies nobody waits
	// for the silent either.
	Timeout time.Duration
	// Concurrency is how many questions are on their way at once; default 64.
	Concurrency int
}

// Validate lists all faults at once.
func (o Options) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
		}
	}
	check(o.Servers >= 1 && o.Servers <= maxServers, "%d servers, must be 1 to %d", o.Servers, maxServers)
	check(o.Minds >= 0, "%d minds, must be positive or 0 for the default", o.Minds)
	check(o.Silent >= 0 && o.Silent <= 1, "a silent share of %v, must be 0 to 1", o.Silent)
	check(o.Timeout >= 0, "a time-out of %v, must be positive or 0 for the default", o.Timeout)
	check(o.Concurrency >= 0, "%d questions at once, must be positive or 0 for the default", o.Concurrency)
	return errors.Join(faults...)
}

// maxServers is as many as there are ports to give them.
const maxServers = 1 << 16

// Network is a simulated network.
type Network struct {
	options   Options
	language  *language
	endpoints []client.Endpoint
	key       *auth.Key // the caller's
}

// New makes a network.
func New(o Options) (*Network, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Minds = min(cmp.Or(o.Minds, 64), o.Servers)
	o.Timeout = cmp.Or(o.Timeout, 12*time.Second)
	o.Concurrency = cmp.Or(o.Concurrency, 64)
	key, err := auth.NewKey()
	if err != nil {
		return nil, err
	}
	n := &Network{options: o, language: newLanguage(o.Seed), key: key}
	for uid := range o.Servers {
		// Addresses are of a net that documents use (RFC 5737).
		n.endpoints = append(n.endpoints, client.Endpoint{
			UID: uid, Address: fmt.Sprintf("192.0.2.%d:%d", uid>>15, 1+uid&0x7fff), Hotkey: hotkey(o.Seed, uid),
		})
	}
	return n, nil
}

// hotkey is a server's, of which there is no secret.
func hotkey(seed uint64, uid int) auth.PublicKey {
	text := binary.LittleEndian.AppendUint64([]byte("axon simulated server"), seed)
	return sha256.Sum256(binary.LittleEndian.AppendUint64(text, uint64(uid))) //nolint:gosec // an index
}

// Endpoints are the servers, each with its place as its UID.
func (n *Network) Endpoints() []client.Endpoint { return n.endpoints }

// mind is who thinks for a server.
func (n *Network) mind(uid int) int { return uid % n.options.Minds }

// Knowledge is how much of the truth a server knows, below 1 and above 0: so much of what it
// expects is the law of the texts, and the rest a law of its own. Who knows more loses less.
func (n *Network) Knowledge(uid int) float64 {
	const best, worst = 0.95, 0.05
	return best - (best-worst)*float64(n.mind(uid))/float64(max(1, n.options.Minds-1))
}
