package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// printConfig is what axon serve --print-config says.
func printConfig(t *testing.T, args ...string) string {
	t.Helper()
	o := runAxon(t, append([]string{"serve", "--print-config"}, args...)...)
	require.Zero(t, o.code, o.stderr)
	require.Empty(t, o.stderr)
	return o.stdout
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "axon.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestEverySettingOfServeHasAVariableOfItsName(t *testing.T) {
	seen := map[string]string{"AXON_CONFIG": "config", "AXON_LOG": "log"}
	for _, f := range serveSettings() {
		name := f.Names()[0]
		variables := f.(cli.DocGenerationFlag).GetEnvVars()
		require.Equal(t, []string{"AXON_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}, variables)
		require.Empty(t, seen[variables[0]], "%s is for --%s, too", variables[0], name)
		seen[variables[0]] = name
	}
}

// otherValues are settings that differ from all defaults, as the file has them.
func otherValues(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, f := range serveSettings() {
		switch f := f.(type) {
		case *cli.StringFlag:
			values[f.Name] = "x" + f.Name
		case *cli.StringSliceFlag:
			values[f.Name] = "[a, b]"
		case *cli.IntFlag, *cli.Int64Flag:
			values[f.Names()[0]] = "7"
		case *cli.Float64Flag:
			values[f.Name] = "0.125"
		case *cli.BoolFlag:
			values[f.Name] = "true"
		case *cli.DurationFlag:
			values[f.Name] = "7s"
		default:
			t.Fatalf("--%s is of a new kind", f.Names()[0])
		}
	}
	for name, value := range map[string]string{
		"log-format": "json", "log-level": "warn", "translation": "reference", "min-stake-for": "[TextSeq2Seq=5]",
		"allow-hotkey": "[" + testAddress + "]", "deny-hotkey": "[5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY]",
	} {
		values[name] = value
	}
	return values
}

// Each setting can be given in each way, and is printed as it was given.
func TestSettingsOfServeFromTheirThreeSources(t *testing.T) {
	for name, value := range otherValues(t) {
		needs := []string{}
		switch name { // which mean nothing alone
		case "min-stake", "min-stake-for", "allow-unregistered":
			needs = []string{"--metagraph", "network.csv"}
		case "tls-cert":
			needs = []string{"--tls-key", "key.pem"}
		case "tls-key":
			needs = []string{"--tls-cert", "cert.pem"}
		}
		line := "\n" + name + ": " + value + "\n"
		require.NotContains(t, printConfig(t), line)
		require.Contains(t, printConfig(t, append(needs, "--config", configFile(t, line))...), line)
		plain := strings.Trim(strings.ReplaceAll(value, ", ", ","), "[]")
		require.Contains(t, printConfig(t, append(needs, "--"+name+"="+plain)...), line)
		t.Run(name, func(t *testing.T) {
			t.Setenv("AXON_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), plain)
			require.Contains(t, printConfig(t, needs...), line)
		})
	}
}

func TestPrintedConfigurationCanBeReadAgain(t *testing.T) {
	var file strings.Builder
	for name, value := range otherValues(t) {
		file.WriteString(name + ": " + value + "\n")
	}
	all := printConfig(t, "--config", configFile(t, file.String()))
	require.Equal(t, all, printConfig(t, "--config", configFile(t, all)))
	defaults := printConfig(t)
	require.NotEqual(t, defaults, all)
	require.Equal(t, defaults, printConfig(t, "--config", configFile(t, defaults)))
}

func TestFlagsOfServeGoBeforeVariablesGoBeforeTheFile(t *testing.T) {
	path := configFile(t, "listen: file:1\nallow-hotkey: ["+testAddress+"]\n")
	t.Setenv("AXON_CONFIG", path)
	require.Contains(t, printConfig(t), "\nlisten: file:1\n")
	t.Setenv("AXON_LISTEN", "variable:1")
	require.Contains(t, printConfig(t), "\nlisten: variable:1\n")
	require.Contains(t, printConfig(t, "--listen", "flag:1"), "\nlisten: flag:1\n")
	require.Contains(t, printConfig(t, "--allow-hotkey", testPublic), "\nallow-hotkey: ["+testPublic+"]\n", "lists are not joined")
}

// A variable that is misspelt is silent; --allow-hotkey's keeps strangers out.
func TestVariablesThatNoSettingHasAreTold(t *testing.T) {
	unknown := unknownVariables(newApp(), []string{
		"HOME=/", "AXON_ALLOW_HOTKEYS=x", "AXON_ALLOW_HOTKEY=x", "AXON_LOG=warn", "AXON_CONFIG=x", "AXON_VOCAB_DIR=x", "AXON_=",
	})
	require.Equal(t, []string{"AXON_ALLOW_HOTKEYS", "AXON_"}, unknown)
}

// Mistakes with axon serve: one line each, before anything is opened or written.
func TestBadServeArguments(t *testing.T) {
	metagraph := filepath.Join(t.TempDir(), "metagraph.csv")
	require.NoError(t, os.WriteFile(metagraph, []byte("uid,hotkey,coldkey,ip,port,stake\n0,x,,,,1\n"), 0o600))
	taken := listenSomewhere(t)
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"x", 2, "takes flags only"},
		{"--nonsense", 2, "--help lists"},
		{"--config DIR/missing", 1, "no such file"},
		{"--config DIR", 1, "is a directory"},
		{"--config " + configFile(t, "listen: a\nlisten-on: b"), 2, `line 2: there is no setting "listen-on"`},
		{"--config " + configFile(t, "ctx-size: many"), 2, `line 1: ctx-size: "many" is not a whole number`},
		{"--config " + configFile(t, "config: other"), 2, "no setting"},
		{"--config " + configFile(t, "- a"), 2, "name: value"},
		{"--max-texts 0", 2, "--max-texts 0: must be 1 or more"},
		{"--max-answer -1", 2, "must be 1 or more"},
		{"--timeout -1s", 2, "must not be negative"},
		{"--timeout 0s", 2, "--timeout 0: must be a time"},
		{"--idle-timeout 0s", 2, "must be a time"},
		{"--timeout 12", 2, "--help lists"},
		{"--min-interval -1s", 2, "must not be negative"},
		{"--log-format xml", 2, "text or json"},
		{"--log-level loud", 2, "debug, info, warn or error"},
		{"--translation free", 2, "exact or reference"},
		{"--tls-cert DIR/cert", 2, "belong together"},
		{"--tls-cert DIR/cert --tls-key DIR/key", 1, "no such file"},
		{"--min-stake 5", 2, "no metagraph"},
		{"--min-stake-for TextSeq2Seq=5", 2, "no metagraph"},
		{"--min-stake-for seq=5 --metagraph DIR/m", 2, "one of TextLastHiddenState, "},
		{"--min-stake-for TextSeq2Seq --metagraph DIR/m", 2, "SYNAPSE=STAKE"},
		{"--min-stake-for TextSeq2Seq=1,TextSeq2Seq=2 --metagraph DIR/m", 2, "stands twice"},
		{"--min-stake-for TextSeq2Seq=-1 --metagraph DIR/m", 2, "minimum stake of -1"},
		{"--min-stake NaN --metagraph DIR/m", 2, "minimum stake of NaN"},
		{"--allow-hotkey me", 2, "--allow-hotkey"},
		{"--allow-hotkey " + testAddress + " --deny-hotkey " + testPublic, 2, "both allowed and denied"},
		{"--listen 8091", 2, "an address and a port"},
		{"--listen ", 2, "an address and a port"},
		{"--listen 203.0.113.7:1", 1, "--listen 203.0.113.7:1"},
		{"--listen " + taken, 1, "another program has it"},
		{"--metrics-listen " + taken, 1, "another program has it"},
		{"--pprof-listen nowhere", 2, "an address and a port"},
		{"--wallet a/b", 2, "no name of a wallet"},
		{"--hotkey misspelt", 1, "axon wallet new makes one"},
		{"--key-file DIR/missing", 1, "axon wallet new makes one"},
		{"--metagraph DIR/missing", 1, "no such file"},
		{"--metagraph " + metagraph, 1, "line 2: hotkey"},
		{"--model DIR/missing.gguf", 1, "no such file"},
		{"--device nonsense", 1, "there are: CPU"},
	} {
		t.Run(c.line, func(t *testing.T) {
			dir := t.TempDir()
			isolateServe(t)
			require.Zero(t, runAxon(t, "wallet", "new").code)
			args := strings.Split(strings.ReplaceAll(c.line, "DIR", dir), " ") // an empty word is an empty value
			o := runAxon(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--metrics-listen", ""}, args...)...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			require.Empty(t, o.stdout)
			emptyDir(t, dir)
		})
	}
}
