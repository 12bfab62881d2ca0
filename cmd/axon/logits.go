package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/buildinfo"
	"axon/internal/progress"
	"axon/internal/rowfile"
	"axon/kernels/pack"
)

func logitsCommand() *cli.Command {
	return &cli.Command{
		Name:      "logits",
		Usage:     "write the most likely next tokens at every position of a text to a file",
		ArgsUsage: "[TEXT | -]",
		Description: "For each token of the text but the last, --output gets a row: the --top-k most likely next\n" +
			"tokens with their log-probabilities, the mass of all others, and the token that came. The\n" +
			"text is cut into the windows of axon score --whole: --ctx-size tokens (512) of which the first\n" +
			"--skip are context that the window shares with the one before, so that every row but\n" +
			"those of the first window comes after at least --skip tokens. The first row is the one\n" +
			"after the first token (the beginning-of-text token, where the vocabulary adds one).\n\n" +
			"An interrupted run goes on where it stopped when the same command is given again; the\n" +
			"file then becomes what it would have been. docs/logits-file.md says how others read it.\n\n" +
			"Memory does not grow with the text but for its tokens, four bytes each; a vocabulary that is\n" +
			"not byte-level BPE needs the whole text at once, which then is 1 GiB at most.\n\n" +
			"   axon logits -f corpus.txt -o corpus.rows\n" +
			"   axon logits --inspect corpus.rows --rows 1000:1010",
		Flags:  join(logitsFlags(), inspectFlags(), inputFlags(), contextFlags(), modelFlags()),
		Action: logits,
	}
}

func logitsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the rows to `FILE`, or go on where it ends; - is standard output", TakesFile: true},
		&cli.IntFlag{Name: "top-k", Aliases: []string{"k"}, Usage: "tokens in a row, at most the vocabulary; with --rows: tokens to print of it", Value: 512},
		&cli.StringFlag{Name: "mode", Usage: "how log-probabilities are kept: quantised, float16 or float32", Value: pack.Quantised.String()},
		&cli.Float64Flag{Name: "kl", Usage: "quantised: divergence from the exact row to aim at, in `NATS`", Value: pack.DefaultKL},
		&cli.Float64Flag{Name: "max-step", Usage: "quantised: widest cell of a log-probability, in `NATS`", Value: pack.DefaultMaxStep},
		&cli.IntFlag{Name: "skip", Usage: "tokens that a window shares with the one before it, as context; -1: half of it", Value: -1},
		&cli.BoolFlag{Name: "force", Usage: "begin anew, whatever FILE holds"},
	}
}

func logits(c *cli.Context) error {
	if c.IsSet("inspect") {
		return inspect(c)
	}
	h, err := rowsHeader(c)
	if err != nil {
		return err
	}
	if err := checkRowsOutput(c); err != nil {
		return err
	}
	in, err := openText(c)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return withEngine(c, func(o *engine.Options) { o.Sequences, o.Context = 1, h.Window }, func(ctx context.Context, e *engine.Engine) error {
		b := blockTokenizer{vocab: e.Model().Vocab(), block: textBlock, overlap: textOverlap}
		if err := b.readTokens(ctx, in); err != nil {
			return err
		}
		h.Text, h.TextBytes = filepath.Base(in.name), b.size // no folder: it is nobody's business
		if err := describeRows(c, h, e.Model(), b.tokens); err != nil {
			return err
		}
		return writeRows(ctx, c, h, &rowJob{engine: e, tokens: b.tokens})
	})
}

// rowsHeader takes over what the flags say, and refuses what they cannot mean.
func rowsHeader(c *cli.Context) (*rowfile.Header, error) {
	h := &rowfile.Header{Mode: c.String("mode"), K: c.Int("top-k"), Window: c.Int("ctx-size"), Overlap: c.Int("skip"), Tool: "axon " + buildinfo.String()}
	mode, known := rowfile.ParseMode(h.Mode)
	if mode == pack.Quantised {
		h.KL, h.MaxStep = c.Float64("kl"), c.Float64("max-step")
	}
	if h.Window == 0 {
		h.Window = scoreWindowDefault
	}
	if h.Overlap < 0 {
		h.Overlap = h.Window / 2
	}
	switch {
	case c.IsSet("rows"), c.IsSet("json"):
		return nil, usageError("--rows and --json are for --inspect FILE")
	case c.String("output") == "":
		return nil, usageError("--output says where to write; it is missing")
	case !known:
		return nil, usageError("--mode %q: must be quantised, float16 or float32", h.Mode)
	case mode != pack.Quantised && (c.IsSet("kl") || c.IsSet("max-step")):
		return nil, usageError("--kl and --max-step are for --mode quantised")
	case h.K < 1:
		return nil, usageError("--top-k %d: must be 1 or more", h.K)
	case h.Window < 2 || h.Overlap > h.Window-2:
		return nil, usageError("windows of %d tokens with %d skipped leave no rows; lower --skip or raise --ctx-size", h.Window, h.Overlap)
	}
	h.Overlap = max(h.Overlap, 1) // a row needs a token to come after
	if err := (pack.Params{Vocab: 1, Mode: mode, KL: h.KL, MaxStep: h.MaxStep}).Validate(); err != nil {
		return nil, cli.Exit(err, exitUsage)
	}
	return h, nil
}

