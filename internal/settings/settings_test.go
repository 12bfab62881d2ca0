package settings

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// oneOfEach are flags of all kinds.
func oneOfEach() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` to listen on", Value: "here:1", Category: "Network:"},
		&cli.IntFlag{Name: "queue-length", Aliases: []string{"ql"}, Usage: "how many", Value: 5, Category: "Network:"},
		&cli.Int64Flag{Name: "bytes", Usage: "how large", Value: 1 << 40, Category: "Other:"},
		&cli.Float64Flag{Name: "stake", Usage: "how much", Value: 0.5, Category: "Other:"},
		&cli.BoolFlag{Name: "open", Usage: "whether", Category: "Other:"},
		&cli.DurationFlag{Name: "timeout", Usage: "how long", Value: 12 * time.Second, Category: "Other:"},
		&cli.StringSliceFlag{Name: "allow", Usage: "whom", Category: "Other:"},
		&cli.StringFlag{Name: "from-elsewhere", Usage: "what", EnvVars: []string{"ELSEWHERE"}, Category: "Other:"},
	}
	AddVariables("SETTINGS_", flags)
	return flags
}

// run parses a command line and runs f in its context.
func run(t *testing.T, args string, f func(c *cli.Context, flags []cli.Flag)) {
	t.Helper()
	flags := oneOfEach()
	ran := false
	app := &cli.App{Name: "x", Flags: flags, Action: func(c *cli.Context) error {
		ran = true
		f(c, flags)
		return nil
	}}
	require.NoError(t, app.Run(append([]string{"x"}, strings.Fields(args)...)))
	require.True(t, ran)
}

// printed is what Print makes of a command line and a file.
func printed(t *testing.T, args, file string) string {
	t.Helper()
	var out bytes.Buffer
	run(t, args, func(c *cli.Context, flags []cli.Flag) {
		require.NoError(t, Apply(c, flags, []byte(file)))
		require.NoError(t, Print(&out, c, flags))
	})
	return out.String()
}

func TestPrint(t *testing.T) {
	require.Equal(t, `
# Network

# ADDRESS to listen on
listen: here:1
# how many
queue-length: 5

# Other

