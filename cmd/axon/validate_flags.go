package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/internal/corpus"
	"axon/internal/enginevocab"
	"axon/internal/settings"
	"axon/internal/standard"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
)

const (
	ruleProper = "proper"

	categoryTexts   = "Texts:"
	categoryRounds  = "Rounds:"
	categoryScores  = "Scores:"
	categoryWeights = "Weights:"
	categoryState   = "State:"
	categoryResults = "Results:"
)

// validateSettings are the flags of axon validate that its configuration file may set.
func validateSettings() []cli.Flag {
	flags := join(textFlags(), roundFlags(), scoreFlags(), weightFlags(), queryServerFlags(), hotkeyFlags(),
		[]cli.Flag{stateFlag()}, validateResultFlags())
	settings.AddVariables("AXON_VALIDATE_", flags)
	return flags
}

func textFlags() []cli.Flag {
	return inCategory(categoryTexts,
		&cli.StringSliceFlag{Name: "text", Usage: "`PATH` of a text, a folder of texts, or JSON lines (.jsonl), repeatable; -: standard input", TakesFile: true},
		&cli.BoolFlag{Name: "repeat", Usage: "go on when all texts were asked about once, with other windows of them; servers that remember what they were asked know them then"},
		&cli.StringFlag{Name: "text-field", Usage: "`NAME` of the field that holds the text of a JSON line; with it standard input is JSON lines, too", DefaultText: "text"},
		&cli.Float64Flag{Name: "text-rate", Usage: "share of standard input that is used, above 0; 0: all of it"},
	)
}

func roundFlags() []cli.Flag {
	return inCategory(categoryRounds,
		&cli.StringFlag{Name: "task", Usage: "what is asked: causallm, distributions over the network's tokens, or next, phrases of the server's own; without it causallm by the proper rule, and next by the reference's"},
		&cli.IntFlag{Name: "top-k", Usage: "entries of each position, or phrases, to ask for; 0: as the network does, 512 and 4096"},
		&cli.IntFlag{Name: "texts", Usage: "texts in a round", Value: 8},
		&cli.IntFlag{Name: "context", Usage: "`TOKENS` of each text that servers see", Value: 64},
		&cli.IntFlag{Name: "held-out", Usage: "`TOKENS` behind them that are held out", Value: 8},
		&cli.IntFlag{Name: "prune", Usage: "`TOKENS` that are left out of each context at random places"},
		&cli.IntFlag{Name: "ask", Usage: "servers that are asked in a round, drawn at random; 0: all"},
		&cli.BoolFlag{Name: "packed", Usage: "ask for causallm in axon's packed form, a seventh of the bytes; servers that do not know it are asked again without"},
		&cli.IntFlag{Name: "rounds", Aliases: []string{"n"}, Usage: "stop after so many rounds in all, those of earlier runs included; 0: at Ctrl-C, or when the texts are used up"},
		&cli.DurationFlag{Name: "interval", Usage: "least time between the beginnings of two rounds; 0: one after the other"},
		&cli.Int64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "of all that is drawn at random, above 0; 0: one that nobody can guess, which the state remembers. Who knows seed and texts knows what will be asked"},
	)
}

func scoreFlags() []cli.Flag {
	return inCategory(categoryScores,
		&cli.StringFlag{Name: "rule", Usage: "proper: by the loss of the first held-out token, which nobody can better by anything but the truth; reference: by release 3.7.0's formulas", Value: ruleProper},
		&cli.Float64Flag{Name: "alpha", Usage: "weight of a round in moving averages, to 1; 0: 0.01 by the proper rule, 0.1 by the reference's"},
		&cli.Float64Flag{Name: "power", Usage: "of effective parameters in a score, to 3", Value: 0.5},
		&cli.BoolFlag{Name: "synergy", Usage: "also compare every two servers, which takes time by the square of their number; by the reference's rule it enters scores"},
		&cli.Float64Flag{Name: "synergy-power", Usage: "of effective parameters in synergy, to 3", Value: 0.6},
		&cli.Float64Flag{Name: "penalty", Usage: "by which an excess of divergence divides scores of the reference's rule; 0: none"},
	)
}

func weightFlags() []cli.Flag {
	return inCategory(categoryWeights,
		&cli.IntFlag{Name: "least-weights", Usage: "servers that keep a weight whatever is left out"},
		&cli.Float64Flag{Name: "max-weight", Usage: "largest weight, to 1", Value: 1},
		&cli.Float64Flag{Name: "exclude-quantile", Usage: "share of servers, from below, that gets none"},
	)
}

func stateFlag() cli.Flag {
	return inCategory(categoryState, &cli.StringFlag{
		Name: "state", Usage: "`FILE` of what was learnt, which a later run goes on with; without it one for these settings, in the user's folder of states", TakesFile: true,
	})[0]
}

