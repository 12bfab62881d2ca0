package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// maxInput bounds what is read into memory as text.
const maxInput = 1 << 30 // bytes

// inputFlags name where a text comes from.
func inputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "read the text from `FILE`; - is standard input", TakesFile: true},
	}
}

// inputText is the text that a command works on: its arguments, --file, or
// standard input when that is not a terminal.
func inputText(c *cli.Context) (string, error) {
	file := c.String("file")
	switch {
	case file != "" && c.Args().Present():
		return "", usageError("give the text as an argument or with --file, not both")
	case c.Args().Len() == 1 && c.Args().First() == "-", file == "-":
		return readText(os.Stdin, "standard input")
	case c.Args().Present():
		return strings.Join(c.Args().Slice(), " "), nil
	case file != "":
		return readTextFile(file)
	case !term.IsTerminal(int(os.Stdin.Fd())):
		return readText(os.Stdin, "standard input")
	}
	return "", usageError("there is no text: give it as an argument, with --file, or on standard input")
}

func readTextFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the text: %w", err)
	}
	defer func() { _ = f.Close() }()
	return readText(f, path)
}

func readText(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", name, err)
	}
	if len(b) > maxInput {
		return "", fmt.Errorf("%s is larger than %d bytes; split it", name, maxInput)
	}
	return string(b), nil
}
