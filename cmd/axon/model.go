package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/gguf"
)

func modelCommand() *cli.Command {
	return &cli.Command{
		Name:  "model",
		Usage: "describe, check, make and quantise model files",
		Description: "All work on GGUF files. A file is checked before llama.cpp sees it, here and in\n" +
			"every other command.",
		Subcommands: []*cli.Command{
			modelInfoCommand(), modelCheckCommand(), modelSynthCommand(), modelQuantizeCommand(),
		},
	}
}

// openHeader reads the head of the model that the options name.
func openHeader(o engine.ModelOptions) (*gguf.File, error) {
	if o.Path != "" {
		return gguf.Open(o.Path)
	}
	return gguf.Parse(bytes.NewReader(o.Data), int64(len(o.Data)))
}

// fileType finds a quantisation among those that a command can make.
func fileType(name string, possible []string) (gguf.FileType, error) {
	if !slices.Contains(possible, strings.ToLower(name)) {
		return 0, fmt.Errorf("unknown quantisation %q; choose one of %s", name, strings.Join(possible, " "))
	}
	return gguf.ParseFileType(name)
}
