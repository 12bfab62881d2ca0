package main

import (
	"github.com/urfave/cli/v2"

	"axon/internal/settings"
)

func serveCommand() *cli.Command {
	known := serveSettings()
	return &cli.Command{
		Name:  "serve",
		Usage: "answer a network's questions about texts",
		Description: "Listens for signed requests of the network's protocol and answers with what the model\n" +
			"expects. Without any flag the built-in model answers whoever has a hotkey, under a hotkey\n" +
			"that is made at the first start. Ctrl-C or SIGTERM lets requests finish that were taken;\n" +
			"a second one does not.\n\n" +
			"Each flag below Network can be given as an environment variable, AXON_ and its name, or in\n" +
			"a YAML file under its name. A flag goes before its variable, that before the file.\n\n" +
			"   axon serve\n" +
			"   axon serve --metagraph metagraph.csv --min-stake 1000 --model model.gguf\n" +
			"   axon serve --min-stake 1000 --print-config > axon.yaml && axon serve --config axon.yaml",
		Flags:  join(configFlags("AXON_CONFIG"), known),
		Action: func(c *cli.Context) error { return serve(c, known) },
	}
}

func serve(c *cli.Context, known []cli.Flag) error {
	if c.Args().Present() {
		return usageError("axon serve takes flags only; %q is none", c.Args().First())
	}
	if err := readConfig(c, known); err != nil {
		return err
	}
	o, err := newServeOptions(c)
	if err != nil {
		return err
	}
	if c.Bool("print-config") {
		return settings.Print(c.App.Writer, c, known)
	}
	return runService(c, o)
}
