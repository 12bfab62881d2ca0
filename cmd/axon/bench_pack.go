package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"axon/bench"
	"axon/internal/buildinfo"
	"axon/internal/progress"
	"axon/kernels/pack"
)

func benchPackCommand() *cli.Command {
	return &cli.Command{
		Name:      "pack",
		Usage:     "measure the packing of sparse rows: bytes, what is lost, and speed",
		ArgsUsage: " ",
		Description: "Prints bytes for a row (mean, 90th percentile), the bound of the index set log2 C(V,k)/8, the\n" +
			"divergence of the unpacked row and the bias it puts on a cross-entropy: on the text's own tokens\n" +
			"with --model, otherwise expected under the row (E). Then times for a row on one thread, the median of the\n" +
			"rounds, and beside it the reference's float32 pairs, raw and under zstd.\n" +
			"docs/benchmarks.md says what is timed.",
		Flags: join(benchRowsFlags(128, 64, 128, 512, 4096), []cli.Flag{
			&cli.StringFlag{Name: "mode", Usage: "how values are kept: quantised, float16 or float32", Value: pack.Quantised.String()},
			&cli.Float64Flag{Name: "kl", Usage: "divergence in `NATS` that the levels aim at", Value: pack.DefaultKL},
			&cli.Float64Flag{Name: "max-step", Usage: "widest cell of a level in `NATS`", Value: pack.DefaultMaxStep},
			&cli.IntFlag{Name: "rows-per-batch", Usage: "rows in one batch, and in one message of pairs", Value: 16},
		}),
		Action: benchPack,
	}
}

func benchPack(c *cli.Context) error {
	defer quietRuntime()() // one thread is measured
	t, err := packTest(c)
	if err != nil {
		return err
	}
	printer, err := bench.NewPrinter(c.App.Writer, c.String("output"), bench.PackTable())
	if err != nil {
		return usageError("--%w", err)
	}
	err = eachRowSet(c, []bench.Kind{bench.Realistic}, func(set rowSet) error { return benchPackSet(c, t, set, printer) })
	if err != nil {
		_ = printer.Close()
		return err
	}
	return printer.Close()
}

// packTest reads what the flags say of all tests.
func packTest(c *cli.Context) (bench.PackTest, error) {
	t := bench.PackTest{KL: c.Float64("kl"), MaxStep: c.Float64("max-step"), RowsPerBatch: c.Int("rows-per-batch")}
	if err := checkBenchRows(c, notWholeRow); err != nil {
		return t, err
	}
	if t.RowsPerBatch < 1 {
		return t, usageError("--rows-per-batch %d: must be at least 1", t.RowsPerBatch)
	}
	var err error
	if t.Mode, err = parseMode(c.String("mode")); err != nil {
		return t, err
	}
	if t.Mode != pack.Quantised && (c.IsSet("kl") || c.IsSet("max-step")) {
		return t, usageError("--kl and --max-step are for the quantised mode; %v keeps what it can", t.Mode)
	}
	for _, limit := range []struct {
		flag        string
		value       float64
		least, most float64
	}{{"kl", t.KL, pack.MinKL, pack.MaxKL}, {"max-step", t.MaxStep, pack.MinStep, pack.MaxStep}} {
		if !(limit.value >= limit.least && limit.value <= limit.most) {
			return t, usageError("--%s %v: must be %v to %v", limit.flag, limit.value, limit.least, limit.most)
		}
	}
	return t, nil
}

func parseMode(name string) (pack.Mode, error) {
	for _, m := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		if name == m.String() {
			return m, nil
		}
	}
	return 0, usageError("--mode %q: must be quantised, float16 or float32", name)
}

// notWholeRow is the largest k of which something is left over.
func notWholeRow(vocab int) int { return vocab - 1 }

// benchPackSet measures one set of rows.
func benchPackSet(c *cli.Context, t bench.PackTest, set rowSet, printer bench.Printer[bench.PackRow]) error {
	ks, err := benchTopK(c, set.vocab, notWholeRow(set.vocab))
	if err != nil {
		return err
	}
	for _, k := range ks {
		t.Rows, t.Targets, t.Source, t.K = set.rows, set.targets, set.source, k
		if err := benchPackRow(c, t, printer); err != nil {
			return err
		}
	}
	return nil
}

func benchPackRow(c *cli.Context, t bench.PackTest, printer bench.Printer[bench.PackRow]) error {
	rounds := c.Int("repetitions")
	bar := progress.Start(os.Stderr, fmt.Sprintf("%s V=%d k=%d", t.Source, len(t.Rows[0]), t.K), float64(rounds))
	defer bar.Stop()
	begun := time.Now()
	row, err := bench.RunPack(c.Context, t, rounds, func() { bar.Add(1) })
	bar.Stop()
	if err != nil {
		return err
	}
	row.Build, row.Time = buildinfo.String(), begun.UTC().Format(time.RFC3339)
	return printer.Row(row)
}
