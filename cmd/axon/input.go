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
	in, err := openText(c)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	return readText(in, in.name)
}

// textInput is a text before it is read.
type textInput struct {
	io.ReadCloser
	name string
	size int64 // bytes; 0: unknown
}

// openText finds the text that inputText reads.
func openText(c *cli.Context) (*textInput, error) {
	file := c.String("file")
	switch {
	case file != "" && c.Args().Present():
		return nil, usageError("give the text as an argument or with --file, not both")
	case c.Args().Len() == 1 && c.Args().First() == "-", file == "-":
		return &textInput{ReadCloser: io.NopCloser(os.Stdin), name: "standard input"}, nil
	case c.Args().Present():
		text := strings.Join(c.Args().Slice(), " ")
		return &textInput{io.NopCloser(strings.NewReader(text)), "text of the command line", int64(len(text))}, nil
	case file != "":
		return openTextFile(file)
	case !term.IsTerminal(int(os.Stdin.Fd())):
		return &textInput{ReadCloser: io.NopCloser(os.Stdin), name: "standard input"}, nil
	}
	return nil, usageError("there is no text: give it as an argument, with --file, or on standard input")
}

func openTextFile(path string) (*textInput, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the text: %w", err)
	}
	in := &textInput{ReadCloser: f, name: path}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		in.size = info.Size()
	}
	return in, nil
}

func readTextFile(path string) (string, error) {
	in, err := openTextFile(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	return readText(in, path)
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
