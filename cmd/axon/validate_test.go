package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/localnet"
	"axon/models"
)

// validateWorld is a home with a hotkey, a network, and a text.
type validateWorld struct{ metagraph, text, wallets string }

func newValidateWorld(t *testing.T, n *localnet.Network) *validateWorld {
	t.Helper()
	isolateServe(t)
	w := &validateWorld{metagraph: metagraphOf(t, n), text: filepath.Join(t.TempDir(), "text.txt"), wallets: t.TempDir()}
	newQueryKey(t, w.wallets)
	require.NoError(t, os.WriteFile(w.text, []byte(models.HeldOut), 0o600))
	return w
}

// args are a command line; blanks separate the words of line.
func (w *validateWorld) args(line string, more ...string) []string {
	args := append([]string{"validate", "--wallets", w.wallets, "--metagraph", w.metagraph, "--text", w.text}, strings.Fields(line)...)
	return append(args, more...)
}

func (w *validateWorld) run(t *testing.T, line string, more ...string) outcome {
	t.Helper()
	return runAxon(t, w.args(line, more...)...)
}

func export(t *testing.T, path string) (result map[string]any, rounds []map[string]any) {
	t.Helper()
	o := runAxon(t, "validate", "export", "--state", path)
	require.Zero(t, o.code, o.stderr)
	all := objects(t, o)
	return all[0], all[1:]
}

func TestValidatorRanksServers(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	for _, how := range []string{"--task causallm", "--task causallm --packed", "--task next", "--task next --rule reference --synergy", "--task causallm --rule reference --penalty 1"} {
		state := filepath.Join(t.TempDir(), "state.db")
		o := w.run(t, how+" --seed 1 --rounds 50 --texts 8 --context 12 --top-k 64 --prune 2 --state", state)
		require.Zero(t, o.code, o.stderr)
		require.Contains(t, o.stdout, "round 50: 8 texts")
		require.Contains(t, o.stdout, "3 of 3 answered")
		result, rounds := export(t, state)
		require.Len(t, rounds, 50)
		require.EqualValues(t, 400, result["texts"])
		servers := result["servers"].([]any)
		if strings.Contains(how, "reference") {
			continue // which makes as much of phrases as of truth, and forgets what was 20 rounds ago
		}
		require.Contains(t, o.stdout, "The order 0 < 1 < 2 holds with 95 %.", how)
		loss := 0.0
		for uid, s := range servers {
			server := s.(map[string]any)
			require.EqualValues(t, uid, server["uid"], how)
			require.Greater(t, server["loss"], loss)
			loss = server["loss"].(float64)
			require.Positive(t, server["error"])
			require.Less(t, server["effective_parameters_low"], server["effective_parameters_high"])
			require.EqualValues(t, 50, server["answered"])
		}
	}
}

func TestValidatorWritesWhatWasAskedFor(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	dir := t.TempDir()
	state, report, weights := filepath.Join(dir, "state.db"), filepath.Join(dir, "report.html"), filepath.Join(dir, "weights.json")
	o := w.run(t, "--seed 1 --rounds 16 --context 12 --top-k 64 --synergy --size 0=3e6 --size 1=1e6 --size 2=2e5 --format json --max-weight 0.35",
		"--state", state, "--report", report, "--weights", weights)
	require.Zero(t, o.code, o.stderr)
	lines := objects(t, o)
	require.Len(t, lines, 17, "a line for each round, and the result")
	require.Len(t, lines[3]["replies"], 3)
	require.Len(t, lines[16]["servers"], 3)

	html, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Contains(t, string(html), "<svg")
	var written weightsJSON
	data, err := os.ReadFile(weights)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &written))
	require.Len(t, written.Weights, 3)
	require.InDelta(t, 0.35, written.Weights[0].Weight, 1e-3)
	sum := 0
	for _, one := range written.Weights {
		sum += int(one.Chain)
	}
	require.InDelta(t, 65535, sum, 3)

	o = runAxon(t, "validate", "weights", "--state", state, "--max-weight", "0.35", "--format", "json")
	require.Zero(t, o.code, o.stderr)
	require.JSONEq(t, string(data), o.stdout)
	o = runAxon(t, "validate", "weights", "--state", state, "--exclude-quantile", "0.5")
	require.Equal(t, 3, strings.Count(o.stdout, "\n"), "two of three: "+o.stdout)

	o = runAxon(t, "validate", "report", "--state", state, "--output", filepath.Join(dir, "again.html"), "--folder", filepath.Join(dir, "all"), "--size", "0=3e6")
	require.Zero(t, o.code, o.stderr)
	for _, name := range []string{"again.html", "all/servers.csv", "all/rounds.csv", "all/synergy.csv", "all/loss-time.png", "all/divergence.png"} {
		require.FileExists(t, filepath.Join(dir, name))
	}
}

