package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"axon/synapse/auth"
)

var (
	// ErrOptions is returned for settings that are missing or make no sense.
	ErrOptions = errors.New("invalid options")
	// ErrEndpoint is returned for an endpoint that cannot be asked: without an address, or without a hotkey.
	ErrEndpoint = errors.New("unusable endpoint")

	errClosed = errors.New("the client is closed")
)

// Options say how a client asks. A zero stands for the default, but for the key, which
// is needed.
type Options struct {
	Key         *auth.Key     // signs the requests
	Timeout     time.Duration // how long a call may take; default: the shortest of the timeouts of the tasks asked
	Concurrency int           // calls on their way at once, whoever makes them; default 64
	InFlight    int           // of those, to one endpoint; default 10. Each has a signer, and servers remember 64 of a sender
	Connections int           // endpoints that stay connected; default 1024
	MaxReply    int64         // bytes of a reply; default 1 GiB. What is asked may set it a lower limit, and must not set it a higher one
	Backoff     time.Duration // how long an endpoint that cannot be reached is left alone, doubling up to 64 times as long; default 1 s, negative: not at all
	TLS         *tls.Config   // nil: plain text, as the network has it
}

// Validate lists what is wrong with the options.
func (o Options) Validate() error {
	var faults []error
	switch {
	case o.Key == nil:
		faults = append(faults, fmt.Errorf("%w: no key to sign with", ErrOptions))
	case !o.Key.CanSign():
		faults = append(faults, fmt.Errorf("%w: %w: %v", ErrOptions, auth.ErrNoSecret, o.Key.Public()))
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"time-out", int64(o.Timeout)}, {"concurrency", int64(o.Concurrency)}, {"calls in flight", int64(o.InFlight)},
		{"connections", int64(o.Connections)}, {"bytes of a reply", o.MaxReply},
	} {
		if n.value < 0 {
			faults = append(faults, fmt.Errorf("%w: %s of %d, must be positive or 0 for the default", ErrOptions, n.name, n.value))
		}
	}
	return errors.Join(faults...)
}

func (o Options) withDefaults() Options {
	o.Concurrency = orDefault(o.Concurrency, 64)
	o.InFlight = orDefault(o.InFlight, 10)
	o.Connections = orDefault(o.Connections, 1024)
	o.MaxReply = orDefault(o.MaxReply, 1<<30)
	o.Backoff = orDefault(o.Backoff, time.Second)
	return o
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
