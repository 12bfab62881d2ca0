package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves a command's flags before its arguments: the cli package
// stops looking for flags at the first argument, and people write
// axon generate "Once upon" -n 50.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 || slices.Contains(args, "--generate-bash-completion") {
		return args
	}
	head, command, rest := findCommand(app, args)
	if command == nil || len(command.Subcommands) > 0 {
		return args
	}
	flags, words := splitFlags(command.Flags, rest)
	out := append(slices.Clone(head), flags...)
	if len(words) > 0 {
		out = append(append(out, "--"), words...)
	}
	return out
}

// findCommand walks down the names at the start of args.
func findCommand(app *cli.App, args []string) (head []string, command *cli.Command, rest []string) {
	flags, commands := app.Flags, app.Commands
	i := 1
	for i < len(args) {
		if strings.HasPrefix(args[i], "-") {
			i += flagWidth(flags, args[i])
			continue
		}
		next := commandNamed(commands, args[i])
		if next == nil {
			break
		}
		command, flags, commands = next, next.Flags, next.Subcommands
		i++
		if len(commands) == 0 {
			break
		}
	}
	i = min(i, len(args))
	return args[:i], command, args[i:]
}

func commandNamed(list []*cli.Command, name string) *cli.Command {
	for _, c := range list {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func splitFlags(known []cli.Flag, args []string) (flags, words []string) {
	for i := 0; i < len(args); {
		switch a := args[i]; {
		case a == "--":
			return flags, append(words, args[i+1:]...)
		case len(a) > 1 && a[0] == '-':
			n := min(flagWidth(known, a), len(args)-i)
			flags = append(flags, args[i:i+n]...)
			i += n
		default:
			words = append(words, a)
			i++
		}
	}
	return flags, words
}

// flagWidth is 2 for a flag whose value is the next argument, otherwise 1.
func flagWidth(known []cli.Flag, arg string) int {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return 1
	}
	for _, f := range known {
		if slices.Contains(f.Names(), name) {
			if d, ok := f.(cli.DocGenerationFlag); ok && d.TakesValue() {
				return 2
			}
			return 1
		}
	}
	return 1
}