// Without --state there is a file for each set of settings, which later runs go on with.
func TestValidatorGoesOnWithItsState(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	const line = "--context 12 --top-k 64 --rounds "
	o := w.run(t, line+"3")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, ", new\n")
	o = w.run(t, line+"5")
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "3 rounds so far")
	require.NotContains(t, o.stdout, "round 3:")
	require.Contains(t, o.stdout, "round 5:")
	o = w.run(t, line+"5 --seed 2")
	require.Contains(t, o.stdout, "round 1:", "other settings, another state")
	o = w.run(t, line+"2 --fresh")
	require.Contains(t, o.stdout, "round 1:")
	o = runAxon(t, "validate", "export", "--no-rounds")
	require.Zero(t, o.code, o.stderr)
	require.EqualValues(t, 2, objects(t, o)[0]["rounds"], "of the one that was used last")
}

func TestValidatorReadsStandardInput(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	w.text = "-"
	c := axonCommand(t, w.args("--context 12 --top-k 64 --texts 4 --state", filepath.Join(t.TempDir(), "s"))...)
	c.Stdin = strings.NewReader(models.HeldOut[:3000])
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "standard input, as it comes")
	require.Contains(t, string(out), "round 3: 4 texts")

	c = axonCommand(t, w.args("--context 12 --top-k 64 --state", filepath.Join(t.TempDir(), "s"))...)
	c.Stdin = strings.NewReader("much too short")
	out, err = c.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "axon: no text is long enough")

	c = axonCommand(t, w.args("--context 12 --top-k 64 --texts 4 --text-field body --state", filepath.Join(t.TempDir(), "s"))...)
	var lines strings.Builder
	for i := range 20 {
		line, err := json.Marshal(map[string]string{"body": models.HeldOut[i*500 : (i+1)*500]})
		require.NoError(t, err)
		lines.Write(append(line, '\n'))
	}
	c.Stdin = strings.NewReader(lines.String())
	out, err = c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "round 2: 4 texts")
}

func TestValidatorServesMetrics(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	c := axonCommand(t, w.args("--context 12 --top-k 64 --interval 50ms --metrics-listen 127.0.0.1:0 --state", filepath.Join(t.TempDir(), "s"))...)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(out)
	address := ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "round 2:") {
		if name, rest, _ := strings.Cut(lines.Text(), " "); name == "metrics" {
			address = strings.TrimSpace(rest)
		}
	}
	r, err := http.Get(address)
	require.NoError(t, err)
	defer r.Body.Close()
	page, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	for _, name := range []string{"axon_validator_rounds", "axon_validator_round_seconds", "axon_validator_server_loss_nats{", "axon_validator_server_weight_ratio{", `axon_validator_replies_total{code="Success"}`} {
		require.Contains(t, string(page), name)
	}
	require.NoError(t, c.Process.Signal(os.Interrupt)) // which is how it is meant to end
	rest := ""
	for lines.Scan() {
		rest += lines.Text() + "\n"
	}
	require.NoError(t, c.Wait())
	require.Contains(t, rest, "UID  SERVER")
}

// What was learnt at the end is the same, whether or not the validator was killed on the
// way, any number of times, wherever it was.
func TestValidatorThatIsKilledEndsUpTheSame(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	const line = "--context 12 --top-k 64 --prune 3 --ask 2 --texts 4 --synergy --repeat --rounds %d --state"
	const rounds = 400
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")

	kills := 20
	if testing.Short() {
		kills = 4
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		c := axonCommand(t, w.args(fmt.Sprintf(line+" %s --format json --interval 1ms", 1_000_000, parts))...)
		killAt(t, c, r)
	}
	_, before := export(t, parts)
	t.Logf("%d rounds survived %d kills", len(before), kills)
	require.NotEmpty(t, before)
	last := max(rounds, len(before)+5)
	o := w.run(t, fmt.Sprintf(line, last), parts)
	require.Zero(t, o.code, o.stderr)
	begun, _ := export(t, parts) // the seed was drawn at the first start that was not killed too soon
	seedOf := begun["settings"].(map[string]any)["seed"].(string)
	o = w.run(t, fmt.Sprintf("--seed %s "+line, seedOf, last), whole)
	require.Zero(t, o.code, o.stderr)
	wantResult, wantRounds := export(t, whole)
	gotResult, gotRounds := export(t, parts)
	require.Equal(t, timeless(wantResult), timeless(gotResult))
	require.Len(t, gotRounds, last)
	for i := range wantRounds {
		require.Equal(t, timeless(wantRounds[i]), timeless(gotRounds[i]))
	}
}

