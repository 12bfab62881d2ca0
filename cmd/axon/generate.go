package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	llama "axon/cgo"
	"axon/engine"
)

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:      "generate",
		Aliases:   []string{"gen"},
		Usage:     "continue a text",
		ArgsUsage: "[TEXT | -]",
		Description: "Streams what the model makes of the text given as an argument, with --file or on\n" +
			"standard input. Ctrl-C stops it and keeps what was printed.",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "prompt", Aliases: []string{"p"}, Usage: "the text to continue, instead of an argument"},
			&cli.IntFlag{Name: "n-predict", Aliases: []string{"n", "predict"}, Usage: "tokens to generate; -1: until the model ends or the context is full", Value: 128},
			&cli.BoolFlag{Name: "echo", Usage: "print the prompt as well"},
			&cli.IntFlag{Name: "logprobs", Usage: "print one line a token: its log-probability and the `K` likeliest tokens", Value: -1},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object at the end"},
			&cli.BoolFlag{Name: "timings", Usage: "tell speeds on standard error"},
		}, inputFlags(), samplingFlags(), beamFlags(), contextFlags(), modelFlags()),
		Action: generate,
	}
}

func samplingFlags() []cli.Flag {
	return append(inCategory(categorySampling,
		&cli.Float64Flag{Name: "temp", Aliases: []string{"temperature"}, Usage: "temperature; 0: always the likeliest token", Value: 0.8},
		&cli.IntFlag{Name: "top-k", Usage: "only the k likeliest tokens; 0: all", Value: 40},
		&cli.Float64Flag{Name: "top-p", Usage: "only the likeliest tokens that reach this probability together; 1: all", Value: 0.95},
		&cli.Float64Flag{Name: "min-p", Usage: "only tokens at least this times as likely as the likeliest; 0: all", Value: 0.05},
		&cli.Float64Flag{Name: "typical", Usage: "locally typical sampling; 1: off", Value: 1},
		&cli.Float64Flag{Name: "repeat-penalty", Usage: "penalty for tokens that occurred; 1: none", Value: 1},
		&cli.IntFlag{Name: "repeat-last-n", Usage: "tokens that the penalties look back at; -1: all", Value: 64},
		&cli.Float64Flag{Name: "presence-penalty", Usage: "subtracted from the logits of tokens that occurred"},
		&cli.Float64Flag{Name: "frequency-penalty", Usage: "subtracted for each time a token occurred"},
		&cli.IntFlag{Name: "no-repeat-ngram", Usage: "let no `N` tokens in a row occur twice; 0: off"},
		&cli.StringFlag{Name: "grammar", Usage: "GBNF grammar that the text must match"},
		&cli.StringFlag{Name: "grammar-file", Usage: "`FILE` with a GBNF grammar", TakesFile: true},
		&cli.StringSliceFlag{Name: "stop", Aliases: []string{"r", "reverse-prompt"}, Usage: "`TEXT` that ends the generation, repeatable"},
		&cli.BoolFlag{Name: "ignore-eos", Usage: "go on after the model ended the text"},
		&cli.IntFlag{Name: "sequences", Usage: "`N` continuations of the one prompt", Value: 1},
	), &cli.Int64Flag{Name: "seed", Aliases: []string{"s"}, Usage: "seed of the draws; -1: a new one each time", Value: -1, Category: categorySampling})
}

func beamFlags() []cli.Flag {
	return inCategory("Beam search:",
		&cli.IntFlag{Name: "beams", Usage: "search with `N` beams instead of sampling; 0: off"},
		&cli.IntFlag{Name: "beam-groups", Usage: "groups of beams that must differ; must divide --beams", Value: 1},
		&cli.Float64Flag{Name: "diversity-penalty", Usage: "nats lost for a token that another group took"},
		&cli.Float64Flag{Name: "length-penalty", Usage: "above 1 favours long texts", Value: 1},
		&cli.BoolFlag{Name: "early-stopping", Usage: "stop at as many finished texts as beams"},
	)
}

func generate(c *cli.Context) error {
	req, err := generateRequest(c)
	if err != nil {
		return err
	}
	req.Logprobs, req.TopK = c.Int("logprobs") >= 0, max(c.Int("logprobs"), 0)
	text, err := promptText(c)
	if err != nil {
		return err
	}
	slots := func(o *engine.Options) {
		o.Sequences = max(o.Sequences, req.N)
		o.SWAFull = o.SWAFull || req.N > 1 || req.Beams != nil // forks need it
		if req.Beams != nil {
			o.Sequences = max(o.Sequences, 2*req.Beams.Beams)
		}
	}
	defer quietRuntime()()
	return withEngine(c, slots, func(ctx context.Context, e *engine.Engine) error {
		if req.Prompt, err = promptTokens(e.Model().Vocab(), text); err != nil {
			return err
		}
		return runGenerate(ctx, c, e, req, text)
	})
}

