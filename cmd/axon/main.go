// Command axon runs language models: it generates and scores text, tells
// which tokens come next and how likely each is, and measures how fast.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v2"

	llama "axon/cgo"
	"axon/internal/buildinfo"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells have it
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM) // before anything begins that would be left behind
	go onSignal(signals, cancel)
	app := newApp()
	os.Exit(report(os.Stderr, app.RunContext(ctx, flagsFirst(app, os.Args))))
}

// interrupted may take a Ctrl-C for itself by returning true: chat stops an
// answer with it and not the program.
var interrupted atomic.Pointer[func() bool]

// onSignal cancels at the first Ctrl-C or SIGTERM that nobody takes; the next
// one ends the process as usual.
func onSignal(signals chan os.Signal, cancel func()) {
	for s := range signals {
		if take := interrupted.Load(); take != nil && s == os.Interrupt && (*take)() {
			continue
		}
		signal.Stop(signals)
		cancel()
	}
}

// report prints an error in one line and returns the exit code.
func report(w io.Writer, err error) int {
	var exit cli.ExitCoder
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitFailure // whoever read our output has gone; there is nobody to tell
	case errors.As(err, &exit):
		if exit.Error() != "" {
			fmt.Fprintln(w, "axon: "+oneLine(exit.Error()))
		}
		return exit.ExitCode()
	}
	fmt.Fprintln(w, "axon: "+oneLine(err.Error()))
	return exitFailure
}

// oneLine joins the lines of a message, as errors.Join makes them.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' }), "; ")
}

// usageError is a mistake in how axon was called: exit code 2.
func usageError(format string, args ...any) error {
	return cli.Exit(fmt.Errorf(format, args...), exitUsage)
}

func newApp() *cli.App {
	app := &cli.App{
		Name:                   "axon",
		Usage:                  "next-token distributions of language models: exact, fast, in few bytes",
		Version:                buildinfo.String(),
		EnableBashCompletion:   true,
		UseShortOptionHandling: false,
		Suggest:                true,
		ExitErrHandler:         func(*cli.Context, error) {}, // main reports
		OnUsageError:           onUsageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log", Usage: "show llama.cpp's own messages: none, error, warn, info or debug", Value: "none", EnvVars: []string{"AXON_LOG"}},
		},
		Before: func(c *cli.Context) error { return setLog(c.String("log")) },
		Commands: []*cli.Command{
			generateCommand(), chatCommand(), scoreCommand(), logitsCommand(), tokenizeCommand(), embedCommand(),
			modelCommand(), serveCommand(), queryCommand(), validateCommand(), walletCommand(), benchCommand(), devicesCommand(), doctorCommand(),
			completionCommand(), licensesCommand(),
		},
		CommandNotFound: func(*cli.Context, string) {},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usageError("there is no command %q; axon --help lists them", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		prepare(c)
	}
	return app
}

// prepare gives a command and those below it what all have in common.
func prepare(c *cli.Command) {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = len(c.Subcommands) == 0 // "help" may be a text to work on; --help remains
	for _, sub := range c.Subcommands {
		prepare(sub)
	}
	if len(c.Subcommands) > 0 && c.Action == nil {
		c.Action = func(cc *cli.Context) error {
			if cc.Args().Present() {
				return usageError("axon %s has no command %q; axon %s --help lists them", c.Name, cc.Args().First(), c.Name)
			}
			return cli.ShowSubcommandHelp(cc)
		}
	}
}

func onUsageError(c *cli.Context, err error, _ bool) error {
	name := "axon"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "axon" {
		name = c.Command.HelpName
	}
	return usageError("%w; %s --help lists what there is", err, name)
}

func setLog(level string) error {
	levels := map[string]llama.LogLevel{
		"none": llama.LogNone, "error": llama.LogError, "warn": llama.LogWarn, "info": llama.LogInfo, "debug": llama.LogDebug,
	}
	l, ok := levels[level]
	if !ok {
		return usageError("--log %q: must be none, error, warn, info or debug", level)
	}
	llama.SetLogLevel(l)
	return nil
}
