package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/gguf"
	"axon/internal/progress"
)

func modelCheckCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "list everything that is wrong with a model file",
		ArgsUsage: "FILE",
		Description: "One line for each problem. An error keeps the file from being loaded; a warning\n" +
			"says that it will work worse than it should. Exit code 1 when there is an error.\n" +
			"Only the head of the file is read, unless --tensors is given.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "tensors", Usage: "load it as well and verify every weight"},
			&cli.BoolFlag{Name: "vocab-only", Usage: "check its vocabulary only; tensors need not be there"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: modelCheck,
	}
}

// problemRow is a problem as JSON shows it.
type problemRow struct {
	Severity string `json:"severity"` // error or warning
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	Hint     string `json:"hint,omitempty"`
}

func modelCheck(c *cli.Context) error {
	if c.NArg() != 1 {
		return usageError("axon model check needs one FILE")
	}
	if c.Bool("tensors") && c.Bool("vocab-only") {
		return usageError("--tensors and --vocab-only exclude each other: a vocabulary has no tensors")
	}
	path := c.Args().First()
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	problems := checkHeader(c, f)
	rows := problemRows(problems)
	if err := printProblems(c, path, rows); err != nil {
		return err
	}
	if len(problems.Faults()) > 0 {
		return fmt.Errorf("%s: %s; it cannot be used before the errors are gone", path, countProblems(rows))
	}
	if c.Bool("tensors") {
		return checkTensors(c, path)
	}
	return nil
}

func checkHeader(c *cli.Context, f *gguf.File) gguf.Problems {
	if c.Bool("vocab-only") {
		return gguf.CheckVocab(f)
	}
	return gguf.Check(f)
}

// checkTensors loads the model, which reads and verifies every weight.
func checkTensors(c *cli.Context, path string) error {
	bar := progress.Start(os.Stderr, "checking "+path, 1)
	defer bar.Stop()
	m, err := engine.OpenModel(c.Context, engine.ModelOptions{
		Path: path, CheckValues: true, CPUOnly: true,
		Progress: func(f float32) { bar.Set(float64(f)) },
	})
	if err != nil {
		return err
	}
	return m.Close()
}

func problemRows(problems gguf.Problems) []problemRow {
	rows := make([]problemRow, 0, len(problems))
	for _, p := range problems {
		rows = append(rows, problemRow{p.Severity.String(), p.Kind.Error(), p.Text, p.Hint})
	}
	return rows
}

func printProblems(c *cli.Context, path string, rows []problemRow) error {
	if c.Bool("json") {
		return writeIndented(c, struct {
			File     string       `json:"file"`
			Problems []problemRow `json:"problems"`
		}{path, rows})
	}
	for _, p := range rows {
		fmt.Fprintln(c.App.Writer, p.line())
	}
	if slices.ContainsFunc(rows, func(p problemRow) bool { return p.Severity == gguf.Fault.String() }) {
		return nil // the count is the command's error
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s: %s\n", path, countProblems(rows))
	return err
}

func (p problemRow) line() string {
	text := fmt.Sprintf("%s: %s: %s", p.Severity, p.Kind, p.Text)
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}

// countProblems says how many there are, as in "1 error, 2 warnings".
func countProblems(rows []problemRow) string {
	counts := map[string]int{}
	for _, p := range rows {
		counts[p.Severity]++
	}
	var list []string
	for _, severity := range []string{"error", "warning"} {
		if n := counts[severity]; n > 0 {
			list = append(list, plural(n, severity))
		}
	}
	if len(list) == 0 {
		return "no problems"
	}
	return strings.Join(list, ", ")
}
