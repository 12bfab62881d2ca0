package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlagsMayFollowArguments(t *testing.T) {
	for in, want := range map[string]string{
		"axon":                                     "axon",
		"axon generate text -n 5":                  "axon generate -n 5 -- text",
		"axon generate -n 5 text":                  "axon generate -n 5 -- text",
		"axon generate a b --echo c":               "axon generate --echo -- a b c",
		"axon generate text --n-predict=5 --json":  "axon generate --n-predict=5 --json -- text",
		"axon generate -":                          "axon generate -- -",
		"axon generate x -- -n 5":                  "axon generate -- x -n 5",
		"axon generate x -n":                       "axon generate -n -- x",
		"axon --log warn generate x -n 5":          "axon --log warn generate -n 5 -- x",
		"axon generate x --no-such-flag y":         "axon generate --no-such-flag -- x y",
		"axon model info file --json":              "axon model info --json -- file",
		"axon model":                               "axon model",
		"axon nothing -x":                          "axon nothing -x",
		"axon generate --generate-bash-completion": "axon generate --generate-bash-completion",
	} {
		got := flagsFirst(newApp(), strings.Fields(in))
		require.Equal(t, want, strings.Join(got, " "), in)
	}
}
