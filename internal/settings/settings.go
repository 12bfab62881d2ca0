package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// sizeLimit bounds a file, in bytes; one with all there is to set has a few thousand.
const sizeLimit = 1 << 20

var (
	// ErrFile is returned for a file that is not YAML, or no mapping of names to values.
	ErrFile = errors.New("unusable configuration")
	// ErrSetting is returned for a name or a value in a file that the command does not have.
	ErrSetting = errors.New("invalid setting")
)

// AddVariables gives each flag that has none the environment variable of its name, after a
// prefix such as AXON_.
func AddVariables(prefix string, flags []cli.Flag) {
	for _, f := range flags {
		if variables := variablesOf(f); variables != nil && len(*variables) == 0 {
			*variables = []string{prefix + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))}
		}
	}
}

func variablesOf(f cli.Flag) *[]string {
	switch f := f.(type) {
	case *cli.StringFlag:
		return &f.EnvVars
	case *cli.StringSliceFlag:
		return &f.EnvVars
	case *cli.IntFlag:
		return &f.EnvVars
	case *cli.Int64Flag:
		return &f.EnvVars
	case *cli.Float64Flag:
		return &f.EnvVars
	case *cli.BoolFlag:
		return &f.EnvVars
	case *cli.DurationFlag:
		return &f.EnvVars
	}
	panic(fmt.Sprintf("flag %s of type %T", f.Names()[0], f))
}

// ReadFile is [Apply] to what a file holds.
func ReadFile(c *cli.Context, flags []cli.Flag, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, sizeLimit+1))
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := Apply(c, flags, data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Apply sets those flags that neither the command line nor the environment has set to what
// a file says. It tells all that is wrong with a file at once, with lines.
func Apply(c *cli.Context, flags []cli.Flag, data []byte) error {
	entries, err := parse(data)
	if err != nil {
		return err
	}
	known := make(map[string]cli.Flag)
	for _, f := range flags {
		known[f.Names()[0]] = f
	}
	var faults []error
	for _, e := range entries {
		f, ok := known[e.name]
		if !ok {
			faults = append(faults, fmt.Errorf("%w: line %d: there is no setting %.40q; --print-config lists them", ErrSetting, e.line, e.name))
			continue
		}
		if err := e.set(c, f); err != nil {
			faults = append(faults, fmt.Errorf("%w: line %d: %s: %w", ErrSetting, e.line, e.name, err))
		}
	}
	return errors.Join(faults...)
}

// set checks an entry's values, and takes them over unless something went before.
func (e entry) set(c *cli.Context, f cli.Flag) error {
	_, repeatable := f.(*cli.StringSliceFlag)
	switch {
	case e.list && !repeatable:
		return fmt.Errorf("one value is wanted, not a list")
	case !e.list && repeatable:
		return fmt.Errorf("a list is wanted, as in [%s]", e.values[0])
	}
	for _, v := range e.values {
		if err := check(f, v); err != nil {
			return err
		}
	}
	if c.IsSet(e.name) {
		return nil
	}
	for _, v := range e.values {
		if err := c.Set(e.name, v); err != nil {
			return err
		}
	}
	return nil
}
