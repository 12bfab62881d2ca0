package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"axon/internal/settings"
)

// configFlags let a command's settings come from a file, and print them as one.
func configFlags(variable string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "read settings from a YAML `FILE`", EnvVars: []string{variable}, TakesFile: true},
		&cli.BoolFlag{Name: "print-config", Usage: "print all settings as such a file, and do nothing else"},
	}
}

// readConfig sets the flags that the file of --config names and nothing else has set.
func readConfig(c *cli.Context, known []cli.Flag) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	err := settings.ReadFile(c, known, path)
	if errors.Is(err, settings.ErrFile) || errors.Is(err, settings.ErrSetting) {
		return cli.Exit(err, exitUsage)
	}
	return err
}
