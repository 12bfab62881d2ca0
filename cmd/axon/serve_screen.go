package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// printScreen tells what is served, where, to whom, and how to ask it. The same facts
// that an operator should notice are in the log as well.
func (s *service) printScreen(c *cli.Context) error {
	s.warn(c)
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	m, limits, o := s.engine.Model(), s.engine.Limits(), s.options.server
	line("model", "%s, vocabulary of %d, %d tokens of context over %s of at most %d, %s",
		quoteControls(m.Name()), m.Vocab().Size, limits.Context, plural(limits.Sequences, "text"), limits.Sequence, plural(limits.Threads, "thread"))
	line("translation", "%s", s.translationText())
	line("listening", "%v, %s", s.listeners.requests.Addr(), transportText(c))
	line("hotkey", "%v", s.key)
	line("", "%s%s", quoteControls(s.keyPath), madeText(s.keyMade))
	line("answers", "%s", s.admissionText())
	line("limits", "%s of %s, top-k %d, %s a request, %v", plural(o.Limits.Texts, "text"), plural(o.Limits.Length, "token"),
		o.Limits.TopK, sizeText(int64(o.Message)), o.Timeout)
	if l := s.listeners.metrics; l != nil {
		line("metrics", "http://%v/metrics, /healthy, /ready", l.Addr())
	}
	if l := s.listeners.profiler; l != nil {
		line("profiler", "http://%v/debug/pprof/", l.Addr())
	}
	line("ask it", "axon query next --endpoint %s@%v%s --text \"The function returns\"",
		dialText(s.listeners.requests.Addr()), s.key, askWith(c))
	_, err := fmt.Fprint(c.App.Writer, b.String())
	return err
}

// warn logs what an operator may not have meant.
func (s *service) warn(c *cli.Context) {
	log := s.options.logger
	for _, name := range unknownVariables(c.App, os.Environ()) {
		log.Warn("no setting has this variable", "variable", name)
	}
	switch {
	case s.network == nil && len(s.options.rules.Allow) == 0:
		log.Warn("whoever signs with any hotkey is answered; --metagraph restricts it to those who are registered")
	case s.network != nil:
		if _, ok := s.network.Find(s.key.Public()); !ok {
			log.Warn("this server's own hotkey is not in the metagraph file", "hotkey", s.key.String())
		}
	}
}

// otherVariables are no flags' and are read all the same.
var otherVariables = []string{"AXON_VOCAB_DIR", "AXON_CACHE"}

// unknownVariables are those of the environment that look like settings and are none: a
// variable that is misspelt says nothing, and be it the one that keeps strangers out.
func unknownVariables(app *cli.App, environment []string) []string {
	known := slices.Clone(otherVariables)
	note := func(flags []cli.Flag) {
		for _, f := range flags {
			if f, ok := f.(cli.DocGenerationFlag); ok {
				known = append(known, f.GetEnvVars()...)
			}
		}
	}
	note(app.Flags)
	commands := slices.Clone(app.Commands)
	for len(commands) > 0 {
		c := commands[0]
		note(c.Flags)
		commands = append(commands[1:], c.Subcommands...)
	}
	var unknown []string
	for _, setting := range environment {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AXON_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

func (s *service) translationText() string {
	if s.nucleus.Identical() {
		return "none: the model has the network's tokens"
	}
	return string(s.options.translation) + ", to the network's tokens"
}

// admissionText says who is answered.
func (s *service) admissionText() string {
	r := s.options.rules
	var parts []string
	switch {
	case s.network != nil:
		parts = append(parts, fmt.Sprintf("%s of the metagraph", plural(len(s.network.Neurons()), "hotkey")))
	case len(r.Allow) > 0:
	default:
		parts = append(parts, "whoever signs with any hotkey")
	}
	if r.MinStake > 0 {
		parts = append(parts, fmt.Sprintf("with a stake of %v or more", r.MinStake))
	}
	if n := len(r.Allow); n > 0 {
		parts = append(parts, fmt.Sprintf("%s allowed by name", plural(n, "hotkey")))
	}
	if n := len(r.Deny); n > 0 {
		parts = append(parts, fmt.Sprintf("%s denied", plural(n, "hotkey")))
	}
	if r.MinInterval > 0 {
		parts = append(parts, fmt.Sprintf("once every %v", r.MinInterval.Round(time.Microsecond)))
	}
	return strings.Join(parts, ", ")
}

// askWith is what a client needs to know of the transport.
func askWith(c *cli.Context) string {
	if c.String("tls-cert") != "" {
		return " --tls"
	}
	return ""
}

func transportText(c *cli.Context) string {
	if c.String("tls-cert") != "" {
		return "with TLS"
	}
	return "without TLS, as the network has it"
}

func madeText(made bool) string {
	if made {
		return ", made just now"
	}
	return ""
}

// dialText is an address of this machine at which a listener can be asked.
func dialText(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
