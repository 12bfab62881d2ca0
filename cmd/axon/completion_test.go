package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCompletionScriptsParse lets each shell that is here read its script.
func TestCompletionScriptsParse(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		o := runAxon(t, "completion", shell)
		require.Zero(t, o.code, o.stderr)
		require.Contains(t, o.stdout, "axon")
		path, err := exec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here to read its script", shell)
			continue
		}
		c := exec.CommandContext(t.Context(), path, "-n")
		c.Stdin = strings.NewReader(o.stdout)
		text, err := c.CombinedOutput()
		require.NoError(t, err, string(text))
		require.Empty(t, string(text), shell)
	}
}

// complete asks a fresh process what may follow, as the scripts do.
func complete(t *testing.T, words ...string) []string {
	t.Helper()
	c := axonCommand(t, append(words, "--generate-bash-completion")...)
	out, err := c.Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func TestCompletionNamesCommandsAndFlags(t *testing.T) {
	require.Subset(t, complete(t), []string{"generate", "model", "doctor"})
	require.Subset(t, complete(t, "model"), []string{"info", "check", "synth", "quantize"})
	require.Equal(t, []string{"--preset"}, complete(t, "model", "synth", "--pre"))
	require.Subset(t, complete(t, "model", "synth", "-"), []string{"--output", "-o"})
	require.Equal(t, []string{"bash", "zsh", "fish"}, complete(t, "completion"))
	require.Empty(t, complete(t, "model", "check"), "files are for the shell to complete")
}

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	exe := axonCommand(t).Path
	script := runAxon(t, "completion", "bash").stdout + `
	try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _axon; echo "${COMPREPLY[*]}"; }
	try "$0" dev
	try "$0" model synth --pre
	try "$0" model 'x$(echo evaluated >&2)' --
	`
	c := exec.CommandContext(t.Context(), bash, "-c", script, exe)
	c.Env = axonCommand(t).Env
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.True(t, strings.HasPrefix(string(out), "devices\n--preset\n"), string(out))
	require.NotContains(t, string(out), "evaluated")
}