// checkRowsOutput refuses a file that is something else before any work is done
// for it. Whether its rows are the wanted ones shows later.
func checkRowsOutput(c *cli.Context) error {
	path := c.String("output")
	if path == "-" {
		return nil
	}
	if err := checkOutput(path, true); err != nil || c.Bool("force") {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // there is none yet, or opening it to write says more
	}
	defer func() { _ = f.Close() }()
	if _, err := rowfile.NewReader(f); err != nil && !errors.Is(err, rowfile.ErrUnfinished) {
		return fmt.Errorf("%s exists: %w; name another file or add --force", path, err)
	}
	return nil
}

// describeRows completes the header with what the model and the text are.
func describeRows(c *cli.Context, h *rowfile.Header, m *engine.Model, tokens []engine.Token) error {
	if len(tokens) < 2 {
		return fmt.Errorf("the text has %s; at least 2 are needed to predict one from another", plural(len(tokens), "token"))
	}
	v := m.Vocab()
	h.Model, h.Vocab, h.BOS = m.Name(), v.Size, -1
	if v.AddBOS {
		h.BOS = v.BOS
	}
	h.K = min(h.K, h.Vocab)
	h.ChunkRows = chunkRows(h.K)
	h.Tokens, h.FirstToken, h.TokensHash = uint64(len(tokens)), tokens[0], tokensHash(tokens)
	var err error
	if h.Fingerprint, err = modelFingerprint(c); err != nil {
		return err
	}
	h.Settings, err = rowSettings(c)
	return err
}

// tokensHash is the SHA-256 of the tokens, four bytes each, little-endian.
func tokensHash(tokens []engine.Token) string {
	sum := sha256.New()
	var buf []byte
	for len(tokens) > 0 {
		n := min(len(tokens), 1<<14)
		buf = buf[:0]
		for _, t := range tokens[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(t))
		}
		sum.Write(buf)
		tokens = tokens[n:]
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// writeRows opens the output and lets the job fill it.
func writeRows(ctx context.Context, c *cli.Context, h *rowfile.Header, j *rowJob) error {
	path := c.String("output")
	if path == "-" {
		w, err := rowfile.NewWriter(c.App.Writer, h)
		if err != nil {
			return err
		}
		j.out = w
		return j.run(ctx)
	}
	f, err := openRows(c, path, h)
	if err != nil {
		return err
	}
	if f.Finished() {
		defer func() { _ = f.Close() }()
		_, err := fmt.Fprintf(c.App.Writer, "%s is finished: %d rows\n", path, f.Next())
		return err
	}
	j.out = f.Writer
	begun, from := time.Now(), f.Next()
	err = j.run(ctx)
	closed := f.Close()
	if errors.Is(err, context.Canceled) && closed == nil {
		fmt.Fprintf(c.App.ErrWriter, "axon: interrupted after %d of %d rows; %s\n", f.Next(), h.Rows(), howToGoOn(c))
		return context.Canceled
	}
	if err = errors.Join(err, closed); err != nil {
		return fmt.Errorf("%s has %d of %d rows: %w; %s", path, f.Next(), h.Rows(), err, howToGoOn(c))
	}
	return reportRows(c, path, h, float64(f.Next()-from)/time.Since(begun).Seconds())
}

func howToGoOn(c *cli.Context) string {
	if c.Bool("force") {
		return "the same command without --force goes on from there"
	}
	return "the same command goes on from there"
}

// openRows creates the file or finds where to go on in it, and says so.
func openRows(c *cli.Context, path string, h *rowfile.Header) (*rowfile.File, error) {
	bar := progress.Start(os.Stderr, "checking "+filepath.Base(path), 1)
	defer bar.Stop()
	f, err := rowfile.Open(path, h, rowfile.OpenOptions{Force: c.Bool("force"), Progress: func(done, total int64) {
		bar.Set(float64(done) / float64(max(total, 1)))
	}})
	switch {
	case errors.Is(err, rowfile.ErrLocked):
		return nil, err
	case errors.Is(err, rowfile.ErrMismatch), errors.Is(err, rowfile.ErrCorrupt):
		return nil, fmt.Errorf("%w; name another file or add --force to begin anew", err)
	case err != nil:
		return nil, err
	}
	bar.Stop()
	if f.Dropped() > 0 {
		fmt.Fprintf(c.App.ErrWriter, "axon: took %s off the end of %s, where a write was cut off\n", sizeText(f.Dropped()), path)
	}
	if f.Next() > 0 && !f.Finished() {
		fmt.Fprintf(c.App.ErrWriter, "axon: going on after %d of %d rows\n", f.Next(), h.Rows())
	}
	return f, nil
}

func reportRows(c *cli.Context, path string, h *rowfile.Header, perSecond float64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: %d rows of %d tokens in %s, %.1f bytes a row, %.0f rows/s\n",
		path, h.Rows(), h.K, sizeText(info.Size()), float64(info.Size())/float64(h.Rows()), perSecond)
	return err
}
