package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/urfave/cli/v2"

	"axon/bench"
	"axon/engine"
)

// What axon bench kernels and axon bench pack measure: synthetic rows of
// logits, or those of a model over a text.

// maxRowsBytes bounds the logits that are held at once.
const maxRowsBytes = 4 << 30

func benchRowsFlags(rows int, topK ...int) []cli.Flag {
	return []cli.Flag{
		&cli.IntSliceFlag{Name: "vocab", Usage: "lengths of synthetic rows, as in 32000,50257", Value: cli.NewIntSlice(32000, 50257, 128256, 151936, 256000)},
		&cli.IntSliceFlag{Name: "top-k", Aliases: []string{"k"}, Usage: "`TOKENS` to keep of each row, as in 64,512", Value: cli.NewIntSlice(topK...)},
		&cli.IntFlag{Name: "rows", Usage: "`NUMBER` of different rows", Value: rows},
		&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "of the synthetic rows", Value: 1},
		&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: "GGUF `FILE`, or the name of a built-in model, whose rows over a text to take instead of synthetic ones", TakesFile: true},
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "`FILE` with the text for --model", TakesFile: true},
		&cli.IntFlag{Name: "repetitions", Aliases: []string{"r"}, Usage: "rounds of each measurement", Value: 20},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: md, csv, json or jsonl", Value: "md"},
	}
}

// rowSet are rows of one vocabulary.
type rowSet struct {
	source  string
	vocab   int
	rows    [][]float32
	targets []int // nil for synthetic rows
}

// checkBenchRows looks at the flags of benchRowsFlags; least and most bound
// what --top-k may be for a vocabulary.
func checkBenchRows(c *cli.Context, most func(vocab int) int) error {
	if c.Args().Present() {
		return usageError("bench %s takes no argument %q", c.Command.Name, c.Args().First())
	}
	for _, name := range []string{"rows", "repetitions"} {
		if n := c.Int(name); n < 1 {
			return usageError("--%s %d: must be at least 1", name, n)
		}
	}
	if len(c.IntSlice("top-k")) == 0 || len(c.IntSlice("vocab")) == 0 {
		return usageError("--top-k and --vocab: must name one number at least")
	}
	if k := slices.Min(c.IntSlice("top-k")); k < 1 {
		return usageError("--top-k %d: must be at least 1", k)
	}
	switch model, file := c.String("model"), c.String("file"); {
	case model != "" && file == "":
		return usageError("--model needs a text: --file FILE")
	case model == "" && file != "":
		return usageError("--file is the text for a model: --model FILE")
	case model != "" && c.IsSet("vocab"):
		return usageError("--vocab is for synthetic rows; those of --model are as long as its vocabulary")
	case model != "":
		return nil
	}
	for _, v := range c.IntSlice("vocab") {
		if v < 1 || v > math.MaxInt32 {
			return usageError("--vocab %d: must be 1 to %d", v, math.MaxInt32)
		}
		if err := checkBenchSize(c, v); err != nil {
			return err
		}
		if _, err := benchTopK(c, v, most(v)); err != nil {
			return err
		}
	}
	return nil
}

func checkBenchSize(c *cli.Context, vocab int) error {
	if most := maxRowsBytes / 4 / vocab; c.Int("rows") > most {
		return usageError("--rows %d of %d logits exceed 4 GiB; at most %d", c.Int("rows"), vocab, most)
	}
	return nil
}

// benchTopK are the values of --top-k for a vocabulary. Those that were asked
// for must fit; of the default ones those that do are taken.
func benchTopK(c *cli.Context, vocab, most int) ([]int, error) {
	var list []int
	for _, k := range c.IntSlice("top-k") {
		if k <= most {
			list = append(list, k)
		} else if c.IsSet("top-k") {
			return nil, usageError("--top-k %d: must be at most %d for a vocabulary of %d", k, most, vocab)
		}
	}
	if len(list) == 0 {
		return nil, usageError("--top-k: none fits a vocabulary of %d", vocab)
	}
	return list, nil
}

// modelRowSet runs --model over --file.
func modelRowSet(c *cli.Context) (rowSet, error) {
	text, err := readTextFile(c.String("file"))
	if err != nil {
		return rowSet{}, err
	}
	o := engine.ModelOptions{GPULayers: -1}
	nameModel(&o, c.String("model"))
	m, err := engine.OpenModel(c.Context, o)
	if err != nil {
		return rowSet{}, err
	}
	defer func() { _ = m.Close() }()
	vocab := m.Info().VocabSize
	if err := checkBenchSize(c, vocab); err != nil {
		return rowSet{}, err
	}
	r, err := bench.RowsOfModel(c.Context, m, text, c.Int("rows"))
	if err != nil {
		return rowSet{}, fmt.Errorf("%s: %w", c.String("file"), err)
	}
	return rowSet{source: m.Name(), vocab: vocab, rows: r.Rows, targets: r.Targets}, nil
}

// eachRowSet calls f for each set of rows that the flags ask for, one at a
// time in memory.
func eachRowSet(c *cli.Context, kinds []bench.Kind, f func(rowSet) error) error {
	if c.String("model") != "" {
		set, err := modelRowSet(c)
		if err != nil {
			return err
		}
		return f(set)
	}
	for _, kind := range kinds {
		for _, v := range c.IntSlice("vocab") {
			set := rowSet{source: string(kind), vocab: v, rows: bench.SyntheticRows(kind, v, c.Int("rows"), c.Uint64("seed"))}
			if err := f(set); err != nil {
				return err
			}
		}
	}
	return nil
}
