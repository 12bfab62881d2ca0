package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"axon/engine"
	"axon/internal/nucleus"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/translate"
	"axon/synapse/wire"
)

// patience is how long a client waits: longer than any server.
const patience = 10 * time.Minute

// served is a server that is asked over a socket by clients that have each a
// connection of their own.
type served struct {
	name     string
	test     ServeTest
	question question
	endpoint client.Endpoint
	clients  []*client.Client // those of short requests last
	engine   *engine.Engine   // of a server of our own
	closers  []func() error   // in the order of opening
}

func (s *served) Name() string { return s.name }

// Ask asks the test's synapse about a request's texts.
func (s *served) Ask(ctx context.Context, client int, r *request) (reply, error) {
	return s.forward(ctx, client, r.batch, s.question.make(s.test))
}

// next asks for what follows a short text.
func (s *served) next(ctx context.Context, client int, b synapse.Batch) (reply, error) {
	return s.forward(ctx, client, b, askNext(ServeTest{TopK: s.test.TopK}))
}

func (s *served) forward(ctx context.Context, client int, b synapse.Batch, q synapse.Synapse) (reply, error) {
	got := s.clients[client].Forward(ctx, s.endpoint, b, q)
	if err := ctx.Err(); err != nil {
		return reply{}, err
	}
	if f := got.Fault(); f != nil {
		return reply{}, faultError(q, f)
	}
	tokens, positions, err := count(got.Results[0].Answer, b)
	return reply{tokens: tokens, positions: positions, bytes: got.BytesIn}, err
}

func faultError(q synapse.Synapse, f *synapse.Fault) error {
	task := q.Task()
	hint := ""
	if f.Code == wire.ReturnCode_RETURN_CODE_TIMEOUT {
		hint = fmt.Sprintf("; a server takes %v at most: ask for less at once", task.Timeout)
	}
	return fmt.Errorf("%s: %v: %w%s", task.Name, f.Code, f, hint)
}

// Close ends what was opened, the last first.
func (s *served) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *served) onClose(f func() error) { s.closers = append(s.closers, f) }

// connect makes the test's clients. Without a key each has one of its own.
func (s *served) connect(key *auth.Key) error {
	for range s.test.Clients + s.test.Mixed {
		k := key
		if k == nil {
			var err error
			if k, err = auth.NewKey(); err != nil {
				return err
			}
		}
		c, err := client.New(client.Options{Key: k, Timeout: patience, InFlight: 1, Concurrency: 1, Connections: 1})
		if err != nil {
			return err
		}
		s.clients = append(s.clients, c)
		s.onClose(c.Close)
	}
	return nil
}

// dial makes clients of a server that runs elsewhere.
func dial(e client.Endpoint, key *auth.Key, t ServeTest) (*served, error) {
	q, err := questionNamed(t.Synapse)
	if err != nil {
		return nil, err
	}
	s := &served{name: e.Address, test: t, question: q, endpoint: e}
	if err := s.connect(key); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// serve starts a server on loopback, as axon serve would, and makes its clients. The
// engine is as large as the test needs, so that nothing waits for room in the cache: so
// many cells for each text.
func serve(m *engine.Model, c Config, t ServeTest, cells int) (_ *served, err error) {
	s := &served{name: "server", test: t}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.question, err = questionNamed(t.Synapse); err != nil {
		return nil, err
	}
	if err := s.startEngine(m, c, cells); err != nil {
		return nil, err
	}
	if err := s.startServer(); err != nil {
		return nil, err
	}
	return s, s.connect(nil)
}

func (s *served) startEngine(m *engine.Model, c Config, cells int) (err error) {
	t := s.test
	texts := t.Clients * t.Texts
	s.engine, err = engine.New(m, engine.Options{
		Context: texts*cells + t.Mixed*(2*t.MixedLength+1), Sequences: texts + t.Mixed, Batch: c.UBatch,
		Threads: c.Threads, FlashAttention: c.Flash, CacheTypeK: c.TypeK, CacheTypeV: c.TypeV, NoKVOffload: c.NoKVOffload,
	})
	if err == nil {
		s.onClose(s.engine.Close)
	}
	return err
}

// startServer serves the engine. Nonces are kept in a file, as a server must keep them.
func (s *served) startServer() error {
	model, err := nucleus.New(s.engine, translate.Exact)
	if err != nil {
		return err
	}
	hotkey, err := auth.NewKey()
	if err != nil {
		return err
	}
	checker, err := s.checker(hotkey.Public())
	if err != nil {
		return err
	}
	options := s.test.serverOptions()
	options.Hotkey, options.Checker, options.Model = hotkey.Public(), checker, model
	srv, err := server.New(options)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.onClose(takeYourTime())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	s.onClose(func() error { return errors.Join(srv.Shutdown(context.Background()), <-served) })
	s.endpoint = client.Endpoint{Address: l.Addr().String(), Hotkey: hotkey.Public()}
	return nil
}

// takeYourTime lifts the time that a task may take, so that on a slow machine it is
// measured instead of cut off. The result puts it back.
func takeYourTime() (undo func() error) {
	before := map[*synapse.Task]time.Duration{}
	for _, t := range synapse.Tasks() {
		before[t], t.Timeout = t.Timeout, patience
	}
	return func() error {
		for t, timeout := range before {
			t.Timeout = timeout
		}
		return nil
	}
}

// checker lets everybody in who can prove who they are.
func (s *served) checker(hotkey auth.PublicKey) (*auth.Checker, error) {
	dir, err := os.MkdirTemp("", "axon-bench-*")
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { return os.RemoveAll(dir) })
	nonces, err := auth.OpenNonces(filepath.Join(dir, "nonces"), auth.Limits{})
	if err != nil {
		return nil, err
	}
	s.onClose(nonces.Close)
	return auth.NewChecker(auth.Options{Receiver: hotkey, Nonces: nonces})
}

// serverOptions are the defaults, with room for all that the test asks at once.
func (t ServeTest) serverOptions() server.Options {
	clients := t.Clients + t.Mixed
	const leastCost = 64 // of a text, in the server's queue
	return server.Options{
		Limits:      t.limits(),
		Tokens:      max(8192, t.Clients*t.Texts*max(t.Length, leastCost)+t.Mixed*max(t.MixedLength, leastCost)),
		Requests:    max(512, clients),
		Connections: max(1024, clients),
		PerHost:     max(128, clients),
		Queue:       max(256, clients),
		Message:     max(4<<20, 64*t.Texts*t.Length),
		Timeout:     patience,
		Logger:      slog.New(slog.DiscardHandler),
	}
}

// limits let the test through.
func (t ServeTest) limits() synapse.Limits {
	l := server.DefaultLimits()
	l.Texts, l.Length, l.TopK = max(l.Texts, t.Texts), max(l.Length, t.Length, t.MixedLength), max(l.TopK, t.TopK)
	l.Generate = max(l.Generate, t.Length+t.Generate)
	l.Answer = max(l.Answer, int64(t.Texts)*int64(t.Length)*int64(2*t.TopK+synapse.NetworkDimension))
	return l
}