// promptText is the prompt: --prompt, or as for every command that takes text.
func promptText(c *cli.Context) (string, error) {
	if !c.IsSet("prompt") {
		text, err := inputText(c)
		// llama.cpp's tools drop one newline at the end of a file.
		return strings.TrimSuffix(text, "\n"), err
	}
	if c.Args().Present() || c.IsSet("file") {
		return "", usageError("give the prompt as an argument, with --prompt or with --file, and only once")
	}
	return c.String("prompt"), nil
}

// promptTokens tokenises a prompt; an empty one becomes the beginning of a text.
func promptTokens(v *engine.Vocab, text string) ([]engine.Token, error) {
	tokens, err := v.Tokenize(text, true, true)
	if err != nil || len(tokens) > 0 {
		return tokens, err
	}
	for _, t := range []engine.Token{v.BOS, v.EOS} {
		if t != llama.NoToken {
			return []engine.Token{t}, nil
		}
	}
	return nil, errors.New("the prompt is empty and the model has no token to begin with; give it some text")
}

func generateRequest(c *cli.Context) (engine.GenerateRequest, error) {
	r := engine.GenerateRequest{
		MaxTokens: c.Int("n-predict"), N: c.Int("sequences"), Stop: c.StringSlice("stop"), IgnoreEOG: c.Bool("ignore-eos"),
	}
	switch {
	case r.MaxTokens == 0 || r.MaxTokens < -1:
		return r, usageError("--n-predict %d: must be 1 or more, or -1 for no limit", r.MaxTokens)
	case r.N < 1:
		return r, usageError("--sequences %d: must be 1 or more", r.N)
	}
	var err error
	if c.Int("beams") != 0 {
		for _, f := range []string{"temp", "top-k", "top-p", "min-p", "typical", "presence-penalty", "frequency-penalty", "grammar", "grammar-file", "seed"} {
			if c.IsSet(f) {
				return r, usageError("--beams searches and does not sample: --%s has no meaning with it", f)
			}
		}
		r.Beams = &engine.BeamOptions{
			Beams: c.Int("beams"), Groups: c.Int("beam-groups"), DiversityPenalty: float32(c.Float64("diversity-penalty")),
			LengthPenalty: float32(c.Float64("length-penalty")), EarlyStopping: c.Bool("early-stopping"),
		}
		r.Sampling = engine.Sampling{
			RepeatPenalty: float32(c.Float64("repeat-penalty")), RepeatLast: c.Int("repeat-last-n"), NoRepeatNGram: c.Int("no-repeat-ngram"),
		}
		if r.Sampling.RepeatLast == 0 {
			r.Sampling.RepeatPenalty = 1
		}
		return r, nil
	}
	r.Sampling, err = sampling(c)
	return r, err
}

// sampling reads samplingFlags.
func sampling(c *cli.Context) (engine.Sampling, error) {
	s := engine.Sampling{
		Temp: float32(c.Float64("temp")), TopK: c.Int("top-k"), TopP: float32(c.Float64("top-p")), MinP: float32(c.Float64("min-p")),
		TypicalP: float32(c.Float64("typical")), RepeatPenalty: float32(c.Float64("repeat-penalty")), RepeatLast: c.Int("repeat-last-n"),
		PresencePenalty: float32(c.Float64("presence-penalty")), FrequencyPenalty: float32(c.Float64("frequency-penalty")),
		NoRepeatNGram: c.Int("no-repeat-ngram"), Grammar: c.String("grammar"), Seed: engine.RandomSeed,
	}
	if s.TopP <= 0 || s.TypicalP <= 0 {
		return s, usageError("--top-p %v, --typical %v: must be above 0; --temp 0 takes the likeliest token", s.TopP, s.TypicalP)
	}
	if seed := c.Int64("seed"); seed >= 0 {
		if seed >= math.MaxUint32 {
			return s, usageError("--seed %d: must be below %d", seed, uint32(math.MaxUint32))
		}
		s.Seed = uint32(seed)
	}
	if s.RepeatLast == 0 { // llama.cpp's way of switching the penalties off
		s.RepeatPenalty, s.PresencePenalty, s.FrequencyPenalty = 1, 0, 0
	}
	if f := c.String("grammar-file"); f != "" {
		text, err := readTextFile(f)
		if err != nil {
			return s, err
		}
		s.Grammar = text
	}
	if err := s.Validate(); err != nil {
		return s, cli.Exit(err, exitUsage)
	}
	return s, nil
}

