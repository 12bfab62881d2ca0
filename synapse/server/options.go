package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"

	"axon/synapse"
	"axon/synapse/auth"
)

// Options say what a server is and what it takes upon itself. Of the numbers, zero
// stands for the default.
type Options struct {
	Hotkey  auth.PublicKey // the server's own, which its answers carry
	Checker *auth.Checker  // who is let in; it must be for the same hotkey
	Model   Model          // what answers
	Policy  Policy         // nil: all are equal, and may ask everything
	Limits  synapse.Limits // of each synapse; zero fields: the defaults below

	// What is here at once.
	Tokens   int   // in the model, each text counting as at least 64, and with all that is generated; default 8192
	Queue    int   // requests that wait for the model; default 256; those with the least stake give way
	Requests int   // from header to answer; default 512; more get RESOURCE_EXHAUSTED
	Answers  int64 // bytes of answers from their beginning until they are sent, those of one request included; default 2 GiB
	Checks   int   // signatures of connections that have proven nobody yet; default 2

	Message int // bytes of a request; default 4 MiB

	// Connections.
	Connections int // in all; default 1024
	PerHost     int // of one address; default 128
	Streams     int // calls at once on a connection; default 64

	// Times.
	Handshake time.Duration // until HTTP/2, and TLS where there is any, are settled; default 10 s
	Receive   time.Duration // until a request has arrived; default 10 s
	Timeout   time.Duration // until it is answered, where its synapses do not ask for less; default 12 s
	Send      time.Duration // until the answer has left; default 30 s
	Idle      time.Duration // until a connection without calls is closed; default 5 min
	Ping      time.Duration // the least between two keep-alive pings of a client; default 30 s
	Drain     time.Duration // between being no longer ready and taking no more calls; zero: none

	Credentials credentials.TransportCredentials // nil: no TLS, as the network has it

	Logger     *slog.Logger           // nil: slog.Default()
	Identifier string                 // label of the metrics that tells servers with one hotkey apart; default: random
	Hotkeys    int                    // callers with metrics of their own, the first to call; others count as "other"; default 256
	Collectors []prometheus.Collector // metrics of the caller's own, such as the model's
}

const (
	defaultMessage = 4 << 20 // as the reference
	blockTime      = 12 * time.Second
)

// DefaultLimits are those of a synapse where nothing else is asked for: 64 texts of
// 1024 tokens, 4096 entries a position, 128 MiB of numbers.
func DefaultLimits() synapse.Limits {
	return synapse.Limits{
		Texts:    64,
		Length:   1024,
		TopK:     4096,
		Answer:   32 << 20,
		Generate: 1024,
		Beams:    8, // each takes two of a model's sequences
		MaxTime:  blockTime,
	}
}

// Validate lists what is wrong with the options.
func (o Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...))
	}
	if o.Hotkey == (auth.PublicKey{}) {
		fault("no hotkey of the server's own")
	}
	if o.Checker == nil {
		fault("no checker of callers")
	}
	if o.Model == nil {
		fault("no model")
	}
	for _, n := range o.numbers() {
		if n.value < 0 {
			fault("%s of %d, where at least 1 is needed, or 0 for the default", n.name, n.value)
		}
	}
	for _, d := range o.times() {
		if d.value < 0 {
			fault("%s of %v, where a time is needed, or 0 for the default", d.name, d.value)
		}
	}
	return errors.Join(faults...)
}

type named[T any] struct {
	name  string
	value T
}

func (o Options) numbers() []named[int64] {
	l := o.Limits
	return []named[int64]{
		{"Tokens", int64(o.Tokens)}, {"Queue", int64(o.Queue)}, {"Requests", int64(o.Requests)}, {"Checks", int64(o.Checks)},
		{"Message", int64(o.Message)}, {"Answers", o.Answers},
		{"Connections", int64(o.Connections)}, {"PerHost", int64(o.PerHost)}, {"Streams", int64(o.Streams)},
		{"Hotkeys", int64(o.Hotkeys)},
		{"Limits.Texts", int64(l.Texts)}, {"Limits.Length", int64(l.Length)}, {"Limits.TopK", int64(l.TopK)},
		{"Limits.Answer", l.Answer}, {"Limits.Generate", int64(l.Generate)}, {"Limits.Beams", int64(l.Beams)},
	}
}

func (o Options) times() []named[time.Duration] {
	return []named[time.Duration]{
		{"Handshake", o.Handshake}, {"Receive", o.Receive}, {"Timeout", o.Timeout}, {"Send", o.Send},
		{"Idle", o.Idle}, {"Ping", o.Ping}, {"Drain", o.Drain}, {"Limits.MaxTime", o.Limits.MaxTime},
	}
}

func (o Options) withDefaults() Options {
	o.Limits = limitsWithDefaults(o.Limits)
	o.Tokens = cmp.Or(o.Tokens, 8192)
	o.Queue = cmp.Or(o.Queue, 256)
	o.Requests = cmp.Or(o.Requests, 512)
	o.Checks = cmp.Or(o.Checks, 2)
	o.Message = cmp.Or(o.Message, defaultMessage)
	o.Answers = cmp.Or(o.Answers, 2<<30)
	o.Connections = cmp.Or(o.Connections, 1024)
	o.PerHost = cmp.Or(o.PerHost, 128)
	o.Streams = cmp.Or(o.Streams, 64)
	o.Handshake = cmp.Or(o.Handshake, 10*time.Second)
	o.Receive = cmp.Or(o.Receive, 10*time.Second)
	o.Timeout = cmp.Or(o.Timeout, blockTime)
	o.Send = cmp.Or(o.Send, 30*time.Second)
	o.Idle = cmp.Or(o.Idle, 5*time.Minute)
	o.Ping = cmp.Or(o.Ping, 30*time.Second)
	o.Hotkeys = cmp.Or(o.Hotkeys, 256)
	if o.Policy == nil {
		o.Policy = everybody{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Identifier == "" {
		o.Identifier = rand.Text()
	}
	return o
}

func limitsWithDefaults(l synapse.Limits) synapse.Limits {
	d := DefaultLimits()
	l.Texts = cmp.Or(l.Texts, d.Texts)
	l.Length = cmp.Or(l.Length, d.Length)
	l.TopK = cmp.Or(l.TopK, d.TopK)
	l.Answer = cmp.Or(l.Answer, d.Answer)
	l.Generate = cmp.Or(l.Generate, d.Generate)
	l.Beams = cmp.Or(l.Beams, d.Beams)
	l.MaxTime = cmp.Or(l.MaxTime, d.MaxTime)
	return l
}
