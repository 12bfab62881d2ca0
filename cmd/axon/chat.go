package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	llama "axon/cgo"
	"axon/engine"
)

func chatCommand() *cli.Command {
	return &cli.Command{
		Name:  "chat",
		Usage: "talk with a model, turn by turn",
		Description: "Reads one message a line and streams the answers. Ctrl-C stops an answer, and at the\n" +
			"prompt ends the program; so does the end of the input.",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "system-prompt", Aliases: []string{"sys"}, Usage: "what the model is told before the first message"},
			&cli.StringFlag{Name: "chat-template", Usage: "name of a template (chatml, llama3, …) or its text; empty: the model's own"},
			&cli.IntFlag{Name: "n-predict", Aliases: []string{"n", "predict"}, Usage: "tokens of an answer at most; -1: no limit", Value: -1},
		}, samplingFlags(), contextFlags(), modelFlags()),
		Action: chat,
	}
}

// defaultTemplate is used for models without one, as llama.cpp's tools do.
const (
	defaultTemplate = "chatml"
	chatMLEnd       = "<|im_end|>"
)

func chat(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("chat reads messages from standard input and takes no arguments; --system-prompt sets the scene")
	}
	req, err := generateRequest(c)
	if err != nil {
		return err
	}
	if req.N != 1 {
		return usageError("--sequences %d: a chat has one answer a turn", req.N)
	}
	defer quietRuntime()()
	return withEngine(c, nil, func(ctx context.Context, e *engine.Engine) error {
		t := &conversation{engine: e, request: req, out: c.App.Writer, template: c.String("chat-template")}
		if t.template == "" {
			t.template = e.Model().ChatTemplate()
		}
		if t.template == "" {
			fmt.Fprintf(c.App.ErrWriter, "%s has no chat template and may not know what a chat is; using %s\n", e.Model().Name(), defaultTemplate)
			t.template = defaultTemplate
			t.request.Stop = append(t.request.Stop, chatMLEnd)
		}
		if s := c.String("system-prompt"); s != "" {
			t.messages = append(t.messages, llama.Message{Role: "system", Content: s})
		}
		return t.run(ctx, os.Stdin)
	})
}

// conversation is a chat as it goes on.
type conversation struct {
	engine   *engine.Engine
	request  engine.GenerateRequest
	out      io.Writer
	template string
	messages []llama.Message
	stop     atomic.Pointer[context.CancelFunc] // of the answer being given
}

func (t *conversation) run(ctx context.Context, in *os.File) error {
	take := t.interrupt
	interrupted.Store(&take)
	defer interrupted.Store(nil)
	prompt := ""
	if term.IsTerminal(int(in.Fd())) {
		prompt = "> "
	}
	lines, failed := readLines(in)
	for {
		fmt.Fprint(t.out, prompt)
		select {
		case <-ctx.Done():
			fmt.Fprintln(t.out)
			return ctx.Err()
		case line, ok := <-lines:
			if !ok {
				return *failed
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			if err := t.turn(ctx, line); errors.Is(err, engine.ErrTooLong) {
				return fmt.Errorf("the conversation has outgrown the context: %w", err)
			} else if err != nil {
				return err
			}
		}
	}
}

// readLines reads in the background: a read from a terminal cannot be
// cancelled. The error is there once the channel is closed.
func readLines(in io.Reader) (<-chan string, *error) {
	lines := make(chan string)
	var failed error
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
		if err := scanner.Err(); err != nil {
			failed = fmt.Errorf("cannot read messages: %w", err)
		}
	}()
	return lines, &failed
}

// interrupt stops the answer being given, if there is one.
func (t *conversation) interrupt() bool {
	stop := t.stop.Load()
	if stop != nil {
		(*stop)()
	}
	return stop != nil
}

// turn answers one message. An answer that was stopped stays in the
// conversation as far as it came.
func (t *conversation) turn(ctx context.Context, line string) error {
	t.messages = append(t.messages, llama.Message{Role: "user", Content: line})
	text, err := llama.ApplyChatTemplate(t.template, t.messages, true)
	if err != nil {
		return fmt.Errorf("chat template: %w; choose another with --chat-template chatml", err)
	}
	req := t.request
	if req.Prompt, err = promptTokens(t.engine.Model().Vocab(), text); err != nil {
		return err
	}
	req.OnToken = func(ev engine.TokenEvent) error {
		_, err := io.WriteString(t.out, ev.Text)
		return err
	}
	answering, stop := context.WithCancel(ctx)
	defer stop()
	t.stop.Store(&stop)
	r, err := t.engine.Generate(answering, req)
	t.stop.Store(nil)
	if err != nil && (!errors.Is(err, context.Canceled) || ctx.Err() != nil) {
		return err
	}
	fmt.Fprintln(t.out)
	if r != nil {
		t.messages = append(t.messages, llama.Message{Role: "assistant", Content: strings.TrimSpace(r.Sequences[0].Text)})
	}
	return nil
}