func runGenerate(ctx context.Context, c *cli.Context, e *engine.Engine, req engine.GenerateRequest, text string) error {
	w := c.App.Writer
	several := req.N > 1 || req.Beams != nil
	top := make([][][]rivalJSON, req.N)
	switch {
	case c.Bool("json"):
		req.OnToken = func(ev engine.TokenEvent) error { return collectTop(top, ev) }
	case req.Logprobs:
		req.OnToken = func(ev engine.TokenEvent) error { return printLogprobs(w, e.Model().Vocab(), ev, req.N > 1) }
	case !several:
		if c.Bool("echo") {
			fmt.Fprint(w, text)
		}
		req.OnToken = func(ev engine.TokenEvent) error {
			_, err := io.WriteString(w, ev.Text)
			return err
		}
	}
	r, err := e.Generate(ctx, req)
	if r == nil {
		return err
	}
	switch {
	case c.Bool("json"):
		err = errors.Join(err, printGenerated(w, e, req, text, r, top))
	case req.Logprobs:
	case several:
		for i, s := range r.Sequences {
			fmt.Fprintf(w, "--- %d\n%s%s\n", i+1, echoed(c, text), s.Text)
		}
	default:
		fmt.Fprintln(w)
	}
	if c.Bool("timings") {
		printTimings(c.App.ErrWriter, r)
	}
	return err
}

func echoed(c *cli.Context, text string) string {
	if c.Bool("echo") {
		return text
	}
	return ""
}

// printLogprobs prints a token, its log-probability, and its rivals.
func printLogprobs(w io.Writer, v *engine.Vocab, ev engine.TokenEvent, several bool) error {
	if ev.Token == llama.NoToken {
		return nil
	}
	var b strings.Builder
	if several {
		fmt.Fprintf(&b, "%d\t", ev.Sequence+1)
	}
	fmt.Fprintf(&b, "%q\t%.4f", v.Piece(ev.Token), ev.Logprob)
	for _, t := range ev.Top {
		fmt.Fprintf(&b, "\t%q %.4f", v.Piece(t.Token), t.Logprob)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

type generatedJSON struct {
	Model     string         `json:"model"`
	Prompt    string         `json:"prompt"`
	Sequences []sequenceJSON `json:"sequences"`
	Prompted  int            `json:"prompt_tokens"`
	Seconds   float64        `json:"seconds"`
}

type sequenceJSON struct {
	Text     string            `json:"text"`
	Tokens   []engine.Token    `json:"tokens"`
	Reason   engine.StopReason `json:"stop_reason"`
	Seed     *uint32           `json:"seed,omitempty"`
	Score    *float64          `json:"score,omitempty"`
	Logprobs []float64         `json:"logprobs,omitempty"`
	Top      [][]rivalJSON     `json:"top,omitempty"` // of each token, likeliest first
}

type rivalJSON struct {
	Token   engine.Token `json:"token"`
	Logprob float64      `json:"logprob"`
}

func collectTop(top [][][]rivalJSON, ev engine.TokenEvent) error {
	if len(ev.Top) == 0 {
		return nil
	}
	list := make([]rivalJSON, len(ev.Top))
	for i, t := range ev.Top {
		list[i] = rivalJSON(t)
	}
	top[ev.Sequence] = append(top[ev.Sequence], list)
	return nil
}

func printGenerated(w io.Writer, e *engine.Engine, req engine.GenerateRequest, text string, r *engine.Result, top [][][]rivalJSON) error {
	out := generatedJSON{Model: e.Model().Name(), Prompt: text, Prompted: r.PromptTokens, Seconds: r.TotalTime.Seconds()}
	for i, s := range r.Sequences {
		j := sequenceJSON{Text: s.Text, Tokens: s.Tokens, Reason: s.Reason}
		if req.Beams != nil {
			j.Score = &s.Score
		} else if req.Sampling.Temp > 0 {
			j.Seed = &s.Seed
		}
		if req.Logprobs {
			j.Logprobs, j.Top = s.Logprobs, top[i]
		}
		out.Sequences = append(out.Sequences, j)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func printTimings(w io.Writer, r *engine.Result) {
	tokens := 0
	for _, s := range r.Sequences {
		tokens += len(s.Tokens)
	}
	fmt.Fprintf(w, "prompt: %d tokens in %v (%s)\n", r.PromptTokens, r.PromptTime.Round(time.Millisecond), rate(r.PromptTokens-r.ReusedTokens, r.PromptTime))
	fmt.Fprintf(w, "generated: %d tokens in %v (%s)\n", tokens, (r.TotalTime - r.PromptTime).Round(time.Millisecond), rate(tokens, r.TotalTime-r.PromptTime))
}

func rate(n int, d time.Duration) string {
	if d <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f tokens/s", float64(n)/d.Seconds())
}
