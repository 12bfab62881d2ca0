package main

import (
	"cmp"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/bench"
	"axon/internal/buildinfo"
	"axon/internal/hostile"
	"axon/internal/progress"
	"axon/models"
	"axon/synapse/validator"
)

func benchAttacksCommand() *cli.Command {
	return &cli.Command{
		Name:      "attacks",
		Usage:     "measure what attacks on a validator earn, by both rules",
		ArgsUsage: " ",
		Description: "Starts honest servers of the built-in family and hostile ones on loopback, and lets a validator ask\n" +
			"them over real connections about the same texts. For each attack and task it prints the averaged\n" +
			"loss, by how much it lost more than honest play, its score, and the ratio of the weights of both\n" +
			"with an interval, by the rule of release 3.7.0 (reference) and by axon's (proper). What it earns\n" +
			"is decided at 99.9 %: by the reference's rule from the weights, by the proper one from the losses.\n" +
			"It takes some minutes; --quick takes seconds, and tells little. docs/attacks.md has the results.",
		Flags:  benchAttacksFlags(),
		Action: benchAttacks,
	}
}

// attackTasks are the names of tasks, as for axon validate.
var attackTasks = []struct {
	name string
	task validator.Task
}{{"next", validator.Next}, {"causallm", validator.CausalLM}}

func benchAttacksFlags() []cli.Flag {
	c := bench.AttackConfig{}.WithDefaults()
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "attack", Usage: "which ones: " + strings.Join(hostile.Names(), ", ") + "; repeatable; without it all"},
		&cli.StringSliceFlag{Name: "task", Usage: "what is asked: next, causallm", Value: cli.NewStringSlice("next", "causallm")},
		&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`, or the name of a built-in model, of an honest server; repeatable; without it " + strings.Join(models.Names(), ", "), TakesFile: true},
		&cli.StringFlag{Name: "base", Usage: "the `MODEL` that attackers have", Value: c.Base, TakesFile: true},
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` with the text; without it the one that the built-in family has not read", TakesFile: true},
		&cli.IntFlag{Name: "rounds", Aliases: []string{"n"}, Usage: "rounds of each task", Value: c.Rounds},
		&cli.IntFlag{Name: "texts", Usage: "texts in a round", Value: c.Texts},
		&cli.IntFlag{Name: "context", Usage: "`TOKENS` of each text that servers see", Value: c.Context},
		&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "threads of each model", Value: c.Threads},
		&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "of all that is drawn at random", Value: 1},
		&cli.BoolFlag{Name: "quick", Usage: "few and short texts, where nothing else is said"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: md, csv, json or jsonl", Value: "md"},
	}
}

func benchAttacks(c *cli.Context) error {
	config, err := attackConfig(c)
	if err != nil {
		return err
	}
	printer, err := bench.NewPrinter(c.App.Writer, c.String("output"), bench.AttackTable())
	if err != nil {
		return cli.Exit(err, exitUsage)
	}
	bar := progress.Start(os.Stderr, "attacks", 1)
	defer bar.Stop()
	rows, err := bench.RunAttacks(c.Context, config, func(_ string, done float64) { bar.Set(done) })
	bar.Stop()
	if err != nil {
		return err
	}
	for _, row := range rows {
		row.Build = buildinfo.String()
		if err := printer.Row(row); err != nil {
			return err
		}
	}
	return printer.Close()
}

func attackConfig(c *cli.Context) (bench.AttackConfig, error) {
	config := bench.AttackConfig{}
	if c.Args().Present() {
		return config, usageError("bench attacks takes no argument %q; attacks are named with --attack", c.Args().First())
	}
	if c.Bool("quick") {
		config = bench.QuickAttacks()
	}
	for name, to := range map[string]*int{"rounds": &config.Rounds, "texts": &config.Texts, "context": &config.Context, "threads": &config.Threads} {
		if c.IsSet(name) || *to == 0 {
			*to = cmp.Or(c.Int(name), -1) // 0 would stand for the default
		}
	}
	config.Base, config.File, config.Seed = modelArgument(c.String("base")), c.String("file"), c.Uint64("seed")
	for _, name := range c.StringSlice("model") {
		config.Models = append(config.Models, modelArgument(name))
	}
	var err error
	if config.Attacks, err = hostile.Named(c.StringSlice("attack")...); err != nil {
		return config, cli.Exit(err, exitUsage)
	}
	if config.Tasks, err = parseAttackTasks(c.StringSlice("task")); err != nil {
		return config, err
	}
	if err := config.WithDefaults().Validate(); err != nil {
		return config, cli.Exit(err, exitUsage)
	}
	return config, nil
}

// modelArgument is a model as it was named: a file goes before a built-in model of its name.
func modelArgument(name string) string {
	if _, member := models.Open(name); member && exists(name) {
		return "." + string(os.PathSeparator) + name
	}
	return name
}

func parseAttackTasks(names []string) ([]validator.Task, error) {
	var list []validator.Task
	for _, name := range names {
		known := false
		for _, t := range attackTasks {
			if t.name == name {
				list, known = append(list, t.task), true
			}
		}
		if !known {
			return nil, usageError("--task %q: must be next or causallm", name)
		}
	}
	return list, nil
}
