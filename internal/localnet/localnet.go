// Package localnet is a network on this machine, for tests and benchmarks: real servers on
// loopback, each with a hotkey of its own, and the endpoints that a client asks. Whoever needs
// a server that lies, lags or fails wraps what answers.
//
// Servers of one model share it, with its engine: a copy of a server costs a port. Nothing is
// kept in files, and nonces are forgotten with the server.
//
// Start reading at [Start].
package localnet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"axon/engine"
	"axon/internal/nucleus"
	"axon/models"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/translate"
)

// ErrNode is returned when there is no server to start or stop: when a node has neither a model
// nor a wrap that answers in its place, and for places that the network does not have.
var ErrNode = errors.New("no such server")

// Node is a server of the network.
type Node struct {
	// Model is a member of the built-in family or a GGUF file; empty: none, Wrap makes what
	// answers.
	Model string
	// Wrap alters what answers. It is given nil where there is no model.
	Wrap func(server.Model) server.Model
	// Key is the server's hotkey; nil: a new one.
	Key *auth.Key
	// Adjust alters how the server is run; nil: by the server's defaults, without a log.
	Adjust func(*server.Options)
}

// Models are nodes of models, as they are.
func Models(names ...string) []Node {
	nodes := make([]Node, len(names))
	for i, name := range names {
		nodes[i].Model = name
	}
	return nodes
}

// Options say how models are run. A zero stands for the default.
type Options struct {
	Threads   int              // of ggml, for each model; default 1
	Tokens    int              // in each model's context; default 4096
	Sequences int              // at once in each model; default 16
	Method    translate.Method // of standard tokens to the models'; default translate.Exact
}

// Network is a network that runs. Its methods may be called from many goroutines.
type Network struct {
	options Options
	nuclei  map[string]*nucleus.Nucleus
	infos   map[string]engine.ModelInfo
	closers []func() error // of models and engines, in the order of opening

	mu    sync.Mutex
	nodes []*node
}

// Start starts a server for each node.
func Start(ctx context.Context, o Options, nodes ...Node) (*Network, error) {
	o.Threads, o.Tokens, o.Sequences = cmp.Or(o.Threads, 1), cmp.Or(o.Tokens, 4096), cmp.Or(o.Sequences, 16)
	o.Method = cmp.Or(o.Method, translate.Exact)
	n := &Network{options: o, nuclei: map[string]*nucleus.Nucleus{}, infos: map[string]engine.ModelInfo{}}
	for i, spec := range nodes {
		if err := n.add(ctx, spec); err != nil {
			return nil, errors.Join(fmt.Errorf("server %d: %w", i, err), n.Close())
		}
	}
	return n, nil
}

func (n *Network) add(ctx context.Context, spec Node) error {
	answers, err := n.answers(ctx, spec)
	if err != nil {
		return err
	}
	one, err := newNode(spec, answers)
	if err != nil {
		return err
	}
	if err := one.start(""); err != nil {
		return err
	}
	n.nodes = append(n.nodes, one)
	return nil
}

// answers is what answers for a node.
func (n *Network) answers(ctx context.Context, spec Node) (server.Model, error) {
	var m server.Model // an interface without a value where there is no model
	if spec.Model != "" {
		opened, err := n.open(ctx, spec.Model)
		if err != nil {
			return nil, err
		}
		m = opened
	}
	if spec.Wrap != nil {
		m = spec.Wrap(m)
	}
	if m == nil {
		return nil, fmt.Errorf("%w: it has no model, and nothing that answers in its place", ErrNode)
	}
	return m, nil
}

// open opens a model once.
func (n *Network) open(ctx context.Context, name string) (*nucleus.Nucleus, error) {
	if opened := n.nuclei[name]; opened != nil {
		return opened, nil
	}
	o := engine.ModelOptions{Name: name, CPUOnly: true}
	if data, ok := models.Open(name); ok {
		o.Data = data
	} else {
		o.Path = name
	}
	m, err := engine.OpenModel(ctx, o)
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, m.Close)
	e, err := engine.New(m, engine.Options{Threads: n.options.Threads, Context: n.options.Tokens, Sequences: n.options.Sequences})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, e.Close)
	opened, err := nucleus.New(e, n.options.Method)
	if err != nil {
		return nil, err
	}
	n.nuclei[name], n.infos[name] = opened, m.Info()
	return opened, nil
}

// Info describes the model of a server; one without a model has an empty description.
func (n *Network) Info(uid int) engine.ModelInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	if uid < 0 || uid >= len(n.nodes) {
		return engine.ModelInfo{}
	}
	return n.infos[n.nodes[uid].spec.Model]
}

// Endpoints are the servers, stopped ones included. Each has its place as its UID.
func (n *Network) Endpoints() []client.Endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]client.Endpoint, len(n.nodes))
	for i, one := range n.nodes {
		list[i] = client.Endpoint{UID: i, Address: one.address, Hotkey: one.key.Public()}
	}
	return list
}

// Stop stops a server: calls are answered that were taken, and its address takes no more.
func (n *Network) Stop(uid int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if uid < 0 || uid >= len(n.nodes) {
		return fmt.Errorf("%w: %d of %d", ErrNode, uid, len(n.nodes))
	}
	return n.nodes[uid].stop()
}

// Restart starts a server that was stopped, at the same address, under the same hotkey.
func (n *Network) Restart(uid int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if uid < 0 || uid >= len(n.nodes) {
		return fmt.Errorf("%w: %d of %d", ErrNode, uid, len(n.nodes))
	}
	one := n.nodes[uid]
	return errors.Join(one.stop(), one.start(one.address))
}

// Close stops all servers and closes their models. It is idempotent.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, one := range n.nodes {
		errs = append(errs, one.stop())
	}
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	n.closers = nil
	return errors.Join(errs...)
}
