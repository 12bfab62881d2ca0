package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	llama "axon/cgo"
	"axon/internal/gguf"
	"axon/internal/gguf/synth"
	"axon/internal/progress"
)

func modelSynthCommand() *cli.Command {
	return &cli.Command{
		Name:  "synth",
		Usage: "write a model of a given shape with random weights",
		Description: "For measuring speed: it is as large and as fast as a trained model of its shape;\n" +
			"what it says is noise. The same shape, vocabulary and seed give the same bytes on\n" +
			"every machine. Flags for the shape override those of the preset.\n\n" +
			"   axon model synth --preset tinyllama-1.1b --type q4_0 -o tinyllama.gguf\n" +
			"   axon model synth --arch llama --vocab gpt-2 --embd 256 --layers 4 --heads 4 -o small.gguf",
		Flags:  join(synthFlags(), shapeFlags()),
		Action: modelSynth,
	}
}

func synthFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "preset", Aliases: []string{"p"}, Usage: "`SHAPE`: " + strings.Join(synth.PresetNames(), ", ")},
		&cli.StringFlag{Name: "type", Aliases: []string{"q"}, Usage: "quantisation, as in f16, q8_0, q4_0, q4_k_m", Value: "q4_0"},
		&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "chooses the weights"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`", TakesFile: true},
		&cli.BoolFlag{Name: "force", Usage: "overwrite FILE"},
	}
}

func shapeFlags() []cli.Flag {
	return inCategory("Shape:",
		&cli.StringFlag{Name: "arch", Usage: "llama, qwen2 or gpt2"},
		&cli.StringFlag{Name: "vocab", Usage: "vocabulary: a GGUF file, the `NAME` of one of llama.cpp's (gpt-2, llama-spm, …), or bytes: the 256 bytes", TakesFile: true},
		&cli.IntFlag{Name: "embd", Usage: "width of the embedding"},
		&cli.IntFlag{Name: "layers", Usage: "number of layers"},
		&cli.IntFlag{Name: "heads", Usage: "attention heads"},
		&cli.IntFlag{Name: "kv-heads", Usage: "heads for keys and values; 0: as many as heads"},
		&cli.IntFlag{Name: "ff", Usage: "width of the feed-forward part; 0: four times the embedding"},
		&cli.IntFlag{Name: "ctx", Usage: "`TOKENS` that the model is made for", Value: 2048},
		&cli.Float64Flag{Name: "rope-base", Usage: "base of the rotary frequencies; 0: 10000"},
		&cli.BoolFlag{Name: "tied", Usage: "the embedding serves as output matrix too"},
	)
}

func modelSynth(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("axon model synth takes flags only; %q is none", c.Args().First())
	}
	out := c.String("output")
	if out == "" {
		return usageError("--output says where to write; it is missing")
	}
	spec, err := synthSpec(c)
	if err != nil {
		return err
	}
	if err := checkOutput(out, c.Bool("force")); err != nil {
		return err
	}
	return writeSynth(c, out, spec)
}

// synthSpec puts the shape together from the preset and the flags.
func synthSpec(c *cli.Context) (synth.Spec, error) {
	preset := synth.Preset{Spec: synth.Spec{Context: c.Int("ctx")}}
	if name := c.String("preset"); name != "" {
		var err error
		if preset, err = synth.FindPreset(name); err != nil {
			return preset.Spec, cli.Exit(err, exitUsage)
		}
	}
	spec := preset.Spec
	if overrideShape(c, &spec) {
		spec.Name = "" // it is no longer the preset's
	}
	spec.Seed = c.Uint64("seed")
	var err error
	if spec.Type, err = fileType(c.String("type"), synth.FileTypeNames()); err != nil {
		return spec, err
	}
	name := preset.Vocab
	if c.IsSet("vocab") || name == "" {
		name = c.String("vocab")
	}
	if name == "" {
		return spec, usageError("a shape is missing: give --preset, or --arch, --vocab, --embd, --layers and --heads")
	}
	if spec.Vocab, err = openVocabulary(name, spec.Arch); err != nil {
		return spec, err
	}
	if err := spec.Validate(); err != nil {
		return spec, cli.Exit(err, exitUsage)
	}
	return spec, nil
}

// overrideShape takes over the flags that were given, and tells whether any was.
func overrideShape(c *cli.Context, s *synth.Spec) bool {
	set := false
	for name, field := range map[string]*int{
		"embd": &s.Embedding, "layers": &s.Layers, "heads": &s.Heads,
		"kv-heads": &s.KVHeads, "ff": &s.FeedForward, "ctx": &s.Context,
	} {
		if c.IsSet(name) {
			*field, set = c.Int(name), true
		}
	}
	if c.IsSet("arch") {
		s.Arch, set = c.String("arch"), true
	}
	if c.IsSet("rope-base") {
		s.RopeBase, set = c.Float64("rope-base"), true
	}
	if c.IsSet("tied") {
		s.Tied, set = c.Bool("tied"), true
	}
	return set
}

func writeSynth(c *cli.Context, out string, spec synth.Spec) error {
	m, err := synth.Model(c.Context, spec, quantizeRows)
	if err != nil {
		return err
	}
	if err := checkDisk(out, weightBytes(m)); err != nil {
		return err
	}
	bar := progress.Start(os.Stderr, "writing "+filepath.Base(out), 1)
	err = gguf.Write(c.Context, out, m, func(done, total int64) { bar.Set(float64(done) / float64(total)) })
	bar.Stop()
	if err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s parameters, %v, %s\n", out, countText(spec.Parameters()), spec.Type, sizeText(info.Size()))
	return err
}

// quantizeRows lets ggml make the types that Go does not; gguf numbers the
// types as ggml does.
func quantizeRows(t gguf.Type, src []float32, perRow int, dst []byte) error {
	return llama.QuantizeRows(llama.TensorType(t), src, perRow, dst)
}

func weightBytes(m *gguf.Model) int64 {
	total := int64(0)
	for _, t := range m.Tensors {
		n := int64(1)
		for _, d := range t.Dims {
			n *= d
		}
		total += t.Type.RowSize(n)
	}
	return total
}