// killAt kills a process some moments after it has done its first round of this run, or
// before.
func killAt(t *testing.T, c *exec.Cmd, r *rand.Rand) {
	t.Helper()
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	if r.IntN(5) > 0 {
		_, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		go func() { _, _ = io.Copy(io.Discard, out) }()
		time.Sleep(time.Duration(r.IntN(80_000)) * time.Microsecond)
	} else {
		time.Sleep(time.Duration(r.IntN(600)) * time.Millisecond)
	}
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()
}

// timeless leaves out what a clock says.
func timeless(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, part := range v {
			switch name {
			case "began", "took", "seconds", "response_time", "response_time_nxt", "response_time_error":
			default:
				kept[name] = timeless(part)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i, part := range v {
			kept[i] = timeless(part)
		}
		return kept
	}
	return value
}

func TestValidatorAndServersThatDoNotAnswer(t *testing.T) {
	n := guessers(t)
	w := newValidateWorld(t, n)
	require.NoError(t, n.Stop(1))
	state := filepath.Join(t.TempDir(), "state")
	o := w.run(t, "--seed 1 --context 12 --top-k 64 --rounds 3 --state", state)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "2 of 3 answered")
	require.Regexp(t, `0/3, .*(Unavailable|Backoff)`, o.stdout)
	require.Regexp(t, `(?m)^axon: 1, 127.0.0.1:\d+: Unavailable: .*refused`, o.stderr)
	require.NoError(t, n.Restart(1))
	o = w.run(t, "--seed 1 --context 12 --top-k 64 --rounds 5 --state", state)
	require.Contains(t, o.stdout, "3 of 3 answered", "it is asked again")

	for uid := range 3 {
		require.NoError(t, n.Stop(uid))
	}
	o = w.run(t, "--context 12 --top-k 64 --rounds 2 --state", filepath.Join(t.TempDir(), "state"))
	require.Equal(t, exitFailure, o.code)
	require.Contains(t, o.stderr, "axon: no server has answered in 2 rounds")
}

// What --print-config prints is a configuration that --config reads.
func TestValidatorReadsItsSettingsFromAFile(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	o := w.run(t, "--print-config --context 12 --top-k 64 --rounds 2 --seed 9")
	require.Zero(t, o.code, o.stderr)
	path := filepath.Join(t.TempDir(), "validate.yaml")
	require.NoError(t, os.WriteFile(path, []byte(o.stdout), 0o600))
	state := filepath.Join(t.TempDir(), "s")
	o = runAxon(t, "validate", "--config", path, "--state", state)
	require.Zero(t, o.code, o.stderr)
	result, _ := export(t, state)
	require.EqualValues(t, 2, result["rounds"])
	require.Equal(t, "9", result["settings"].(map[string]any)["seed"])
	require.NoError(t, os.WriteFile(path, []byte("contxt: 12\n"), 0o600))
	require.Equal(t, exitUsage, runAxon(t, "validate", "--config", path).code)
	t.Setenv("AXON_VALIDATE_RULE", "fair")
	require.Contains(t, w.run(t, "").stderr, "must be proper or reference")
}

// What servers were asked about before they may know: it is asked again only if that is wanted.
func TestValidatorAndTextsThatAreUsedUp(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	require.NoError(t, os.WriteFile(w.text, []byte(models.HeldOut[:10_000]), 0o600))
	state := filepath.Join(t.TempDir(), "s")
	o := w.run(t, "--context 12 --top-k 64 --rounds 100 --state", state)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stderr, "all texts were asked about once; --repeat asks about them again")
	require.Contains(t, o.stdout, "UID  SERVER")
	_, rounds := export(t, state)
	require.Greater(t, len(rounds), 3)
	require.Less(t, len(rounds), 10)
	o = w.run(t, "--context 12 --top-k 64 --rounds 12 --repeat --state", state)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "these texts were asked about before")
}