func validateResultFlags() []cli.Flag {
	return inCategory(categoryResults,
		&cli.StringFlag{Name: "format", Usage: "table, which on a terminal is drawn anew each round, or json: a line for each round", Value: "table"},
		&cli.StringFlag{Name: "report", Usage: "write a report with pictures to `FILE` (HTML) in the end, and every 100 rounds", TakesFile: true},
		&cli.StringFlag{Name: "weights", Usage: "write the weights to `FILE` (JSON) after each round", TakesFile: true},
		&cli.StringSliceFlag{Name: "size", Usage: "`UID=PARAMETERS` of a server, repeatable, as in 3=3.4e6: three and more sizes have a scaling law fitted to them"},
		&cli.StringFlag{Name: "metrics-listen", Usage: "`ADDRESS` of /metrics over HTTP; empty: none"},
	)
}

// roundOptions reads what is asked and how it is scored.
func roundOptions(c *cli.Context) (o rounds.Options, err error) {
	if o, err = ruleOptions(c); err != nil {
		return o, err
	}
	switch task := c.String("task"); task {
	case "causallm":
		o.Task = validator.CausalLM
	case "next":
		o.Task = validator.Next
	case "":
		if o.Rules.Proper {
			o.Task = validator.CausalLM
		}
	default:
		return o, usageError("--task %q: must be causallm or next", task)
	}
	for _, name := range []string{"texts", "context", "held-out"} {
		if c.Int(name) < 1 {
			return o, usageError("--%s %d: must be at least 1", name, c.Int(name))
		}
	}
	o.TopK, o.Texts, o.Context, o.HeldOut, o.Prune = c.Int("top-k"), c.Int("texts"), c.Int("context"), c.Int("held-out"), c.Int("prune")
	o.Repeat = c.Bool("repeat")
	o.Servers, o.Packed, o.Seed = c.Int("ask"), c.Bool("packed"), uint64(max(0, c.Int64("seed")))
	o = o.WithDefaults()
	if err := o.Validate(); err != nil {
		return o, cli.Exit(err, exitUsage)
	}
	if c.Int("rounds") < 0 || c.Duration("interval") < 0 || c.Int64("seed") < 0 {
		return o, usageError("--rounds, --interval and --seed must not be negative")
	}
	return o, nil
}

// ruleOptions reads scoreFlags and weightFlags.
func ruleOptions(c *cli.Context) (o rounds.Options, err error) {
	o.Rules = validator.Rules{Alpha: c.Float64("alpha"), Power: c.Float64("power"), Synergy: c.Bool("synergy"),
		SynergyPower: c.Float64("synergy-power"), Penalty: c.Float64("penalty")}
	o.Weights = weightRules(c)
	switch rule := c.String("rule"); rule {
	case ruleProper:
		o.Rules.Proper = true
	case "reference":
	default:
		return o, usageError("--rule %q: must be proper or reference", rule)
	}
	if c.Float64("power") == 0 || c.Float64("synergy-power") == 0 {
		return o, usageError("--power and --synergy-power must be above 0: a power of 0 makes all servers equal")
	}
	if o.Rules.Proper && c.Float64("penalty") != 0 {
		return o, usageError("--penalty divides scores of the reference's rule; the proper one has none")
	}
	return o, nil
}

func weightRules(c *cli.Context) validator.WeightRules {
	return validator.WeightRules{Least: c.Int("least-weights"), Most: c.Float64("max-weight"), Quantile: c.Float64("exclude-quantile")}
}

// openTexts opens what --text names.
func openTexts(c *cli.Context, o rounds.Options) (corpus.Corpus, error) {
	paths := c.StringSlice("text")
	if len(paths) == 0 {
		return nil, usageError("there is no text to ask about: name files, folders or JSON lines with --text, or - for standard input")
	}
	vocab, err := standard.Vocab()
	if err != nil {
		return nil, err
	}
	texts := corpus.Options{Paths: paths, Stdin: os.Stdin, Field: c.String("text-field"), Rate: c.Float64("text-rate"),
		Length: o.Window(), Seed: o.Seed, Tokenizer: enginevocab.New(vocab)}
	if err := texts.Validate(); err != nil {
		return nil, cli.Exit(err, exitUsage)
	}
	return corpus.Open(c.Context, texts)
}

// sizesOf reads texts of the form 3=3.4e6.
func sizesOf(c *cli.Context) (map[int]float64, error) {
	sizes := make(map[int]float64)
	for _, text := range c.StringSlice("size") {
		uid, params, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(strings.TrimSpace(uid))
		size, err2 := strconv.ParseFloat(strings.TrimSpace(params), 64)
		if !ok || err != nil || err2 != nil || !(size > 0) || size > 1e18 {
			return nil, usageError("--size %.40q: must be UID=PARAMETERS, as in 3=3.4e6", text)
		}
		if _, twice := sizes[n]; twice {
			return nil, usageError("--size %d stands twice", n)
		}
		sizes[n] = size
	}
	return sizes, nil
}

func describeTexts(texts corpus.Corpus, paths []string) string {
	size := texts.Size()
	if size.Files == 0 {
		return "standard input, as it comes"
	}
	return fmt.Sprintf("%s, %s: %d windows at most", strings.Join(paths, ", "), sizeText(size.Bytes), size.Windows)
}
