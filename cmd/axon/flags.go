package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/progress"
	"axon/models"
)

// Flags are named as llama.cpp names them, so that whoever knows its tools
// knows these.

const (
	categoryModel    = "Model:"
	categoryContext  = "Context:"
	categorySampling = "Sampling:"
)

// modelFlag says which model to load.
func modelFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: modelUsage, EnvVars: []string{"AXON_MODEL"}, TakesFile: true}
}

// modelUsage is what --model takes.
var modelUsage = "GGUF `FILE`, or the name of a built-in model: " + strings.Join(models.Names(), ", ") + "; without it " + models.BuiltInName

// nameModel sets which model to load: the file of that name, or the member of the
// built-in family when there is no such file. Without a name it is the built-in model.
func nameModel(o *engine.ModelOptions, name string) {
	member := cmp.Or(name, models.BuiltInName)
	if data, ok := models.Open(member); ok && !exists(name) {
		o.Data, o.Name = data, member
		return
	}
	o.Path = name
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// modelFlags say which model to load and where to put it.
func modelFlags() []cli.Flag {
	return inCategory(categoryModel,
		modelFlag(),
		&cli.StringSliceFlag{Name: "device", Aliases: []string{"dev"}, Usage: "`NAME` of a device to use, repeatable; axon devices lists them; none: only the CPU"},
		&cli.IntFlag{Name: "n-gpu-layers", Aliases: []string{"ngl", "gpu-layers"}, Usage: "layers to put on GPUs; -1: all", Value: -1, EnvVars: []string{"AXON_N_GPU_LAYERS"}},
		&cli.StringFlag{Name: "split-mode", Aliases: []string{"sm"}, Usage: "how several GPUs share the model: none, layer or row", Value: "layer"},
		&cli.IntFlag{Name: "main-gpu", Aliases: []string{"mg"}, Usage: "`INDEX` of the GPU used with --split-mode none"},
		&cli.StringFlag{Name: "tensor-split", Aliases: []string{"ts"}, Usage: "share of each GPU, as in 3,1"},
		&cli.BoolFlag{Name: "no-mmap", Usage: "read the file instead of mapping it"},
		&cli.BoolFlag{Name: "mlock", Usage: "keep the weights in RAM"},
		&cli.BoolFlag{Name: "check-tensors", Usage: "verify the values of all weights while loading"},
		&cli.StringSliceFlag{Name: "lora", Usage: "LoRA adapter `FILE`, repeatable; FILE:SCALE sets its strength", TakesFile: true},
	)
}

// contextFlags shape the engine.
func contextFlags() []cli.Flag {
	return inCategory(categoryContext,
		&cli.IntFlag{Name: "ctx-size", Aliases: []string{"c"}, Usage: "`TOKENS` of context over all sequences; 0: what the model was trained for, at most 4096, and in axon serve what --tokens-at-work takes", EnvVars: []string{"AXON_CTX_SIZE"}},
		&cli.IntFlag{Name: "ubatch-size", Aliases: []string{"ub"}, Usage: "`TOKENS` in one physical batch", Value: 512},
		&cli.IntFlag{Name: "batch-size", Aliases: []string{"b"}, Usage: "llama.cpp's logical batch; axon submits physical ones, so this only bounds --ubatch-size", Value: 2048},
		&cli.IntFlag{Name: "parallel", Aliases: []string{"np"}, Usage: "sequences at once", Value: 16},
		&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "threads for next tokens; 0: one for each physical core", EnvVars: []string{"AXON_THREADS"}},
		&cli.IntFlag{Name: "threads-batch", Aliases: []string{"tb"}, Usage: "threads for prompts; 0: as --threads"},
		&cli.StringFlag{Name: "flash-attn", Aliases: []string{"fa"}, Usage: "flash attention: auto, on or off", Value: "auto"},
		&cli.StringFlag{Name: "cache-type-k", Aliases: []string{"ctk"}, Usage: "type of the keys in the KV cache: f16, q8_0, …", Value: "f16"},
		&cli.StringFlag{Name: "cache-type-v", Aliases: []string{"ctv"}, Usage: "type of the values in the KV cache", Value: "f16"},
		&cli.BoolFlag{Name: "no-kv-unified", Aliases: []string{"no-kvu"}, Usage: "give each of --parallel sequences its own share of the context: faster for many, no forks"},
		&cli.BoolFlag{Name: "no-kv-offload", Aliases: []string{"nkvo"}, Usage: "keep the KV cache in RAM"},
		&cli.BoolFlag{Name: "swa-full", Usage: "full-size cache for sliding-window attention"},
		&cli.StringFlag{Name: "rope-scaling", Usage: "none, linear or yarn; empty: the model's"},
		&cli.Float64Flag{Name: "rope-freq-base", Usage: "RoPE base frequency; 0: the model's"},
		&cli.Float64Flag{Name: "rope-freq-scale", Usage: "RoPE frequency scale; 0: the model's"},
		&cli.IntFlag{Name: "yarn-orig-ctx", Usage: "YaRN: context the model was trained for; 0: the model's"},
		&cli.Float64Flag{Name: "yarn-ext-factor", Usage: "YaRN: extrapolation mix; -1: the model's, 0: interpolation only", Value: -1},
		&cli.Float64Flag{Name: "yarn-attn-factor", Usage: "YaRN: attention magnitude; 0: default"},
		&cli.Float64Flag{Name: "yarn-beta-fast", Usage: "YaRN: low correction dimension; 0: default"},
		&cli.Float64Flag{Name: "yarn-beta-slow", Usage: "YaRN: high correction dimension; 0: default"},
	)
}