// A network that is empty for a while is waited for.
func TestValidatorWaitsForSomebody(t *testing.T) {
	n := guessers(t)
	w := newValidateWorld(t, n)
	full, err := os.ReadFile(w.metagraph)
	require.NoError(t, err)
	c := axonCommand(t, w.args("--context 12 --top-k 64 --interval 1s --state", filepath.Join(t.TempDir(), "s"))...)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	complaints, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "round 1:") {
	}
	header, _, _ := strings.Cut(string(full), "\n")
	require.NoError(t, os.WriteFile(w.metagraph, []byte(header+"\n"), 0o600))
	said := bufio.NewScanner(complaints)
	for said.Scan() && !strings.Contains(said.Text(), "nobody to ask; looking again") {
	}
	require.Contains(t, said.Text(), "nobody to ask; looking again")
	require.NoError(t, c.Process.Signal(os.Interrupt))
	for lines.Scan() {
	}
	require.NoError(t, c.Wait())
}

func TestValidatorAndBadInput(t *testing.T) {
	w := newValidateWorld(t, guessers(t))
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, make([]byte, 1<<15), 0o600))
	used := filepath.Join(t.TempDir(), "used")
	require.Zero(t, w.run(t, "--seed 1 --context 12 --top-k 64 --rounds 1 --state", used).code)
	for _, c := range []struct {
		line, says string
		code       int
	}{
		{"--rule fair", "must be proper or reference", exitUsage},
		{"--task seq2seq", "must be causallm or next", exitUsage},
		{"--context 0", "--context 0", exitUsage},
		{"--prune 62", "tokens left out of 62, must be 0 to 60", exitUsage},
		{"--top-k 60000", "top-k of 60000", exitUsage},
		{"--task next --packed", "no packed form", exitUsage},
		{"--alpha 3", "alpha is 3", exitUsage},
		{"--power 4", "the power is 4, want 0 to 3", exitUsage},
		{"--power 0", "makes all servers equal", exitUsage},
		{"--penalty 1", "the proper one has none", exitUsage},
		{"--max-weight 2", "largest weight of 2", exitUsage},
		{"--format csv", "must be table or json", exitUsage},
		{"--size 3", "must be UID=PARAMETERS", exitUsage},
		{"--size 3=1e6 --size 3=2e6", "stands twice", exitUsage},
		{"--text-rate 0.5", "for standard input only", exitUsage},
		{"--rounds -1", "must not be negative", exitUsage},
		{"rank", `no command "rank"`, exitUsage},
		{"--uid 77", "no server of uid 77", exitFailure},
		{"--text /nowhere/at/all", "no such file", exitFailure},
		{"--state " + garbage, "is no database", exitFailure},
		{"--fresh --state " + garbage, "is no database", exitFailure},
		{"--seed 3 --context 12 --top-k 64 --state " + used, `seed was "1" and is "3"`, exitFailure},
		{"--metrics-listen 256.0.0.1:1", "metrics-listen", exitFailure},
	} {
		o := w.run(t, c.line)
		require.Equal(t, c.code, o.code, "%s: %s", c.line, o.stderr)
		require.Contains(t, o.stderr, c.says, c.line)
		requireOneLine(t, o)
	}
	require.FileExists(t, garbage, "what is no state is not removed")
	o := runAxon(t, "validate", "--metagraph", w.metagraph, "--wallets", w.wallets)
	require.Equal(t, exitUsage, o.code)
	require.Contains(t, o.stderr, "there is no text")
	isolateServe(t)
	for _, command := range []string{"report", "export", "weights"} {
		o := runAxon(t, "validate", command)
		require.Equal(t, exitFailure, o.code)
		require.Contains(t, o.stderr, "there is no state")
	}
}

// A network of the built-in family, each member behind its own port, is ranked in the order
// of size: what the README shows, with fewer texts and two servers that are easily told apart.
func TestValidatorOfTheFamily(t *testing.T) {
	if testing.Short() {
		t.Skip("real models take a while")
	}
	w := newValidateWorld(t, startNetwork(t, localnet.Models("axon-70k", "axon-3m")...))
	o := w.run(t, "--rounds 32 --texts 4 --seed 1 --timeout 1m --state", filepath.Join(t.TempDir(), "s"))
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "The order 1 < 0 holds with 95 %.")
}
