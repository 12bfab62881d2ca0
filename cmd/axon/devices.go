package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	llama "axon/cgo"
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

// deviceRow is a device as JSON shows it.
type deviceRow struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Backend     string `json:"backend"`
	Description string `json:"description"`
	Free        uint64 `json:"free_bytes"`
	Total       uint64 `json:"total_bytes"`
}

func listDevices(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("axon devices takes no argument")
	}
	if err := llama.Init(); err != nil {
		return err
	}
	rows := deviceRows(llama.Devices())
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

func deviceRows(devices []llama.Device) []deviceRow {
	rows := make([]deviceRow, 0, len(devices))
	for _, d := range devices {
		rows = append(rows, deviceRow{d.Name, d.Type.String(), d.Backend, d.Description, d.Free, d.Total})
	}
	return rows
}
