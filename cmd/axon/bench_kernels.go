package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"axon/bench"
	llama "axon/cgo"
	"axon/internal/buildinfo"
	"axon/internal/progress"
	"axon/kernels"
)

func benchKernelsCommand() *cli.Command {
	return &cli.Command{
		Name:      "kernels",
		Usage:     "measure the reduction of a row of logits to its log-sum-exp and top-k",
		ArgsUsage: " ",
		Description: "Prints the time for a row on one thread, the median of the rounds, beside a mere maximum of\n" +
			"the same row (the floor), llama.cpp's samplers (softmax over the row, then top-k; and its top-k\n" +
			"alone), and plain Go with a heap and with a sort. All take turns in each round; × is the median\n" +
			"of the rounds' ratios: ours to the maximum, every other one to ours.\n" +
			"docs/benchmarks.md says what is timed.",
		Flags: join(benchRowsFlags(4, 1, 64, 512, 4096), []cli.Flag{
			&cli.StringSliceFlag{Name: "kind", Usage: "of synthetic rows: realistic, ascending, descending, constant, two-valued, misled, misled-more, misled-low, or all", Value: cli.NewStringSlice(string(bench.Realistic))},
			&cli.StringSliceFlag{Name: "order", Usage: "of the result: index, descending", Value: cli.NewStringSlice("index", "descending")},
			&cli.StringFlag{Name: "variant", Usage: "`NAME` of the implementation, or all; by default the one in use"},
		}),
		Action: benchKernels,
	}
}

// kernelsRun is one call of axon bench kernels.
type kernelsRun struct {
	kinds    []bench.Kind
	orders   []kernels.Order
	variants []string
	printer  bench.Printer[bench.KernelRow]
}

func benchKernels(c *cli.Context) error {
	defer quietRuntime()() // one thread is measured
	r, err := newKernelsRun(c)
	if err != nil {
		return err
	}
	before := kernels.Variant()
	defer func() { _ = kernels.UseVariant(before) }()
	if err := eachRowSet(c, r.kinds, func(set rowSet) error { return r.set(c, set) }); err != nil {
		_ = r.printer.Close()
		return err
	}
	return r.printer.Close()
}

func newKernelsRun(c *cli.Context) (*kernelsRun, error) {
	if err := checkBenchRows(c, wholeRow); err != nil {
		return nil, err
	}
	r := &kernelsRun{variants: []string{kernels.Variant()}}
	var err error
	if r.kinds, err = bench.ParseKinds(c.StringSlice("kind")); err != nil {
		return nil, usageError("--%w", err)
	}
	if c.IsSet("kind") && c.String("model") != "" {
		return nil, usageError("--kind is for synthetic rows, not for those of --model")
	}
	if r.orders, err = bench.ParseOrders(c.StringSlice("order")); err != nil {
		return nil, usageError("--%w", err)
	}
	switch name := c.String("variant"); name {
	case "":
	case "all":
		r.variants = kernels.Variants()
	default:
		r.variants = []string{name}
	}
	if err := tryVariants(r.variants); err != nil {
		return nil, usageError("--variant: %w", err)
	}
	r.printer, err = bench.NewPrinter(c.App.Writer, c.String("output"), bench.KernelTable())
	if err != nil {
		return nil, usageError("--%w", err)
	}
	return r, nil
}

// wholeRow is the largest k of a reduction.
func wholeRow(vocab int) int { return vocab }

// tryVariants finds out whether this machine has them all.
func tryVariants(names []string) error {
	before := kernels.Variant()
	for _, name := range names {
		if err := kernels.UseVariant(name); err != nil {
			return err
		}
	}
	return kernels.UseVariant(before)
}

// set measures all reductions of one set of rows.
func (r *kernelsRun) set(c *cli.Context, set rowSet) error {
	ks, err := benchTopK(c, set.vocab, wholeRow(set.vocab))
	if err != nil {
		return err
	}
	for _, k := range ks {
		for _, v := range r.variants {
			if err := kernels.UseVariant(v); err != nil {
				return err
			}
			if err := r.orderly(c, set, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// orderly measures one reduction in each order.
func (r *kernelsRun) orderly(c *cli.Context, set rowSet, k int) error {
	for _, o := range r.orders {
		if err := r.test(c, bench.KernelTest{Rows: set.rows, Source: set.source, K: k, Order: o}); err != nil {
			return err
		}
	}
	return nil
}

func (r *kernelsRun) test(c *cli.Context, t bench.KernelTest) error {
	rounds := c.Int("repetitions")
	bar := progress.Start(os.Stderr, fmt.Sprintf("%s V=%d k=%d", t.Source, len(t.Rows[0]), t.K), float64(rounds))
	defer bar.Stop()
	begun := time.Now()
	row, err := bench.RunKernels(c.Context, t, rounds, func() { bar.Add(1) })
	bar.Stop()
	if err != nil {
		return err
	}
	row.Build, row.LlamaCpp, row.Time = buildinfo.String(), llama.Version(), begun.UTC().Format(time.RFC3339)
	return r.printer.Row(row)
}
