package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	llama "axon/cgo"
	"axon/internal/doctor"
)

func devicesCommand() *cli.Command {
	return &cli.Command{
		Name:        "devices",
		Usage:       "list the devices that models can run on",
		Description: "The first column is what --device takes.",
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}},
		Action:      listDevices,
	}
}

func listDevices(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("axon devices takes no argument")
	}
	if err := llama.Init(); err != nil {
		return err
	}
	rows := doctor.Devices()
	if c.Bool("json") {
		return writeIndented(c, rows)
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTYPE\tBACKEND\tFREE\tTOTAL\tDESCRIPTION")
	for _, d := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Name, d.Type, d.Backend, knownSize(d.Free), knownSize(d.Total), d.Description)
	}
	return w.Flush()
}
