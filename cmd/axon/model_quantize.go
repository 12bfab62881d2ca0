package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	llama "axon/cgo"
	"axon/engine"
	"axon/internal/gguf"
	"axon/internal/progress"
)

// quantizeTypes are those that llama.QuantizeFile makes.
var quantizeTypes = strings.Fields(`f32 f16 bf16 q8_0 q6_k q5_k_m q5_k_s q5_1 q5_0
	q4_k_m q4_k_s q4_1 q4_0 iq4_nl iq4_xs q3_k_l q3_k_m q3_k_s iq3_m iq3_s q2_k q2_k_s tq2_0 tq1_0`)

func modelQuantizeCommand() *cli.Command {
	return &cli.Command{
		Name:        "quantize",
		Usage:       "write a model with smaller weights",
		ArgsUsage:   "IN OUT",
		Description: "With llama.cpp's own quantisation: the result is that of llama-quantize.\n\n   axon model quantize model-f16.gguf model-q4.gguf --type q4_k_m",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "type", Aliases: []string{"q"}, Usage: "quantisation, as in q4_0, q8_0, q4_k_m", Value: "q4_k_m"},
			&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "threads; 0: one for each physical core", EnvVars: []string{"AXON_THREADS"}},
			&cli.BoolFlag{Name: "allow-requantize", Usage: "take weights that are quantised already; quality suffers"},
			&cli.BoolFlag{Name: "pure", Usage: "give every matrix the one type, without llama.cpp's mixtures"},
			&cli.BoolFlag{Name: "force", Usage: "overwrite OUT"},
		},
		Action: modelQuantize,
	}
}

func modelQuantize(c *cli.Context) error {
	if c.NArg() != 2 {
		return usageError("axon model quantize needs two files, IN and OUT")
	}
	if n := c.Int("threads"); n < 0 || n > llama.MaxThreads {
		return usageError("--threads %d: must be 0 (all cores) to %d", n, llama.MaxThreads)
	}
	in, out := c.Args().Get(0), c.Args().Get(1)
	t, err := fileType(c.String("type"), quantizeTypes)
	if err != nil {
		return err
	}
	f, err := gguf.Open(in)
	if err != nil {
		return err
	}
	if err := gguf.Check(f).Err(in); err != nil {
		return err
	}
	if err := checkOutput(out, c.Bool("force")); err != nil {
		return err
	}
	if sameFile(in, out) {
		return fmt.Errorf("%s is IN and OUT at once; name another OUT", in)
	}
	return quantizeTo(c, in, out, f, t)
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// quantizeTo writes into a folder beside out and moves the file to its place at
// the end, so that out never holds half a model. A folder, because llama.cpp
// may come to open the file only after an interrupt has removed it.
func quantizeTo(c *cli.Context, in, out string, f *gguf.File, t gguf.FileType) error {
	expected := quantizedBytes(f, t)
	if err := checkDisk(out, expected); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+".*.part")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p := llama.QuantizeParams{Type: t.String(), Threads: c.Int("threads"), Requant: c.Bool("allow-requantize"), Pure: c.Bool("pure")}
	if p.Threads == 0 {
		p.Threads = engine.PhysicalCores()
	}
	tmp := filepath.Join(dir, filepath.Base(out))
	if err := quantizeFile(c.Context, in, tmp, p, expected); err != nil {
		return fmt.Errorf("quantise %s to %v: %w", in, t, err)
	}
	if err := os.Rename(tmp, out); err != nil {
		return err
	}
	return printQuantized(c, out, f)
}

// quantizeFile returns when ctx ends although llama.cpp does not: nothing
// stops its quantisation but the end of the process, which follows.
func quantizeFile(ctx context.Context, in, tmp string, p llama.QuantizeParams, expected int64) error {
	done := make(chan error, 1)
	go func() { done <- llama.QuantizeFile(in, tmp, p) }()
	bar := progress.Start(os.Stderr, "quantising "+filepath.Base(in), float64(expected))
	defer bar.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return withRequantizeHint(err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			// llama.cpp reports nothing that could be counted; the file grows.
			if info, err := os.Stat(tmp); err == nil {
				bar.Set(float64(info.Size()))
			}
		}
	}
}

func withRequantizeHint(err error) error {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "requantizing"):
		return fmt.Errorf("%w; start from a model in f16 or bf16, or add --allow-requantize", err)
	case strings.Contains(err.Error(), "importance matrix"):
		return fmt.Errorf("%w; choose a type of three bits or more, as q3_k_m", err)
	}
	return err
}

// quantizedBytes is about what the quantised file will take.
func quantizedBytes(f *gguf.File, t gguf.FileType) int64 {
	total := f.DataOffset
	parts, _ := gguf.Parts(f)
	for _, part := range append([]*gguf.File{f}, parts...) {
		for _, tensor := range part.Tensors {
			kind := gguf.F32
			if len(tensor.Dims) > 1 {
				kind = t.Base()
			}
			total += kind.RowSize(tensor.Elements())
		}
	}
	return total
}

func printQuantized(c *cli.Context, out string, from *gguf.File) error {
	f, err := gguf.Open(out)
	if err != nil {
		return err
	}
	s := gguf.Summarize(f)
	_, err = fmt.Fprintf(c.App.Writer, "%s: %s, %.2f bits per weight, %s from %s\n",
		out, s.FileType, s.BitsPerWeight, sizeText(f.Size), sizeText(from.Size))
	return err
}
