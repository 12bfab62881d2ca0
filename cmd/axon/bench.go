package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"axon/bench"
	llama "axon/cgo"
	"axon/engine"
	"axon/internal/buildinfo"
	"axon/internal/progress"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:        "bench",
		Usage:       "measure speed, and what is claimed of the network",
		Subcommands: []*cli.Command{benchEngineCommand(), benchKernelsCommand(), benchPackCommand(), benchServeCommand(), benchValidateCommand(), benchClaimsCommand(), benchAttacksCommand()},
	}
}

func benchEngineCommand() *cli.Command {
	return &cli.Command{
		Name:      "engine",
		Usage:     "measure the engine, alone or beside llama-bench",
		ArgsUsage: " ",
		Description: "Prints tokens per second, mean ± standard deviation: pp512 is the evaluation of a prompt of\n" +
			"512 tokens, tg128 the generation of 128, pp512+tg128 one after the other, \"@ d256\" after 256\n" +
			"tokens that are in the cache already, x8 eight generations at once, their speeds added.\n" +
			"With --peer, llama-bench runs the same tests in alternation, and llama-batched-bench those with\n" +
			"several generations; the ratio is ours over theirs, the median of the rounds.",
		Flags:  join(benchTestFlags(), benchModelFlags(), benchPeerFlags()),
		Action: benchEngine,
	}
}

func benchTestFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntSliceFlag{Name: "n-prompt", Aliases: []string{"p"}, Usage: "`TOKENS` of prompts, as in 128,512; 0: none", Value: cli.NewIntSlice(512)},
		&cli.IntSliceFlag{Name: "n-gen", Aliases: []string{"n"}, Usage: "`TOKENS` to generate; 0: none", Value: cli.NewIntSlice(128)},
		&cli.StringSliceFlag{Name: "pg", Usage: "`P,N`: a prompt and a generation after it; repeatable", KeepSpace: true},
		&cli.IntSliceFlag{Name: "n-depth", Aliases: []string{"d"}, Usage: "`TOKENS` in the cache beforehand: 0, or 16 and more", Value: cli.NewIntSlice(0)},
		&cli.IntSliceFlag{Name: "parallel", Aliases: []string{"np"}, Usage: "generations at once, as in 1,8", Value: cli.NewIntSlice(1)},
		&cli.IntFlag{Name: "repetitions", Aliases: []string{"r"}, Usage: "runs of each test", Value: 5},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: md, csv, json or jsonl", Value: "md"},
	}
}

func benchModelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: modelUsage + "; repeatable", EnvVars: []string{"AXON_MODEL"}, TakesFile: true},
		&cli.IntFlag{Name: "n-gpu-layers", Aliases: []string{"ngl", "gpu-layers"}, Usage: "layers to put on GPUs; -1: all", Value: -1, EnvVars: []string{"AXON_N_GPU_LAYERS"}},
		&cli.BoolFlag{Name: "no-mmap", Usage: "read the file instead of mapping it"},
		&cli.IntFlag{Name: "ubatch-size", Aliases: []string{"ub"}, Usage: "`TOKENS` in one physical batch", Value: 512},
		&cli.IntFlag{Name: "batch-size", Aliases: []string{"b"}, Usage: "`TOKENS` in one logical batch of the peers; the engine decodes one physical batch after the other", Value: 2048},
		&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "threads; 0: one for each physical core", EnvVars: []string{"AXON_THREADS"}},
		&cli.StringFlag{Name: "flash-attn", Aliases: []string{"fa"}, Usage: "flash attention: auto, on or off", Value: "auto"},
		&cli.StringFlag{Name: "cache-type-k", Aliases: []string{"ctk"}, Usage: "type of the keys in the KV cache", Value: "f16"},
		&cli.StringFlag{Name: "cache-type-v", Aliases: []string{"ctv"}, Usage: "type of the values in the KV cache", Value: "f16"},
		&cli.BoolFlag{Name: "no-kv-offload", Aliases: []string{"nkvo"}, Usage: "keep the KV cache in RAM"},
	}
}

func benchPeerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "peer", Usage: "`PATH` of llama-bench to compare with; auto: the one in peers/ beside axon", TakesFile: true},
		&cli.StringFlag{Name: "peer-batched", Usage: "`PATH` of llama-batched-bench; by default the one beside llama-bench", TakesFile: true},
		&cli.BoolFlag{Name: "no-kv-unified", Aliases: []string{"no-kvu"}, Usage: "give each sequence KV cells of its own, as llama-batched-bench does by default"},
		&cli.BoolFlag{Name: "peer-kvu", Usage: "let llama-batched-bench use one KV cache for all sequences, as the engine does, instead of one for each"},
	}
}

// benchRun is one call of axon bench engine.
type benchRun struct {
	config  bench.Config
	tests   []bench.Test
	rounds  int
	peers   bench.Peers
	printer bench.Printer[bench.Row]
}

func benchEngine(c *cli.Context) error {
	defer quietRuntime()() // as in generate
	r, err := newBenchRun(c)
	if err != nil {
		return err
	}
	list := c.StringSlice("model")
	if len(list) == 0 {
		list = []string{""}
	}
	for _, path := range list {
		if err := r.model(c, path); err != nil {
			_ = r.printer.Close()
			return err
		}
	}
	return r.printer.Close()
}

func newBenchRun(c *cli.Context) (*benchRun, error) {
	r := &benchRun{rounds: c.Int("repetitions"), config: benchConfig(c)}
	if c.Args().Present() {
		return nil, usageError("bench engine takes no argument %q; models are named with -m", c.Args().First())
	}
	if r.rounds < 1 {
		return nil, usageError("--repetitions %d: must be at least 1", r.rounds)
	}
	if cfg := r.config; cfg.UBatch < 1 || cfg.Batch < cfg.UBatch {
		return nil, usageError("--ubatch-size %d, --batch-size %d: must be at least 1, and the second at least the first", cfg.UBatch, cfg.Batch)
	}
	var err error
	if r.tests, err = benchTests(c); err != nil {
		return nil, cli.Exit(err, exitUsage)
	}
	o := engine.Options{Batch: r.config.UBatch, Threads: r.config.Threads, FlashAttention: r.config.Flash, CacheTypeK: r.config.TypeK, CacheTypeV: r.config.TypeV}
	if err := o.Validate(); err != nil {
		return nil, cli.Exit(err, exitUsage)
	}
	if r.peers, err = benchPeers(c); err != nil {
		return nil, err
	}
	r.printer, err = bench.NewPrinter(c.App.Writer, c.String("output"), bench.EngineTable(r.peers != bench.Peers{}))
	if err != nil {
		return nil, cli.Exit(err, exitUsage)
	}
	return r, nil
}

func benchConfig(c *cli.Context) bench.Config {
	cfg := bench.Config{
		Threads: c.Int("threads"), Batch: c.Int("batch-size"), UBatch: c.Int("ubatch-size"), Flash: c.String("flash-attn"),
		TypeK: c.String("cache-type-k"), TypeV: c.String("cache-type-v"),
		GPULayers: c.Int("n-gpu-layers"), NoKVOffload: c.Bool("no-kv-offload"), NoMmap: c.Bool("no-mmap"), SplitCache: c.Bool("no-kv-unified"),
	}
	if cfg.Threads == 0 {
		cfg.Threads = engine.PhysicalCores() // said aloud: the peer would count differently
	}
	return cfg
}

