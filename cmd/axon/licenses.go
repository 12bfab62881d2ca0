package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"axon"
)

func licensesCommand() *cli.Command {
	return &cli.Command{
		Name:  "licenses",
		Usage: "print the licence of axon and those of everything inside it",
		Description: "The texts are part of the program: its own licence, the notices of llama.cpp,\n" +
			"ggml, Go and the Go modules that are linked, and of the text that the built-in\n" +
			"model learned from.",
		Action: printLicenses,
	}
}

func printLicenses(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("axon licenses takes no argument")
	}
	_, err := fmt.Fprintf(c.App.Writer, "# axon\n\n%s\n\n%s\n\n# The built-in model\n\n%s\n",
		strings.TrimSpace(axon.License), strings.TrimSpace(axon.ThirdPartyNotices), strings.TrimSpace(axon.ModelNotice))
	return err
}
