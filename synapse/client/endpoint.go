package client

import (
	"fmt"
	"net"
	"strconv"

	"axon/synapse/auth"
)

// versionV2 is the version of the protocol since which signatures name the receiver.
const versionV2 = 360

// Endpoint is a server that can be asked.
type Endpoint struct {
	UID     int            // in the metagraph; the client only hands it back
	Address string         // host:port
	Hotkey  auth.PublicKey // the server's, which requests are signed for
	Version int            // of the protocol, by which the form of signatures is chosen; 0: as new as this one
}

// Validate says why an endpoint cannot be asked.
func (e Endpoint) Validate() error {
	host, port, err := net.SplitHostPort(e.Address)
	if err != nil {
		return fmt.Errorf("%w: %w; give it as host:port", ErrEndpoint, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return fmt.Errorf("%w: %q is not a host and a port of 1 to 65535", ErrEndpoint, e.Address)
	}
	if e.Hotkey == (auth.PublicKey{}) {
		return fmt.Errorf("%w: %s without the hotkey that requests are signed for", ErrEndpoint, e.Address)
	}
	return nil
}

func (e Endpoint) format() auth.Format {
	if e.Version != 0 && e.Version < versionV2 {
		return auth.FormatV1
	}
	return auth.FormatV2
}
