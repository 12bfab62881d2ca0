package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/urfave/cli/v2"
)

// listeners are what a service listens on. They are opened before the model is loaded, so
// that an address that is taken shows at once.
type listeners struct {
	requests, metrics, profiler net.Listener // the last two may be nil
}

func (s *service) openListeners(c *cli.Context) error {
	for _, l := range []struct {
		flag string
		to   *net.Listener
	}{
		{"listen", &s.listeners.requests}, {"metrics-listen", &s.listeners.metrics}, {"pprof-listen", &s.listeners.profiler},
	} {
		address := c.String(l.flag)
		if address == "" && l.flag != "listen" {
			continue
		}
		opened, err := listen(c, l.flag, address)
		if err != nil {
			return err
		}
		*l.to = opened
		s.onClose(func() error { return ignoreClosed(opened.Close()) })
	}
	return nil
}

func listen(c *cli.Context, flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usageError("--%s %q: must be an address and a port, as in 127.0.0.1:8091", flag, address)
	}
	l, err := new(net.ListenConfig).Listen(c.Context, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("--%s %s: %w; another program has it: give another address", flag, address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, address, err)
	}
	return l, nil
}

// ignoreClosed overlooks that whoever served on a listener has closed it.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
