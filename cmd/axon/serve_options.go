package main

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/translate"
	"axon/synapse/wire"
)

// serveOptions are the settings of axon serve, as far as they can be checked before
// anything is opened.
type serveOptions struct {
	server       server.Options // without what has to be opened first
	rules        auth.Rules
	translation  translate.Method
	logger       *slog.Logger
	drainTimeout time.Duration
}

func newServeOptions(c *cli.Context) (o serveOptions, err error) {
	if err := checkNumbers(c); err != nil {
		return o, err
	}
	if o.logger, err = newLogger(c); err != nil {
		return o, err
	}
	if o.rules, err = rulesOf(c); err != nil {
		return o, err
	}
	o.translation = translate.Method(c.String("translation"))
	if o.translation != translate.Exact && o.translation != translate.Reference {
		return o, usageError("--translation %q: must be %s or %s", o.translation, translate.Exact, translate.Reference)
	}
	if (c.String("tls-cert") == "") != (c.String("tls-key") == "") {
		return o, usageError("--tls-cert and --tls-key belong together; one of them is missing")
	}
	o.server = serverOptions(c)
	o.server.Logger = o.logger
	o.drainTimeout = c.Duration("drain-timeout")
	return o, nil
}

// checkNumbers refuses what no limit and no time can be.
func checkNumbers(c *cli.Context) error {
	for _, f := range limitFlags() {
		name := f.Names()[0]
		if n := c.Int64(name); n < 1 { // of whichever size the flag is
			return usageError("--%s %d: must be 1 or more", name, n)
		}
	}
	for _, f := range append(timeFlags(), &cli.DurationFlag{Name: "min-interval"}) {
		name := f.Names()[0]
		switch d := c.Duration(name); {
		case d < 0:
			return usageError("--%s %v: must not be negative", name, d)
		case d == 0 && !slices.Contains(mayBeZero, name):
			return usageError("--%s 0: must be a time, as in 12s", name)
		}
	}
	return nil
}

// mayBeZero are the times of which there may be none.
var mayBeZero = []string{"drain-delay", "drain-timeout", "min-interval"}

func newLogger(c *cli.Context) (*slog.Logger, error) {
	var level slog.Level
	switch name := c.String("log-level"); name {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(name)) // one of its own names
	default:
		return nil, usageError("--log-level %q: must be debug, info, warn or error", name)
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := c.String("log-format"); format {
	case "text":
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.App.ErrWriter, options)), nil
	default:
		return nil, usageError("--log-format %q: must be text or json", format)
	}
}

// serverOptions reads limits and times.
func serverOptions(c *cli.Context) server.Options {
	return server.Options{
		Limits: synapse.Limits{
			Texts: c.Int("max-texts"), Length: c.Int("max-length"), TopK: c.Int("max-top-k"), Answer: c.Int64("max-answer"),
			Generate: c.Int("max-generate"), Beams: c.Int("max-beams"), MaxTime: c.Duration("generate-timeout"),
		},
		Message: c.Int("max-message"), Requests: c.Int("max-requests"), Queue: c.Int("queue"), Tokens: c.Int("tokens-at-work"), Answers: c.Int64("answer-memory"),
		Connections: c.Int("max-connections"), PerHost: c.Int("max-connections-per-host"), Streams: c.Int("max-streams"),
		Timeout: c.Duration("timeout"), Receive: c.Duration("receive-timeout"), Send: c.Duration("send-timeout"),
		Idle: c.Duration("idle-timeout"), Drain: c.Duration("drain-delay"),
	}
}

// serveEngineOptions makes room for as many texts at once as the server lets into the
// model. None is longer than what the model was trained for, unless flags stretch that.
func serveEngineOptions(c *cli.Context, m engine.ModelInfo) engine.Options {
	o := engineOptions(c)
	stretched := o.RopeScaling != "" || o.RopeFreqBase != 0 || o.RopeFreqScale != 0
	if !stretched {
		o.Sequence = m.ContextTrain
	}
	if o.Context == 0 && m.ContextTrain > 0 {
		o.Context = min(c.Int("tokens-at-work"), m.ContextTrain*max(1, o.Sequences))
	}
	return o
}

// rulesOf reads admissionFlags, but for the metagraph itself.
func rulesOf(c *cli.Context) (r auth.Rules, err error) {
	r = auth.Rules{
		MinStake: c.Float64("min-stake"), MinInterval: c.Duration("min-interval"), AllowUnregistered: c.Bool("allow-unregistered"),
	}
	if r.Allow, err = hotkeysOf(c, "allow-hotkey"); err != nil {
		return r, err
	}
	if r.Deny, err = hotkeysOf(c, "deny-hotkey"); err != nil {
		return r, err
	}
	if r.MinStakeFor, err = stakesOf(c.StringSlice("min-stake-for")); err != nil {
		return r, err
	}
	check := r
	if c.String("metagraph") != "" {
		check.Registry = nobody{} // there will be one
	}
	if err := check.Validate(); err != nil {
		return r, cli.Exit(err, exitUsage)
	}
	return r, nil
}

// nobody is a registry that stands for the one to come.
type nobody struct{}

func (nobody) Stake(auth.PublicKey) (float64, bool) { return 0, false }

func hotkeysOf(c *cli.Context, flag string) ([]auth.PublicKey, error) {
	var keys []auth.PublicKey
	for _, text := range c.StringSlice(flag) {
		key, err := auth.ParsePublicKey(strings.TrimSpace(text))
		if err != nil {
			return nil, usageError("--%s %.70q: %w", flag, text, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// stakesOf reads texts of the form TextSeq2Seq=100.
func stakesOf(texts []string) (map[wire.SynapseType]float64, error) {
	stakes := make(map[wire.SynapseType]float64)
	for _, text := range texts {
		name, amount, _ := strings.Cut(text, "=")
		task, ok := synapse.TaskNamed(strings.TrimSpace(name))
		stake, err := strconv.ParseFloat(strings.TrimSpace(amount), 64)
		if !ok || err != nil {
			return nil, usageError("--min-stake-for %.70q: must be SYNAPSE=STAKE, where SYNAPSE is one of %s", text, strings.Join(taskNames(), ", "))
		}
		if _, twice := stakes[task.Type]; twice {
			return nil, usageError("--min-stake-for %s stands twice", task.Name)
		}
		stakes[task.Type] = stake
	}
	return stakes, nil
}

func taskNames() []string {
	var names []string
	for _, t := range synapse.Tasks() {
		names = append(names, t.Name)
	}
	return names
}
