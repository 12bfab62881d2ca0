package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"
)

// sizeText writes bytes as people read them: 637.8 MiB.
func sizeText[N int64 | uint64](bytes N) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	v := float64(bytes)
	for _, unit := range []string{"KiB", "MiB", "GiB"} {
		if v /= 1 << 10; v < 1<<10 {
			return fmt.Sprintf("%.1f %s", v, unit)
		}
	}
	return fmt.Sprintf("%.1f TiB", v/(1<<10))
}

// knownSize is sizeText, or a dash for what nobody told.
func knownSize(bytes uint64) string {
	if bytes == 0 {
		return "-"
	}
	return sizeText(bytes)
}

// countText writes a number of parameters as people say it: 1.10 B.
func countText(n int64) string {
	v := float64(n)
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.2f B", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.2f M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.2f K", v/1e3)
	}
	return fmt.Sprint(n)
}

// writeIndented prints a value as JSON that people can read.
func writeIndented(c *cli.Context, v any) error {
	e := json.NewEncoder(c.App.Writer)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
