package settings

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// Print writes all settings as a file that [Apply] reads, each with what it is for.
func Print(w io.Writer, c *cli.Context, flags []cli.Flag) error {
	category := ""
	for _, f := range flags {
		if now := categoryOf(f); now != category {
			category = now
			fmt.Fprintf(w, "\n# %s\n\n", strings.TrimSuffix(category, ":"))
		}
		name := f.Names()[0]
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: name, HeadComment: "# " + usageOf(f)}
		text, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, valueOf(c, f, name)}})
		if err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

func categoryOf(f cli.Flag) string {
	if f, ok := f.(cli.CategorizableFlag); ok {
		return f.GetCategory()
	}
	return ""
}

func usageOf(f cli.Flag) string {
	if f, ok := f.(cli.DocGenerationFlag); ok {
		return strings.ReplaceAll(f.GetUsage(), "`", "")
	}
	return ""
}

// valueOf is what is in force for a flag.
func valueOf(c *cli.Context, f cli.Flag, name string) *yaml.Node {
	switch f.(type) {
	case *cli.StringSliceFlag:
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, v := range c.StringSlice(name) {
			list.Content = append(list.Content, scalar("!!str", v))
		}
		return list
	case *cli.IntFlag:
		return scalar("", strconv.Itoa(c.Int(name)))
	case *cli.Int64Flag:
		return scalar("", strconv.FormatInt(c.Int64(name), 10))
	case *cli.Float64Flag:
		return scalar("", strconv.FormatFloat(c.Float64(name), 'g', -1, 64))
	case *cli.BoolFlag:
		return scalar("", strconv.FormatBool(c.Bool(name)))
	case *cli.DurationFlag:
		return scalar("!!str", c.Duration(name).String())
	}
	return scalar("!!str", c.String(name))
}

// scalar is a value; one with a tag is quoted where it could be taken for something else.
func scalar(tag, value string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
	if value == "" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
