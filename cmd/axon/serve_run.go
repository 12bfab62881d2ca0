package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/urfave/cli/v2"
	"google.golang.org/grpc/credentials"

	"axon/engine"
	"axon/internal/nucleus"
	"axon/synapse/auth"
	"axon/synapse/metagraph"
	"axon/synapse/server"
)

// service is a running axon serve, and what it was made of.
type service struct {
	options serveOptions
	undo    []func() error // closes what was opened, the last first

	listeners listeners
	key       *auth.Key
	keyPath   string
	keyMade   bool
	checker   *auth.Checker
	policy    *auth.Policy
	network   *metagraph.File // nil: everybody
	engine    *engine.Engine
	nucleus   *nucleus.Nucleus
	server    *server.Server
}

// runService opens everything, serves until the context ends, and closes everything.
// What fails fast comes first, the model last.
func runService(c *cli.Context, o serveOptions) (err error) {
	s := &service{options: o}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, open := range []func(*cli.Context) error{s.openTransport, s.openListeners, s.openHotkey, s.openAdmission, s.openModel, s.openServer} {
		if err := open(c); err != nil {
			return err
		}
	}
	if err := s.printScreen(c); err != nil {
		return err
	}
	return s.run(c.Context)
}

// onClose notes how to close what was just opened.
func (s *service) onClose(f func() error) { s.undo = append(s.undo, f) }

func (s *service) close() error {
	var faults []error
	for _, f := range slices.Backward(s.undo) {
		faults = append(faults, f())
	}
	return errors.Join(faults...)
}

// openTransport reads the certificate that the flags name, if they name one.
func (s *service) openTransport(c *cli.Context) error {
	if c.String("tls-cert") == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.String("tls-cert"), c.String("tls-key"))
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	s.options.server.Credentials = credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	return nil
}

// openHotkey finds or makes the server's identity, and the memory of requests to it.
func (s *service) openHotkey(c *cli.Context) (err error) {
	if s.key, s.keyPath, s.keyMade, err = serverHotkey(c); err != nil {
		return err
	}
	if s.keyMade {
		s.options.logger.Warn("there was no hotkey; a new one was made", "hotkey", s.key.String(), "file", s.keyPath)
	}
	nonces, err := openNonces(c, s.key.Public())
	if err != nil {
		return err
	}
	s.onClose(nonces.Close)
	s.options.server.Hotkey = s.key.Public()
	s.checker, err = auth.NewChecker(auth.Options{
		Receiver: s.key.Public(), Nonces: nonces, AllowV1: c.Bool("allow-signature-v1"),
		Admit: func(caller auth.Caller) error { return s.policy.Admit(caller) },
	})
	return err
}

func (s *service) openAdmission(c *cli.Context) (err error) {
	rules := s.options.rules
	if path := c.String("metagraph"); path != "" {
		if s.network, err = metagraph.OpenWith(path, metagraph.Options{Changed: s.networkChanged}); err != nil {
			return err
		}
		rules.Registry = s.network
	}
	s.policy, err = auth.NewPolicy(rules)
	return err
}

func (s *service) networkChanged(neurons int, err error) {
	if err != nil {
		s.options.logger.Error("the metagraph file cannot be used any more; what it said before still holds", "neurons", neurons, "error", err)
		return
	}
	s.options.logger.Info("the metagraph file changed", "neurons", neurons)
}

func (s *service) openModel(c *cli.Context) error {
	m, err := openModel(c)
	if err != nil {
		return err
	}
	s.onClose(m.Close)
	if s.engine, err = engine.New(m, serveEngineOptions(c, m.Info())); err != nil {
		return err
	}
	s.onClose(s.engine.Close)
	s.nucleus, err = nucleus.New(s.engine, s.options.translation)
	return err
}

func (s *service) openServer(*cli.Context) (err error) {
	o := s.options.server
	o.Checker, o.Policy, o.Model = s.checker, s.policy, s.nucleus
	o.Identifier = s.listeners.requests.Addr().String() // which tells servers on one machine apart
	o.Collectors = []prometheus.Collector{engineMetrics{s.engine, s.nucleus}}
	s.server, err = server.New(o)
	return err
}

// run serves until the context ends or a listener fails, and then lets the calls end that
// were taken.
func (s *service) run(ctx context.Context) error {
	failed := make(chan error, 3)
	go func() { failed <- s.server.Serve(s.listeners.requests) }()
	stopMetrics := serveHTTP(s.listeners.metrics, s.server.Handler(), failed)
	stopProfiler := serveHTTP(s.listeners.profiler, server.Profiler(), failed)
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, s.drain(), stopMetrics(), stopProfiler())
}

// drain lets the calls end that were taken, until the next signal or the time-out.
func (s *service) drain() error {
	s.options.logger.Info("stopping once all requests are answered; another signal stops at once")
	ctx, force := context.WithTimeout(context.Background(), s.options.server.Drain+s.options.drainTimeout)
	defer force()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			force()
		case <-ctx.Done():
		}
	}()
	if err := s.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("%w; --drain-timeout is %v", err, s.options.drainTimeout)
	}
	s.options.logger.Info("stopped")
	return nil
}

// serveHTTP serves on a listener, if there is one, until the function it returns is called.
func serveHTTP(l net.Listener, h http.Handler, failed chan<- error) (stop func() error) {
	if l == nil {
		return func() error { return nil }
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug) // what strangers do wrong
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return s.Close
}