# how large
bytes: 1099511627776
# how much
stake: 0.5
# whether
open: false
# how long
timeout: 12s
# whom
allow: []
# what
from-elsewhere: ""
`, printed(t, "", ""))
}

const everything = `
listen: "there:2" # a comment
queue-length: 0x10
bytes: -3
stake: 1e3
open: true
timeout: 1h30m
allow: [a, "true", "x: y"]
from-elsewhere: "null"
`

func TestWhatIsPrintedCanBeReadAgain(t *testing.T) {
	first := printed(t, "", everything)
	for _, words := range []string{"there:2\n", "16\n", "-3\n", "1000\n", "true\n", "1h30m0s\n", `[a, "true", 'x: y']`, `"null"`} {
		require.Contains(t, first, words)
	}
	require.Equal(t, first, printed(t, "", first))
	defaults := printed(t, "", "")
	require.Equal(t, defaults, printed(t, "", defaults))
}

func TestFlagsGoBeforeVariablesGoBeforeTheFile(t *testing.T) {
	for _, f := range []struct{ name, variable, flag, env, file string }{
		{"listen", "SETTINGS_LISTEN", "a", "b", "c"},
		{"queue-length", "SETTINGS_QUEUE_LENGTH", "1", "2", "3"},
		{"bytes", "SETTINGS_BYTES", "1", "2", "3"},
		{"stake", "SETTINGS_STAKE", "1", "2", "3"},
		{"timeout", "SETTINGS_TIMEOUT", "1s", "2s", "3s"},
		{"allow", "SETTINGS_ALLOW", "[a]", "[b, d]", "[c]"},
		{"from-elsewhere", "ELSEWHERE", "a", "b", "c"},
	} {
		t.Run(f.name, func(t *testing.T) {
			file := f.name + ": " + f.file
			require.Contains(t, printed(t, "", file), "\n"+f.name+": "+f.file+"\n")
			plain := strings.NewReplacer("[", "", "]", "", " ", "")
			t.Setenv(f.variable, plain.Replace(f.env))
			require.Contains(t, printed(t, "", file), "\n"+f.name+": "+f.env+"\n")
			require.Contains(t, printed(t, "--"+f.name+" "+plain.Replace(f.flag), file), "\n"+f.name+": "+f.flag+"\n")
		})
	}
	t.Setenv("SETTINGS_OPEN", "true")
	require.Contains(t, printed(t, "", "open: false"), "open: true\n")
	require.Contains(t, printed(t, "--open=false", "open: true"), "open: false\n")
	require.Contains(t, printed(t, "--ql 7", "queue-length: 8"), "queue-length: 7\n", "by its other name, too")
}

func TestBadFiles(t *testing.T) {
	for file, words := range map[string]string{
		"listen: a\nlisten: b":                  `line 2: "listen" stands in line 1 already`,
		"listen: a\n\nlisten_on: b":             `line 3: there is no setting "listen_on"`,
		"queue-length: many":                    `line 1: queue-length: "many" is not a whole number`,
		"ql: 5":                                 `no setting "ql"`,
		"bytes: 1.5":                            "not a whole number",
		"stake: x":                              "not a number",
		"open: perhaps":                         "not true or false",
		"timeout: 12":                           "not a duration such as 12s",
		"listen: [a]":                           "one value is wanted",
		"allow: a":                              "a list is wanted, as in [a]",
		"allow: [a, [b]]":                       "several parts",
		"allow:\n- a\n-\n":                      "line 3",
		"listen:":                               `"listen" has no value`,
		"listen: {a: b}":                        "several parts",
		"listen: &a x\nfrom-elsewhere: *a":      "line 2",
		"- listen":                              "name: value",
		"listen":                                "name: value",
		"[a]: b":                                "no name",
		"listen: a\n---\nlisten: b":             "more than one document",
		"listen: \"a":                           "unusable",
		"\tlisten: a":                           "unusable",
		strings.Repeat("[", 20_000):             "unusable",
		"listen: " + strings.Repeat("a", 1<<20): "more than 1048576 bytes",
	} {
		run(t, "", func(c *cli.Context, flags []cli.Flag) {
			err := Apply(c, flags, []byte(file))
			require.ErrorContains(t, err, words, file[:min(len(file), 40)])
			require.Less(t, len(err.Error()), 300)
		})
	}
}

func TestAllFaultsOfAFileAreTold(t *testing.T) {
	run(t, "", func(c *cli.Context, flags []cli.Flag) {
		err := Apply(c, flags, []byte("nothing: 1\nstake: 5\nopen: perhaps\n"))
		require.ErrorIs(t, err, ErrSetting)
		require.ErrorContains(t, err, "line 1")
		require.ErrorContains(t, err, "line 3")
	})
	run(t, "--open", func(c *cli.Context, flags []cli.Flag) {
		require.ErrorContains(t, Apply(c, flags, []byte("open: perhaps")), "line 1", "though it would not be used")
	})
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "axon.yaml")
	run(t, "", func(c *cli.Context, flags []cli.Flag) {
		require.ErrorIs(t, ReadFile(c, flags, path), os.ErrNotExist)
		require.NoError(t, os.WriteFile(path, []byte("nothing: 1"), 0o600))
		require.ErrorContains(t, ReadFile(c, flags, path), path)
		require.NoError(t, os.WriteFile(path, []byte("# all as it is\n"), 0o600))
		require.NoError(t, ReadFile(c, flags, path))
		require.NoError(t, os.WriteFile(path, []byte("queue-length: 9\n"), 0o600))
		require.NoError(t, ReadFile(c, flags, path))
		require.Equal(t, 9, c.Int("queue-length"))
	})
}

// FuzzParse looks for files on which reading panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte("a: &x [b]\nc: *x"))
	f.Add([]byte("? [a]\n: b\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parse(data)
		if err != nil {
			require.ErrorIs(t, err, ErrFile)
			return
		}
		for _, e := range list {
			require.Positive(t, e.line)
			require.True(t, e.list || len(e.values) == 1)
		}
	})
}
