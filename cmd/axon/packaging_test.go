package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

func packaged(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "packaging", name))
	require.NoError(t, err)
	return string(data)
}

// What unit, container and their page set is something that axon serve has.
func TestPackagingSetsVariablesThatThereAre(t *testing.T) {
	known := map[string]bool{"AXON_CONFIG": true}
	flags := map[string]bool{"config": true, "print-config": true, "help": true, "log": true}
	for _, f := range serveSettings() {
		known[f.(cli.DocGenerationFlag).GetEnvVars()[0]] = true
		flags[f.Names()[0]] = true
	}
	for name, least := range map[string]int{"axon.service": 3, "Containerfile": 3, "../docs/serving.md": 3} {
		found := regexp.MustCompile(`AXON_[A-Z0-9_]+`).FindAllString(packaged(t, name), -1)
		require.GreaterOrEqual(t, len(found), least, name)
		for _, variable := range found {
			require.True(t, known[variable], "%s: %s", name, variable)
		}
	}
	for _, line := range strings.Split(packaged(t, "../docs/serving.md"), "\n") {
		if !strings.Contains(line, "axon serve") && !strings.HasPrefix(line, "|") {
			continue
		}
		for _, flag := range regexp.MustCompile(`--([a-z][a-z0-9-]*)`).FindAllStringSubmatch(line, -1) {
			require.True(t, flags[flag[1]], "docs/serving.md: --%s", flag[1])
		}
	}
}

// The unit starts what make install installs, and systemd finds nothing wrong with it.
func TestUnitIsOneThatSystemdTakes(t *testing.T) {
	unit := packaged(t, "axon.service")
	require.Contains(t, unit, "\nExecStart=/usr/local/bin/axon serve\n")
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	// It looks for the program, which need not be installed here.
	path := filepath.Join(t.TempDir(), "axon.service")
	there := strings.ReplaceAll(unit, "/usr/local/bin/axon", axonCommand(t).Path)
	require.NoError(t, os.WriteFile(path, []byte(there), 0o600))
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}
