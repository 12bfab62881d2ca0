package main

import (
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"axon/bench"
	"axon/internal/buildinfo"
	"axon/internal/progress"
	"axon/models"
)

func benchClaimsCommand() *cli.Command {
	defaults := bench.DefaultClaims()
	return &cli.Command{
		Name:      "claims",
		Usage:     "measure what Bittensor's Synapse update claimed: logits, compression, scores, scaling laws",
		ArgsUsage: " ",
		Description: "Starts a server for each model on loopback, asks them over real connections about the text that\n" +
			"the built-in family has not read, and prints figures and verdicts, each with the interval that it\n" +
			"rests on: a. a server's loss from its logits, and from its hidden states by a decoder that is\n" +
			"trained here; b. bytes and bias of the ways to send logits; c. scores of all servers together and\n" +
			"of each alone, among copies of one; d. the scaling law, and how many texts tell models apart.\n" +
			"It takes some minutes; --quick takes seconds, and its intervals are wide. Times are those of a\n" +
			"single run. docs/claims.md says how each claim is measured.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "claim", Usage: "which ones: a, b, c, d; without it all, or a and b where there are fewer than three models"},
			&cli.StringSliceFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`, or the name of a built-in model: " + strings.Join(models.Names(), ", ") + "; repeatable; without it all of these", TakesFile: true},
			&cli.IntFlag{Name: "texts", Usage: "`NUMBER` of texts that servers are compared by", Value: defaults.Texts},
			&cli.IntFlag{Name: "train", Usage: "`NUMBER` of texts that the decoders of claim a learn from", Value: defaults.Train},
			&cli.IntFlag{Name: "length", Aliases: []string{"l"}, Usage: "`TOKENS` of a text", Value: defaults.Length},
			&cli.IntFlag{Name: "threads", Aliases: []string{"t"}, Usage: "threads of each model", Value: defaults.Threads},
			&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "of all that is drawn at random", Value: defaults.Seed},
			&cli.BoolFlag{Name: "quick", Usage: "few and short texts, where nothing else is said"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: md or json", Value: "md"},
		},
		Action: benchClaims,
	}
}

func benchClaims(c *cli.Context) error {
	config, err := claimsConfig(c)
	if err != nil {
		return err
	}
	begun := time.Now()
	bar := &claimsBar{}
	defer bar.stop()
	r, err := bench.RunClaims(c.Context, config, bar.tell)
	bar.stop()
	if err != nil {
		return err
	}
	r.Seconds, r.Build = time.Since(begun).Seconds(), buildinfo.String()
	if c.String("output") == "json" {
		return writeIndented(c, r)
	}
	return r.Markdown(c.App.Writer)
}

func claimsConfig(c *cli.Context) (bench.ClaimsConfig, error) {
	config := bench.DefaultClaims()
	if c.Bool("quick") {
		config = bench.QuickClaims()
	}
	if c.Args().Present() {
		return config, usageError("bench claims takes no argument %q; claims are named with --claim", c.Args().First())
	}
	if o := c.String("output"); o != "md" && o != "json" {
		return config, usageError("--output %q: must be md or json", o)
	}
	for name, to := range map[string]*int{"texts": &config.Texts, "train": &config.Train, "length": &config.Length, "threads": &config.Threads} {
		if c.IsSet(name) {
			*to = c.Int(name)
		}
	}
	config.Seed = c.Uint64("seed")
	if list := c.StringSlice("model"); len(list) > 0 {
		config.Models = nil
		for _, name := range list {
			if _, member := models.Open(name); member && exists(name) {
				name = "." + string(os.PathSeparator) + name // the file is meant, as elsewhere
			}
			config.Models = append(config.Models, name)
		}
	}
	if list := c.StringSlice("claim"); len(list) > 0 {
		config.Claims = nil
		for _, one := range list {
			config.Claims = append(config.Claims, bench.Claim(one))
		}
	} else if len(config.Models) < bench.ModelsForAll {
		config.Claims = []bench.Claim{bench.ClaimDecoding, bench.ClaimCompression}
	}
	if err := config.Validate(); err != nil {
		return config, cli.Exit(err, exitUsage)
	}
	return config, nil
}

// claimsBar is a bar for each of the things that are done one after the other.
type claimsBar struct {
	label string
	bar   *progress.Bar
}

func (b *claimsBar) tell(what string, done float64) {
	if what != b.label {
		b.stop()
		b.label, b.bar = what, progress.Start(os.Stderr, what, 1)
	}
	b.bar.Set(done)
}

func (b *claimsBar) stop() { b.bar.Stop() }
