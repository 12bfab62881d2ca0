package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// entry is a line of a file, or several with a list.
type entry struct {
	line   int
	name   string
	list   bool
	values []string
}

// parse reads a file. References to other places in it, which could make little text
// stand for much, are refused.
func parse(data []byte) ([]entry, error) {
	if len(data) > sizeLimit {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrFile, sizeLimit)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil // nothing is set
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one document", ErrFile)
	}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.ScalarNode && root.Tag == "!!null":
		return nil, nil
	case root.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("%w: line %d: lines of the form name: value are wanted", ErrFile, root.Line)
	}
	return entries(root)
}

func entries(root *yaml.Node) ([]entry, error) {
	var list []entry
	lines := make(map[string]int)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%w: line %d: no name before the colon", ErrFile, key.Line)
		}
		if first, ok := lines[key.Value]; ok {
			return nil, fmt.Errorf("%w: line %d: %.40q stands in line %d already", ErrFile, key.Line, key.Value, first)
		}
		lines[key.Value] = key.Line
		e := entry{line: key.Line, name: key.Value, list: value.Kind == yaml.SequenceNode}
		nodes := []*yaml.Node{value}
		if e.list {
			nodes = value.Content
		}
		for _, n := range nodes {
			if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
				return nil, fmt.Errorf("%w: line %d: %.40q has no value, or one of several parts", ErrFile, n.Line, key.Value)
			}
			e.values = append(e.values, n.Value)
		}
		list = append(list, e)
	}
	return list, nil
}

// check says, in words for people, whether a flag can take a value.
func check(f cli.Flag, value string) error {
	var err error
	wanted := ""
	switch f.(type) {
	case *cli.IntFlag:
		_, err = strconv.ParseInt(value, 0, strconv.IntSize)
		wanted = "a whole number"
	case *cli.Int64Flag:
		_, err = strconv.ParseInt(value, 0, 64)
		wanted = "a whole number"
	case *cli.Float64Flag:
		_, err = strconv.ParseFloat(value, 64)
		wanted = "a number"
	case *cli.BoolFlag:
		_, err = strconv.ParseBool(value)
		wanted = "true or false"
	case *cli.DurationFlag:
		_, err = time.ParseDuration(value)
		wanted = "a duration such as 12s"
	}
	if err != nil {
		return fmt.Errorf("%.40q is not %s", value, wanted)
	}
	return nil
}
