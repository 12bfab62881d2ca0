package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse/auth"
)

const (
	testWords   = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
	testAddress = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"
	testPublic  = "0x46ebddef8cd9bb167dc30878d7113b7e168e6f0646beffd77d69d39bad76b47a"
)

// wordsFile is a file with the words of the test's key.
func wordsFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "words")
	require.NoError(t, os.WriteFile(path, []byte(testWords+"\n"), 0o600))
	return path
}

// wordsIn are those that a key file holds.
func wordsIn(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var file struct {
		Words string `json:"secretPhrase"`
	}
	require.NoError(t, json.Unmarshal(data, &file))
	require.Len(t, strings.Fields(file.Words), 12)
	return file.Words
}

func TestWalletRestoresAndShows(t *testing.T) {
	wallets := t.TempDir()
	o := runAxon(t, "wallet", "new", "--wallets", wallets, "--wallet", "w", "--hotkey", "h", "--mnemonic-file", wordsFile(t))
	require.Zero(t, o.code, o.stderr)
	path := filepath.Join(wallets, "w", "hotkeys", "h")
	require.Equal(t, "file        "+path+"\naddress     "+testAddress+"\npublic key  "+testPublic+"\ncan sign    yes\n", o.stdout)
	require.Empty(t, o.stderr, "whoever restores a hotkey has its words")

	show := runAxon(t, "wallet", "show", "--wallets", wallets, "--wallet", "w", "--hotkey", "h")
	require.Zero(t, show.code, show.stderr)
	require.Equal(t, o.stdout, show.stdout)

	var shown keyJSON
	require.NoError(t, json.Unmarshal([]byte(runAxon(t, "wallet", "show", "--key-file", path, "--json").stdout), &shown))
	require.Equal(t, keyJSON{path, testAddress, testPublic, true}, shown)
}

func TestWalletMakesANewHotkey(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	o := runAxon(t, "wallet", "new")
	require.Zero(t, o.code, o.stderr)
	path := filepath.Join(home, ".bittensor", "wallets", "default", "hotkeys", "default")
	key, err := auth.ReadKeyFile(path)
	require.NoError(t, err)
	require.Contains(t, o.stdout, key.String())
	require.Equal(t, "the words that restore it are in "+path+"\n", o.stderr, "which is no terminal")
	require.NotContains(t, o.stdout, wordsIn(t, path))

	again := runAxon(t, "wallet", "new")
	require.Equal(t, 1, again.code)
	requireOneLine(t, again)
	require.Contains(t, again.stderr, "the key file exists")
	same, err := auth.ReadKeyFile(path)
	require.NoError(t, err)
	require.Equal(t, key.Public(), same.Public())

	other := runAxon(t, "wallet", "new", "--hotkey", "other", "--json")
	require.Zero(t, other.code, other.stderr)
	require.Empty(t, other.stderr)
	var made keyJSON
	require.NoError(t, json.Unmarshal([]byte(other.stdout), &made))
	require.NotEqual(t, key.String(), made.Address)
}

func TestWalletReadsWordsFromStandardInput(t *testing.T) {
	wallets := t.TempDir()
	c := axonCommand(t, "wallet", "new", "--wallets", wallets, "--mnemonic-file", "-")
	c.Stdin = strings.NewReader("  " + strings.ReplaceAll(testWords, " ", "\n"))
	out, err := c.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), testAddress)
}

func TestWalletTakesSettingsFromTheEnvironment(t *testing.T) {
	wallets := t.TempDir()
	t.Setenv("AXON_WALLETS", wallets)
	t.Setenv("AXON_WALLET", "w")
	t.Setenv("AXON_HOTKEY", "h")
	require.Zero(t, runAxon(t, "wallet", "new").code)
	require.FileExists(t, filepath.Join(wallets, "w", "hotkeys", "h"))
}

func TestWalletShowsPublicKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "public")
	require.NoError(t, os.WriteFile(path, []byte(testPublic), 0o600))
	o := runAxon(t, "wallet", "show", "--key-file", path)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, testAddress)
	require.Contains(t, o.stdout, "can sign    no\n")
}

// Mistakes with wallets: one line each, and never the words.
func TestBadWalletArguments(t *testing.T) {
	put := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	wrong := put("wrong", strings.Replace(testWords, "curtain", "xyzzy", 1))
	for _, c := range []struct {
		line  string
		code  int
		words string
	}{
		{"wallet nonsense", 2, "no command"},
		{"wallet new " + testWords, 2, "--mnemonic-file"},
		{"wallet new --mnemonic " + testWords, 2, "--help lists"},
		{"wallet new --mnemonic-file DIR/missing", 1, "no such file"},
		{"wallet new --mnemonic-file DIR", 1, "is a directory"},
		{"wallet new --mnemonic-file " + wrong, 1, "word 5 is not in the list"},
		{"wallet new --mnemonic-file " + put("swapped", strings.Replace(testWords, "lake curtain", "curtain lake", 1)), 1, "checksum"},
		{"wallet new --mnemonic-file " + put("long", strings.Repeat(testWords, 100)), 1, "more than 4096 bytes"},
		{"wallet new --wallet a/b", 2, "no name of a wallet"},
		{"wallet show x", 2, "takes flags only"},
		{"wallet show", 1, "axon wallet new makes one"},
		{"wallet show --key-file DIR", 1, "not a regular file"},
		{"wallet show --key-file " + put("vault", "$ANSIBLE_VAULT;1.1"), 1, "protected by a password"},
		{"wallet show --key-file " + put("nothing", ""), 1, "neither a JSON object nor a public key"},
	} {
		t.Run(c.line, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("AXON_WALLETS", dir)
			o := runAxon(t, strings.Fields(strings.ReplaceAll(c.line, "DIR", dir))...)
			require.Equal(t, c.code, o.code, o.stderr)
			requireOneLine(t, o)
			require.Contains(t, o.stderr, c.words)
			require.NotContains(t, o.stderr, "curtain")
			require.NotContains(t, o.stderr, "xyzzy")
			emptyDir(t, dir)
		})
	}
}
