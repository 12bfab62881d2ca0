package main

import (
	"bytes"

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
