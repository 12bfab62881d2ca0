package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
)

func embedCommand() *cli.Command {
	return &cli.Command{
		Name:        "embed",
		Usage:       "turn texts into vectors",
		ArgsUsage:   "[TEXT | -]",
		Description: "Pools the last hidden states of each text into one vector and prints it in one line.",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "pooling", Usage: "mean, last or cls", Value: "mean"},
			&cli.BoolFlag{Name: "raw", Usage: "do not bring the vectors to length 1"},
			&cli.BoolFlag{Name: "lines", Usage: "every line of the input is a text of its own"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object a text"},
		}, inputFlags(), contextFlags(), modelFlags()),
		Action: embed,
	}
}

func embed(c *cli.Context) error {
	pooling := engine.Pooling(c.String("pooling"))
	switch pooling {
	case engine.PoolMean, engine.PoolLast, engine.PoolCLS:
	default:
		return usageError("--pooling %q: must be mean, last or cls", pooling)
	}
	text, err := inputText(c)
	if err != nil {
		return err
	}
	texts := []string{text}
	if c.Bool("lines") {
		texts = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	return withEngine(c, nil, func(ctx context.Context, e *engine.Engine) error {
		for i, t := range texts {
			if err := embedOne(ctx, c, e, t, pooling); err != nil {
				return fmt.Errorf("text %d: %w", i+1, err)
			}
		}
		return nil
	})
}

func embedOne(ctx context.Context, c *cli.Context, e *engine.Engine, text string, pooling engine.Pooling) error {
	tokens, err := promptTokens(e.Model().Vocab(), text)
	if err != nil {
		return err
	}
	v, err := e.Embed(ctx, tokens, pooling, !c.Bool("raw"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(map[string]any{"text": text, "tokens": len(tokens), "embedding": v})
	}
	return printVector(c.App.Writer, v)
}

func printVector(w io.Writer, v []float32) error {
	words := make([]string, len(v))
	for i, x := range v {
		words[i] = fmt.Sprintf("%.6f", x)
	}
	_, err := fmt.Fprintln(w, strings.Join(words, " "))
	return err
}
