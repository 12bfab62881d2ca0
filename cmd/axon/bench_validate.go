package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"axon/bench"
	"axon/internal/buildinfo"
	"axon/internal/progress"
	"axon/internal/simnet"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
)

func benchValidateCommand() *cli.Command {
	return &cli.Command{
		Name:      "validate",
		Usage:     "measure a validator: how many servers it can drive",
		ArgsUsage: " ",
		Description: "Lets a validator do rounds with servers that are simulated: each reply comes after a time that was\n" +
			"recorded of real ones, and is decoded, checked and measured as one off the network. Prints what a\n" +
			"round takes, the median and the longest, and what of it goes into waiting for replies, measuring\n" +
			"them, comparing servers, and committing to the database; the processor's time of all cores, that\n" +
			"of asking in brackets, and a server's part of it; memory at its peak and after the round. The making of texts\n" +
			"and answers is not counted. With --synergy each size is measured once more with pairs compared.\n" +
			"docs/benchmarks.md says what is simulated.",
		Flags:  join(benchValidateFlags(), simulationFlags()),
		Action: benchValidate,
	}
}

func benchValidateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntSliceFlag{Name: "servers", Usage: "`NUMBERS` of servers, as in 250,500,1000", Value: cli.NewIntSlice(250, 500, 1000)},
		&cli.StringSliceFlag{Name: "task", Usage: "what to ask for: next, causallm", Value: cli.NewStringSlice("next", "causallm")},
		&cli.BoolFlag{Name: "packed", Usage: "ask for causallm in axon's packed form"},
		&cli.StringFlag{Name: "rule", Usage: "how answers are scored: proper or reference", Value: "proper"},
		&cli.BoolFlag{Name: "synergy", Usage: "also measure with every two servers compared, which takes time by the square of their number"},
		&cli.IntFlag{Name: "top-k", Aliases: []string{"k"}, Usage: "phrases, or entries of each position, to ask for; 0: as the network does, 4096 and 512"},
		&cli.IntFlag{Name: "texts", Usage: "texts in a round", Value: 8},
		&cli.IntFlag{Name: "context", Usage: "`TOKENS` of each text that servers see", Value: 64},
		&cli.IntFlag{Name: "rounds", Aliases: []string{"repetitions", "r"}, Usage: "rounds of each measurement, after one that does not count", Value: 3},
		&cli.StringFlag{Name: "folder", Usage: "`FOLDER` for the database, whose disk is measured; without it that of temporary files", TakesFile: true},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: md, csv, json or jsonl", Value: "md"},
	}
}

func simulationFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Name: "slowness", Usage: "factor of the recorded latencies, whose median is 0.11 s; 0: replies come at once", Value: 2},
		&cli.Float64Flag{Name: "silent", Usage: "share of questions that are never answered", Value: 0.01},
		&cli.DurationFlag{Name: "timeout", Usage: "how long a reply is waited for", Value: 4 * time.Second},
		&cli.IntFlag{Name: "concurrency", Usage: "questions on their way at once", Value: 64},
		&cli.IntFlag{Name: "minds", Usage: "servers that answer differently; the others answer as one of them", Value: 64},
		&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "of texts, answers and latencies", Value: 1},
	}
}

func benchValidate(c *cli.Context) error {
	tests, err := validateTests(c)
	if err != nil {
		return err
	}
	times := c.Int("rounds")
	if times < 1 {
		return usageError("--rounds %d: must be at least 1", times)
	}
	printer, err := bench.NewPrinter(c.App.Writer, c.String("output"), bench.ValidateTable())
	if err != nil {
		return usageError("--%w", err)
	}
	for _, t := range tests {
		row, err := runValidateTest(c, t, times)
		if err == nil {
			err = printer.Row(row)
		}
		if err != nil {
			_ = printer.Close()
			return err
		}
	}
	return printer.Close()
}

func runValidateTest(c *cli.Context, t bench.ValidateTest, times int) (bench.ValidateRow, error) {
	bar := progress.Start(os.Stderr, fmt.Sprintf("%d servers, %v", t.Network.Servers, t.Rounds.Task), float64(1+times))
	defer bar.Stop()
	row, err := bench.RunValidate(c.Context, t, times, func() { bar.Add(1) })
	row.Build = buildinfo.String()
	return row, err
}

// validateTests are all tasks with all numbers of servers, and with synergy where it is
// asked for.
func validateTests(c *cli.Context) ([]bench.ValidateTest, error) {
	if c.Args().Present() {
		return nil, usageError("bench validate takes no argument %q; servers are simulated", c.Args().First())
	}
	synergies := []bool{false}
	if c.Bool("synergy") {
		synergies = append(synergies, true)
	}
	var tests []bench.ValidateTest
	for _, task := range c.StringSlice("task") {
		for _, servers := range c.IntSlice("servers") {
			for _, synergy := range synergies {
				t, err := validateTest(c, task, servers, synergy)
				if err != nil {
					return nil, err
				}
				tests = append(tests, t)
			}
		}
	}
	if len(tests) == 0 {
		return nil, usageError("--task and --servers: must name one at least")
	}
	return tests, nil
}

func validateTest(c *cli.Context, name string, servers int, synergy bool) (t bench.ValidateTest, err error) {
	task, known := bench.ValidateTasks[name]
	if !known {
		return t, usageError("--task %q: must be next or causallm", name)
	}
	rule := c.String("rule")
	if !slices.Contains([]string{"proper", "reference"}, rule) {
		return t, usageError("--rule %q: must be proper or reference", rule)
	}
	o := rounds.Options{
		Task: task, TopK: c.Int("top-k"), Texts: c.Int("texts"), Context: c.Int("context"), Seed: c.Uint64("seed"),
		Packed: c.Bool("packed") && task == validator.CausalLM,
		Rules:  validator.Rules{Proper: rule == "proper", Synergy: synergy},
	}
	t = bench.ValidateTest{
		Rounds: o.WithDefaults(), Slowness: c.Float64("slowness"), Folder: c.String("folder"),
		Network: simnet.Options{
			Servers: servers, Seed: c.Uint64("seed"), Minds: c.Int("minds"), Silent: c.Float64("silent"),
			Timeout: c.Duration("timeout"), Concurrency: c.Int("concurrency"),
		},
	}
	if err := t.Validate(); err != nil {
		return t, cli.Exit(err, exitUsage)
	}
	return t, nil
}
