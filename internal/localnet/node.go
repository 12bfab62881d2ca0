package localnet

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"axon/synapse/auth"
	"axon/synapse/server"
)

// drain is how long calls may still take when a server stops; then they are cut off.
const drain = 10 * time.Second

// node is a server that runs, or ran.
type node struct {
	spec    Node
	key     *auth.Key
	answers server.Model
	address string
	server  *server.Server // nil: it does not run
	served  chan error
}

func newNode(spec Node, answers server.Model) (*node, error) {
	n := &node{spec: spec, key: spec.Key, answers: answers}
	var err error
	if n.key == nil {
		n.key, err = auth.NewKey()
	}
	return n, err
}

// start listens on an address, or on a free port where there is none.
func (n *node) start(address string) error {
	o, err := n.serverOptions()
	if err != nil {
		return err
	}
	s, err := server.New(o)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cmp.Or(address, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	n.address, n.server, n.served = l.Addr().String(), s, make(chan error, 1)
	go func() { n.served <- s.Serve(l) }()
	return nil
}

// serverOptions let everybody in who can prove who they are.
func (n *node) serverOptions() (server.Options, error) {
	nonces, err := auth.NewNonces(auth.Limits{})
	if err != nil {
		return server.Options{}, err
	}
	checker, err := auth.NewChecker(auth.Options{Receiver: n.key.Public(), Nonces: nonces})
	if err != nil {
		return server.Options{}, err
	}
	o := server.Options{Hotkey: n.key.Public(), Checker: checker, Model: n.answers, Logger: slog.New(slog.DiscardHandler)}
	if n.spec.Adjust != nil {
		n.spec.Adjust(&o)
	}
	return o, nil
}

// stop lets calls end that were taken. That some had to be cut off is an error.
func (n *node) stop() error {
	if n.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := errors.Join(n.server.Shutdown(ctx), <-n.served)
	n.server = nil
	return err
}
