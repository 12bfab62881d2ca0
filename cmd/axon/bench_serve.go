package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/bench"
	llama "axon/cgo"
	"axon/engine"
	"axon/internal/buildinfo"
	"axon/internal/progress"
	"axon/synapse/auth"
	"axon/synapse/client"
)

func benchServeCommand() *cli.Command {
	return &cli.Command{
		Name:      "serve",
		Usage:     "measure a server: what reaches its callers of the engine's speed",
		ArgsUsage: " ",
		Description: "Starts a server on loopback, asks it over real connections with so many clients at once for one\n" +
			"synapse after the other, and prints requests and tokens per second, quantiles of the time that a\n" +
			"request takes, also in units of a full physical batch, and bytes of the answer per position.\n" +
			"In alternation the engine is asked by itself for the same, by as many at once: the share is what\n" +
			"reaches the caller of its speed, the median of the rounds. --endpoint asks a server that runs\n" +
			"elsewhere. --mixed lets further clients ask for short TextCausalLMNext meanwhile. --peer asks\n" +
			"llama-server for as many probabilities per position (n_probs); the ratio is ours over its.\n" +
			"docs/benchmarks.md says what is timed.",
		Flags:  join(benchServeFlags(), benchModelFlags(), benchServePeerFlags(), benchEndpointFlags()),
		Action: benchServe,
	}
}

func benchServeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "synapse", Usage: "what to ask for: " + strings.Join(bench.ServeSynapses(), ", "), Value: cli.NewStringSlice(bench.ServeSynapses()...)},
		&cli.StringSliceFlag{Name: "serializer", Usage: "encodings of the answers: msgpack, cmppack, packed; each for the synapses that have it", Value: cli.NewStringSlice("msgpack")},
		&cli.IntFlag{Name: "top-k", Aliases: []string{"k"}, Usage: "`TOKENS` to tell of each position", Value: 512},
		&cli.IntFlag{Name: "clients", Usage: "`NUMBER` of clients, each with a connection of its own", Value: 8},
		&cli.IntFlag{Name: "texts", Usage: "`NUMBER` of texts in a request", Value: 1},
		&cli.IntFlag{Name: "length", Aliases: []string{"l"}, Usage: "`TOKENS` of a text", Value: 128},
		&cli.IntFlag{Name: "n-gen", Aliases: []string{"n"}, Usage: "`TOKENS` to generate, for seq2seq", Value: 32},
		&cli.IntFlag{Name: "mixed", Usage: "`NUMBER` of clients that ask for short TextCausalLMNext meanwhile"},
		&cli.IntFlag{Name: "mixed-length", Usage: "`TOKENS` of their texts", Value: 16},
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` with a text whose windows to ask about; without it random tokens", TakesFile: true},
		&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "of the texts", Value: 1},
		&cli.IntFlag{Name: "requests", Usage: "`NUMBER` of requests of each client in a round", Value: 4},
		&cli.IntFlag{Name: "repetitions", Aliases: []string{"r"}, Usage: "rounds of each measurement", Value: 5},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: md, csv, json or jsonl", Value: "md"},
	}
}

func benchServePeerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "peer", Usage: "`PATH` of llama-server to compare with; auto: the one in peers/ beside axon", TakesFile: true},
		&cli.StringFlag{Name: "peer-texts", Usage: "own: it is asked for texts of its own making, its best case; given: for each beginning of a given text", Value: "own"},
	}
}

func benchEndpointFlags() []cli.Flag {
	return join([]cli.Flag{
		&cli.StringFlag{Name: "endpoint", Usage: "`HOST:PORT` of a server to ask instead"},
		&cli.StringFlag{Name: "server-hotkey", Usage: "`ADDRESS` of its hotkey, which requests are signed for; without it your own, as of a server that has the same"},
	}, hotkeyFlags())
}

// serveBench is one call of axon bench serve.
type serveBench struct {
	tests   []bench.ServeTest
	target  bench.ServeTarget
	rounds  int
	printer bench.Printer[bench.ServeRow]
}

func benchServe(c *cli.Context) error {
	r, err := newServeBench(c)
	if err != nil {
		return err
	}
	if err := r.all(c); err != nil {
		_ = r.printer.Close()
		return err
	}
	return r.printer.Close()
}

func newServeBench(c *cli.Context) (*serveBench, error) {
	r := &serveBench{rounds: c.Int("repetitions")}
	if c.Args().Present() {
		return nil, usageError("bench serve takes no argument %q; models are named with -m", c.Args().First())
	}
	if r.rounds < 1 {
		return nil, usageError("--repetitions %d: must be at least 1", r.rounds)
	}
	var err error
	if r.tests, err = serveTests(c); err != nil {
		return nil, cli.Exit(err, exitUsage)
	}
	r.target = bench.ServeTarget{Config: benchConfig(c), Seed: c.Uint64("seed")}
	if err := r.setTarget(c); err != nil {
		return nil, err
	}
	if r.target.Peer, err = servePeer(c); err != nil {
		return nil, err
	}
	if r.printer, err = bench.NewPrinter(c.App.Writer, c.String("output"), bench.ServeTable(r.target.Peer != nil)); err != nil {
		return nil, usageError("--%w", err)
	}
	if file := c.String("file"); file != "" {
		r.target.Text, err = readTextFile(file)
	}
	return r, err
}

// serveTests are the tests that the flags ask for. Of several encodings a synapse is
// asked for those that it has.
func serveTests(c *cli.Context) ([]bench.ServeTest, error) {
	t := bench.ServeTest{
		TopK: c.Int("top-k"), Texts: c.Int("texts"), Length: c.Int("length"), Generate: c.Int("n-gen"),
		Clients: c.Int("clients"), Requests: c.Int("requests"),
		Mixed: c.Int("mixed"), MixedLength: c.Int("mixed-length"),
	}
	var tests []bench.ServeTest
	for _, t.Synapse = range c.StringSlice("synapse") {
		var refused error
		found := false
		for _, t.Serializer = range c.StringSlice("serializer") {
			if err := t.Validate(); err != nil {
				refused = cmp.Or(refused, err)
				continue
			}
			found = true
			tests = append(tests, t)
		}
		if !found {
			return nil, refused
		}
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("--synapse and --serializer: must name one at least")
	}
	return tests, nil
}

// setTarget reads what is said of a server that runs elsewhere, or of the engine.
func (r *serveBench) setTarget(c *cli.Context) error {
	address := c.String("endpoint")
	if address == "" {
		o := engine.Options{Batch: r.target.Config.UBatch, Threads: r.target.Config.Threads, FlashAttention: r.target.Config.Flash, CacheTypeK: r.target.Config.TypeK, CacheTypeV: r.target.Config.TypeV}
		if err := o.Validate(); err != nil {
			return cli.Exit(err, exitUsage)
		}
		return nil
	}
	if len(c.StringSlice("model")) > 0 || c.String("peer") != "" {
		return usageError("--endpoint asks a server that has a model; --model and --peer are for a server of our own")
	}
	key, _, err := readHotkey(c)
	if err != nil {
		return err
	}
	r.target.Key = key
	r.target.Endpoint = &client.Endpoint{Address: address, Hotkey: key.Public()}
	if other := c.String("server-hotkey"); other != "" {
		if r.target.Endpoint.Hotkey, err = auth.ParseHotkey(other); err != nil {
			return usageError("--server-hotkey: %w", err)
		}
	}
	if err := r.target.Endpoint.Validate(); err != nil {
		return usageError("--endpoint: %w", err)
	}
	return nil
}

func servePeer(c *cli.Context) (*bench.ServePeer, error) {
	texts := c.String("peer-texts")
	if texts != "own" && texts != "given" {
		return nil, usageError("--peer-texts %q: must be own or given", texts)
	}
	if c.String("peer") == "" {
		return nil, nil
	}
	dir := "."
	if exe, err := os.Executable(); err == nil {
		dir = filepath.Dir(exe)
	}
	path, err := bench.FindPeer(c.String("peer"), "llama-server", dir)
	return &bench.ServePeer{Path: path, Given: texts == "given"}, err
}

// all measures every test on every model, or on the endpoint.
func (r *serveBench) all(c *cli.Context) error {
	if r.target.Endpoint != nil {
		return r.measure(c, r.target.Endpoint.Address)
	}
	list := c.StringSlice("model")
	if len(list) == 0 {
		list = []string{""}
	}
	for _, path := range list {
		if err := r.model(c, path); err != nil {
			return err
		}
	}
	return nil
}

// model measures all tests on one model; an empty path is the built-in one.
func (r *serveBench) model(c *cli.Context, path string) error {
	m, file, closeModel, err := openBenchModel(c, path, r.target.Config, r.target.Peer != nil)
	if err != nil {
		return err
	}
	defer closeModel()
	r.target.Model = m
	if r.target.Peer != nil {
		r.target.Peer.Model = file
	}
	return r.measure(c, m.Name())
}

func (r *serveBench) measure(c *cli.Context, name string) error {
	for _, t := range r.tests {
		if err := r.test(c, name, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *serveBench) test(c *cli.Context, name string, t bench.ServeTest) error {
	bar := progress.Start(os.Stderr, name+" "+t.Synapse, float64(r.target.Turns(t, r.rounds)))
	defer bar.Stop()
	rows, err := bench.RunServe(c.Context, r.target, t, r.rounds, func() { bar.Add(1) })
	bar.Stop()
	if err != nil {
		return err
	}
	for _, row := range rows {
		row.Build, row.LlamaCpp, row.Backends = buildinfo.String(), llama.Version(), backendNames()
		if err := r.printer.Row(row); err != nil {
			return err
		}
	}
	return nil
}