// inCategory puts flags under a heading of the help text.
func inCategory(name string, flags ...cli.Flag) []cli.Flag {
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			f.Category = name
		case *cli.StringSliceFlag:
			f.Category = name
		case *cli.IntFlag:
			f.Category = name
		case *cli.Float64Flag:
			f.Category = name
		case *cli.BoolFlag:
			f.Category = name
		case *cli.Int64Flag:
			f.Category = name
		case *cli.DurationFlag:
			f.Category = name
		default:
			panic(fmt.Sprintf("flag of type %T", f))
		}
	}
	return flags
}

// join puts lists of flags together.
func join(lists ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// modelOptions reads modelFlags.
func modelOptions(c *cli.Context) (engine.ModelOptions, error) {
	o := engine.ModelOptions{
		GPULayers: c.Int("n-gpu-layers"), CPUOnly: c.Int("n-gpu-layers") == 0,
		SplitMode: c.String("split-mode"), MainGPU: c.Int("main-gpu"),
		NoMmap: c.Bool("no-mmap"), Mlock: c.Bool("mlock"), CheckValues: c.Bool("check-tensors"),
	}
	nameModel(&o, c.String("model"))
	switch devices := c.StringSlice("device"); {
	case len(devices) == 1 && devices[0] == "none":
		o.CPUOnly = true
	case len(devices) > 0:
		o.Devices = devices
	}
	for _, part := range strings.FieldsFunc(c.String("tensor-split"), func(r rune) bool { return r == ',' }) {
		f, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil || f < 0 {
			return o, usageError("--tensor-split %q: must be numbers separated by commas, as in 3,1", c.String("tensor-split"))
		}
		o.TensorSplit = append(o.TensorSplit, float32(f))
	}
	for _, l := range c.StringSlice("lora") {
		o.Adapters = append(o.Adapters, parseAdapter(l))
	}
	return o, nil
}

// parseAdapter reads FILE or FILE:SCALE; a file whose name has a colon is
// taken as it is when it exists.
func parseAdapter(s string) engine.Adapter {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		if scale, err := strconv.ParseFloat(s[i+1:], 32); err == nil && !math.IsNaN(scale) && !math.IsInf(scale, 0) {
			if _, err := os.Stat(s); err != nil {
				return engine.Adapter{Path: s[:i], Scale: float32(scale)}
			}
		}
	}
	return engine.Adapter{Path: s, Scale: 1}
}

// engineOptions reads contextFlags.
func engineOptions(c *cli.Context) engine.Options {
	return engine.Options{
		Context: c.Int("ctx-size"), Batch: min(c.Int("ubatch-size"), c.Int("batch-size")), Sequences: c.Int("parallel"),
		Threads: c.Int("threads"), ThreadsBatch: c.Int("threads-batch"),
		FlashAttention: c.String("flash-attn"), CacheTypeK: c.String("cache-type-k"), CacheTypeV: c.String("cache-type-v"),
		SplitCache: c.Bool("no-kv-unified"), NoKVOffload: c.Bool("no-kv-offload"), SWAFull: c.Bool("swa-full"),
		RopeScaling: c.String("rope-scaling"), RopeFreqBase: float32(c.Float64("rope-freq-base")), RopeFreqScale: float32(c.Float64("rope-freq-scale")),
		YarnOrigContext: c.Int("yarn-orig-ctx"), YarnExtFactor: optional(c, "yarn-ext-factor"), YarnAttnFactor: float32(c.Float64("yarn-attn-factor")),
		YarnBetaFast: float32(c.Float64("yarn-beta-fast")), YarnBetaSlow: float32(c.Float64("yarn-beta-slow")),
	}
}

// optional is a flag's value, or nil when it is negative.
func optional(c *cli.Context, flag string) *float32 {
	v := float32(c.Float64(flag))
	if v < 0 {
		return nil
	}
	return &v
}

// openModel loads the model that the flags name, with a bar on a terminal.
func openModel(c *cli.Context) (*engine.Model, error) {
	o, err := modelOptions(c)
	if err != nil {
		return nil, err
	}
	bar := progress.Start(os.Stderr, "loading "+nameOf(o), 1)
	defer bar.Stop()
	o.Progress = func(f float32) { bar.Set(float64(f)) }
	return engine.OpenModel(c.Context, o)
}

func nameOf(o engine.ModelOptions) string {
	if o.Path != "" {
		return o.Path
	}
	return o.Name
}

// withEngine loads the model, makes an engine of the flags and runs f on it.
func withEngine(c *cli.Context, adjust func(*engine.Options), f func(context.Context, *engine.Engine) error) error {
	o := engineOptions(c)
	if adjust != nil {
		adjust(&o)
	}
	if err := o.Validate(); err != nil {
		return cli.Exit(err, exitUsage)
	}
	m, err := openModel(c)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	e, err := engine.New(m, o)
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }()
	return f(c.Context, e)
}
