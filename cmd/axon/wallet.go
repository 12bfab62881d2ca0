package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"axon/synapse/auth"
)

func walletCommand() *cli.Command {
	return &cli.Command{
		Name:  "wallet",
		Usage: "make and show hotkeys, with which requests are signed",
		Description: "A hotkey is a file in the format of the network's wallets, by default\n" +
			"~/.bittensor/wallets/default/hotkeys/default. Whoever has the file, or the words that it\n" +
			"was made of, can sign in its name.",
		Subcommands: []*cli.Command{walletNewCommand(), walletShowCommand()},
	}
}

func walletNewCommand() *cli.Command {
	return &cli.Command{
		Name:  "new",
		Usage: "make a hotkey, or restore one from its words",
		Description: "Writes a file that only you can read, and never over one that exists. The twelve words\n" +
			"that restore the hotkey are shown once, on the terminal; they stand in the file as well.\n" +
			"Words of an existing hotkey are read from a file or standard input, never from the\n" +
			"command line, where other users could see them.\n\n" +
			"   axon wallet new --hotkey server\n" +
			"   axon wallet new --hotkey server --mnemonic-file -",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "mnemonic-file", Usage: "restore from the words in `FILE`; - is standard input", TakesFile: true},
			&cli.BoolFlag{Name: "json", Usage: "print JSON, and no words"},
		}, hotkeyFlags()),
		Action: walletNew,
	}
}

func walletShowCommand() *cli.Command {
	return &cli.Command{
		Name:        "show",
		Usage:       "show a hotkey's address and public key",
		Description: "Nothing secret is shown.",
		Flags:       join([]cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}}, hotkeyFlags()),
		Action:      walletShow,
	}
}

func walletNew(c *cli.Context) error {
	if c.Args().Present() { // which may be words: they are not repeated
		return usageError("axon wallet new takes flags only; words are given with --mnemonic-file")
	}
	path, err := hotkeyPath(c)
	if err != nil {
		return err
	}
	restored := c.String("mnemonic-file") != ""
	key, err := newKey(c.String("mnemonic-file"))
	if err != nil {
		return err
	}
	if err := auth.WriteKeyFile(path, key); err != nil {
		return err
	}
	if err := printKey(c, path, key); err != nil || restored || c.Bool("json") {
		return err
	}
	return tellWords(c.App.ErrWriter, key, path)
}

// newKey makes a fresh key, or that of the words in a file.
func newKey(words string) (*auth.Key, error) {
	if words == "" {
		return auth.NewKey()
	}
	text, err := readWords(words)
	if err != nil {
		return nil, fmt.Errorf("read the words: %w", err)
	}
	return auth.KeyFromMnemonic(text)
}

// wordsLimit bounds what is read as words; 24 of them have 215 bytes.
const wordsLimit = 4096

// readWords reads a file, or standard input, which on a terminal does not show what is typed.
func readWords(name string) (string, error) {
	if name == "-" {
		if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
			fmt.Fprint(os.Stderr, "words: ")
			text, err := term.ReadPassword(fd)
			fmt.Fprintln(os.Stderr)
			return string(text), err
		}
		return readFewBytes(os.Stdin, "standard input", wordsLimit)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return readFewBytes(f, name, wordsLimit)
}

// readFewBytes reads all there is, and refuses more than a limit.
func readFewBytes(r io.Reader, name string, limit int64) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return string(data), err
}

// tellWords shows a new key's words to a person. Where the output goes to a file, or to
// whatever collects it, they stay in the key file.
func tellWords(w io.Writer, key *auth.Key, path string) error {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		_, err := fmt.Fprintf(w, "the words that restore it are in %s\n", path)
		return err
	}
	_, err := fmt.Fprintf(w, "\nThese words restore the hotkey. Write them down; they are not shown again:\n\n  %s\n", key.RevealMnemonic())
	return err
}

func walletShow(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("axon wallet show takes flags only; %q is none", c.Args().First())
	}
	key, path, err := readHotkey(c)
	if err != nil {
		return err
	}
	return printKey(c, path, key)
}

type keyJSON struct {
	File      string `json:"file"`
	Address   string `json:"address"`
	PublicKey string `json:"public_key"`
	CanSign   bool   `json:"can_sign"`
}

func printKey(c *cli.Context, path string, key *auth.Key) error {
	out := keyJSON{path, key.String(), key.Public().Hex(), key.CanSign()}
	if c.Bool("json") {
		return writeIndented(c, out)
	}
	_, err := fmt.Fprintf(c.App.Writer, "file        %s\naddress     %s\npublic key  %s\ncan sign    %s\n",
		quoteControls(path), out.Address, out.PublicKey, yesNo(out.CanSign))
	return err
}
