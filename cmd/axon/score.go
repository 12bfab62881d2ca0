package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/progress"
)

func scoreCommand() *cli.Command {
	return &cli.Command{
		Name:      "score",
		Usage:     "measure how well a model predicts a text",
		ArgsUsage: "[TEXT | -]",
		Description: "Prints cross-entropy in nats per token and bits per byte, and perplexity. The text is\n" +
			"cut into windows of --ctx-size tokens; the first --skip tokens of each are context only.\n" +
			"The defaults are those of llama-perplexity; so are the numbers, but for last digits that\n" +
			"depend on the shape of the batches.",
		Flags: join([]cli.Flag{
			&cli.IntFlag{Name: "skip", Usage: "tokens of each window that are not scored; -1: half of it", Value: -1},
			&cli.BoolFlag{Name: "whole", Usage: "score every token: windows overlap by --skip tokens"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		}, inputFlags(), contextFlags(), modelFlags()),
		Action: score,
	}
}

// scoreWindowDefault is llama-perplexity's.
const scoreWindowDefault = 512

func score(c *cli.Context) error {
	window := c.Int("ctx-size")
	if window == 0 {
		window = scoreWindowDefault
	}
	skip := c.Int("skip")
	if skip < 0 {
		skip = window / 2
	}
	if window < 2 || skip > window-2 {
		return usageError("windows of %d tokens with %d skipped leave nothing to score; lower --skip or raise --ctx-size", window, skip)
	}
	text, err := inputText(c)
	if err != nil {
		return err
	}
	// llama.cpp's tools drop one newline at the end of a file.
	text = strings.TrimSuffix(text, "\n")
	return withEngine(c, func(o *engine.Options) { *o = o.ScoreOptions(window) }, func(ctx context.Context, e *engine.Engine) error {
		tokens, err := e.Model().Vocab().Tokenize(text, true, false)
		if err != nil {
			return err
		}
		bar := progress.Start(os.Stderr, "scoring", 1)
		defer bar.Stop()
		s, err := e.Score(ctx, engine.ScoreRequest{
			Tokens: tokens, Window: window, Skip: skip, Whole: c.Bool("whole"),
			Progress: func(done, total int) { bar.Set(float64(done) / float64(total)) },
		})
		if err != nil {
			return err
		}
		bar.Stop()
		return printScore(c, e.Model().Name(), window, s)
	})
}

type scoreJSON struct {
	Model         string  `json:"model"`
	Window        int     `json:"window"`
	Windows       int     `json:"windows"`
	Tokens        int     `json:"tokens"`
	Bytes         int     `json:"bytes"`
	NatsPerToken  float64 `json:"nats_per_token"`
	StandardError float64 `json:"standard_error"`
	BitsPerByte   float64 `json:"bits_per_byte"`
	Perplexity    float64 `json:"perplexity"`
}

func printScore(c *cli.Context, model string, window int, s engine.Score) error {
	out := scoreJSON{
		Model: model, Window: window, Windows: s.Windows, Tokens: s.Tokens, Bytes: s.Bytes, NatsPerToken: s.PerToken(),
		StandardError: s.StandardError(), BitsPerByte: s.BitsPerByte(), Perplexity: s.Perplexity(),
	}
	if c.Bool("json") {
		return json.NewEncoder(c.App.Writer).Encode(out)
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s: %d tokens (%d bytes) in %d windows of %d\n"+
		"cross-entropy %.4f ± %.4f nats/token, %.4f bits/byte\nperplexity    %.4f ± %.4f\n",
		model, out.Tokens, out.Bytes, out.Windows, window,
		out.NatsPerToken, out.StandardError, out.BitsPerByte, out.Perplexity, out.Perplexity*out.StandardError)
	return err
}
