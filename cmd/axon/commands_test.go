package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// allCommands lists every command with its full name.
func allCommands(app *cli.App) map[string]*cli.Command {
	all := map[string]*cli.Command{}
	var walk func(prefix string, list []*cli.Command)
	walk = func(prefix string, list []*cli.Command) {
		for _, c := range list {
			all[prefix+c.Name] = c
			walk(prefix+c.Name+" ", c.Subcommands)
		}
	}
	walk("", app.Commands)
	return all
}

func TestNamesOfFlagsAreUnique(t *testing.T) {
	app := newApp()
	for name, c := range allCommands(app) {
		taken := map[string]bool{"help": true, "h": true}
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				require.False(t, taken[n], "axon %s: --%s stands twice", name, n)
				taken[n] = true
			}
		}
	}
}

func TestVariablesSetOneFlag(t *testing.T) {
	app := newApp()
	flagOf := map[string]string{}
	check := func(command string, flags []cli.Flag) {
		seen := map[string]bool{}
		for _, f := range flags {
			for _, v := range f.(cli.DocGenerationFlag).GetEnvVars() {
				require.True(t, strings.HasPrefix(v, "AXON_"), v)
				require.False(t, seen[v], "axon %s: %s sets two flags", command, v)
				seen[v] = true
				if other, ok := flagOf[v]; ok {
					require.Equal(t, other, f.Names()[0], "%s sets different flags", v)
				}
				flagOf[v] = f.Names()[0]
			}
		}
	}
	check("", app.Flags)
	for name, c := range allCommands(app) {
		check(name, c.Flags)
	}
}

func TestEveryCommandAndFlagIsDescribed(t *testing.T) {
	app := newApp()
	for name, c := range allCommands(app) {
		require.NotEmpty(t, c.Usage, name)
		require.False(t, strings.HasSuffix(c.Usage, "."), name)
		require.True(t, c.Description != "" || c.ArgsUsage != "" || len(c.Subcommands) > 0, "axon %s: neither description nor arguments", name)
		require.True(t, c.Action != nil, name)
		for _, f := range c.Flags {
			require.NotEmpty(t, f.(cli.DocGenerationFlag).GetUsage(), "axon %s --%s", name, f.Names()[0])
		}
	}
}

func TestHelp(t *testing.T) {
	for name, c := range allCommands(newApp()) {
		o := runAxon(t, append(strings.Fields(name), "--help")...)
		require.Zero(t, o.code, name)
		require.Empty(t, o.stderr, name)
		require.Contains(t, o.stdout, "axon "+name+" - "+c.Usage)
		require.NotContains(t, o.stdout, "%!", name)
		for _, f := range c.Flags {
			require.Contains(t, o.stdout, "--"+f.Names()[0], name)
		}
	}
}

func TestHelpOfTheProgramListsTheCommands(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help"}} {
		o := runAxon(t, args...)
		require.Zero(t, o.code)
		for _, c := range newApp().Commands {
			require.Contains(t, o.stdout, c.Name)
		}
	}
	require.Contains(t, runAxon(t, "model").stdout, "quantize")
}