func benchTests(c *cli.Context) ([]bench.Test, error) {
	g := bench.Grid{
		Prompts: c.IntSlice("n-prompt"), Gens: c.IntSlice("n-gen"),
		Depths: c.IntSlice("n-depth"), Parallels: c.IntSlice("parallel"),
	}
	pairs := c.StringSlice("pg") // a comma separates values, and the parts of each
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("--pg %s: must be pairs, as in 512,128", strings.Join(pairs, ","))
	}
	for pair := range slices.Chunk(pairs, 2) {
		p, err1 := strconv.Atoi(pair[0])
		n, err2 := strconv.Atoi(pair[1])
		if err1 != nil || err2 != nil || p < 1 || n < 1 {
			return nil, fmt.Errorf("--pg %s: must be two numbers above 0, as in 512,128", strings.Join(pair, ","))
		}
		g.Pairs = append(g.Pairs, [2]int{p, n})
	}
	tests := g.Tests()
	if len(tests) == 0 {
		return nil, fmt.Errorf("nothing to measure; give -p, -n or -pg")
	}
	for _, t := range tests {
		if err := t.Validate(); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

func benchPeers(c *cli.Context) (bench.Peers, error) {
	dir := "."
	if exe, err := os.Executable(); err == nil {
		dir = filepath.Dir(exe)
	}
	p, err := bench.FindPeers(c.String("peer"), c.String("peer-batched"), dir)
	p.UnifiedKV = c.Bool("peer-kvu") && p.Batched != ""
	return p, err
}

// model measures all tests on one model; an empty path is the built-in one.
func (r *benchRun) model(c *cli.Context, path string) error {
	m, file, closeModel, err := openBenchModel(c, path, r.config, r.peers != bench.Peers{})
	if err != nil {
		return err
	}
	defer closeModel()
	for _, t := range r.tests {
		if err := r.test(c, m, file, t); err != nil {
			return err
		}
	}
	return nil
}

// openBenchModel opens a model to measure; an empty name is the built-in one. Of models
// that are built in peers need a file, since they read nothing else.
func openBenchModel(c *cli.Context, name string, config bench.Config, peers bool) (m *engine.Model, file string, done func(), err error) {
	o := engine.ModelOptions{GPULayers: config.GPULayers, CPUOnly: config.GPULayers == 0, NoMmap: config.NoMmap}
	nameModel(&o, name)
	remove := func() {}
	if file = o.Path; o.Data != nil && peers {
		if file, err = builtInFile(o); err != nil {
			return nil, "", nil, err
		}
		remove = func() { _ = os.Remove(file) }
	}
	if m, err = engine.OpenModel(c.Context, o); err != nil {
		remove()
		return nil, "", nil, err
	}
	return m, file, func() {
		_ = m.Close()
		remove()
	}, nil
}

func builtInFile(o engine.ModelOptions) (string, error) {
	f, err := os.CreateTemp("", o.Name+"-*.gguf")
	if err != nil {
		return "", err
	}
	_, err = f.Write(o.Data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return f.Name(), err
}

func (r *benchRun) test(c *cli.Context, m *engine.Model, path string, t bench.Test) error {
	ours, err := bench.NewOurs(m, r.config, t)
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	peer, total := r.peers.Runner(path, r.config, t), r.rounds
	if peer != nil {
		total *= 2
	}
	bar := progress.Start(os.Stderr, m.Name()+" "+t.Name(), float64(total))
	defer bar.Stop()
	begun := time.Now()
	samples, err := bench.Run(c.Context, r.rounds, ours, peer, func() { bar.Add(1) })
	bar.Stop()
	if err != nil {
		return err
	}
	row := bench.NewRow(m, r.config, t, peer, samples, begun)
	row.Build, row.LlamaCpp, row.Backends = buildinfo.String(), llama.Version(), backendNames()
	return r.printer.Row(row)
}

// backendNames are the backends of all devices, as llama-bench lists them.
func backendNames() string {
	var names []string
	for _, d := range llama.Devices() {
		if !slices.Contains(names, d.Backend) {
			names = append(names, d.Backend)
		}
	}
	return strings.Join(names, ",")
}
