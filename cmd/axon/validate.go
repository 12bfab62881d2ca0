package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/internal/settings"
	"axon/synapse/client"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

func validateCommand() *cli.Command {
	known := validateSettings()
	return &cli.Command{
		Name:  "validate",
		Usage: "ask servers what follows in texts, and score each by how well it knew",
		Description: "Round by round it takes texts, holds their ends back, asks servers what comes next, and\n" +
			"measures what each lost against what came: cross-entropy in nats per token of the network's,\n" +
			"with its standard error, and what that is worth by the scaling law. Servers are called\n" +
			"different only where the losses on the same texts say so. Weights are made of moving averages.\n\n" +
			"What was learnt lies in a file, and a later run with the same settings goes on with it, also\n" +
			"where the earlier one was killed. Each flag can be given as an environment variable,\n" +
			"AXON_VALIDATE_ and its name, or in a YAML file under its name.\n\n" +
			"   axon validate --text books/ --endpoint 203.0.113.7:8091@5F… --endpoint 203.0.113.8:8091@5G…\n" +
			"   axon validate --text news.jsonl --metagraph neurons.csv --ask 64 --interval 12s --report report.html\n" +
			"   axon validate report --output report.html",
		Flags: join(configFlags("AXON_VALIDATE_CONFIG"), []cli.Flag{
			&cli.BoolFlag{Name: "fresh", Usage: "forget what earlier runs have learnt"},
		}, known),
		Subcommands: []*cli.Command{validateReportCommand(), validateExportCommand(), validateWeightsCommand()},
		Action:      func(c *cli.Context) error { return validate(c, known) },
	}
}

func validate(c *cli.Context, known []cli.Flag) error {
	if c.Args().Present() {
		return usageError("axon validate has no command %q; axon validate --help lists them", c.Args().First())
	}
	if err := readConfig(c, known); err != nil {
		return err
	}
	o, err := roundOptions(c)
	if err != nil {
		return err
	}
	if c.Bool("print-config") {
		return settings.Print(c.App.Writer, c, known)
	}
	return runValidation(c, o)
}

// runValidation opens everything, does rounds until there is a reason to stop, and closes
// everything.
func runValidation(c *cli.Context, o rounds.Options) (err error) {
	v := &validation{c: c, options: o}
	defer func() { err = errors.Join(err, v.close()) }()
	for _, open := range []func() error{v.openScreen, v.openServers, v.chooseState, v.openTexts, v.openState, v.openMetrics} {
		if err := open(); err != nil {
			return err
		}
	}
	dendrite, err := client.New(v.target.options)
	if err != nil {
		return cli.Exit(err, exitUsage)
	}
	v.onClose(dendrite.Close)
	if v.rounds, err = rounds.New(v.options, dendrite, v.texts, v.target.current, v.store); err != nil {
		return err
	}
	if err := v.screen.begin(v); err != nil {
		return err
	}
	return v.run()
}

// openServers finds out whom to ask. Endpoints of flags have their places as uids.
func (v *validation) openServers() (err error) {
	if v.target, err = queryServers(v.c); err != nil {
		return err
	}
	v.target.options.Backoff = 0       // who cannot be reached is left alone for a while
	if v.c.String("metagraph") != "" { // a validator may serve, too, and is in it then
		all := v.target.current
		v.target.current = func() []client.Endpoint {
			return slices.DeleteFunc(all(), func(e client.Endpoint) bool { return e.Hotkey == v.target.own })
		}
		v.target.endpoints = v.target.current()
	}
	for i := range v.target.endpoints {
		if e := &v.target.endpoints[i]; e.UID == noUID {
			e.UID = i
		}
	}
	return nil
}

// chooseState finds the file that --state names, or that of the settings, and the seed that
// it remembers where none is given.
func (v *validation) chooseState() error {
	v.statePath = v.c.String("state")
	if v.statePath == "" {
		folder, err := validatorFolder()
		if err != nil {
			return err
		}
		known := v.options.Settings(strings.Join(v.c.StringSlice("text"), "\n"))
		v.statePath = filepath.Join(folder, "validate-"+nameOfSettings(known)+".db")
	}
	if v.c.Bool("fresh") {
		if err := forgetState(v.statePath); err != nil {
			return err
		}
	}
	if v.options.Seed > 0 {
		return nil
	}
	seed, err := rememberedSeed(v.statePath)
	v.options.Seed = seed
	return err
}

// rememberedSeed is a state's, or a new one where there is no state.
func rememberedSeed(path string) (uint64, error) {
	s, err := state.Open(path, state.Options{ReadOnly: true})
	if errors.Is(err, os.ErrNotExist) {
		return 1 + rand.Uint64()>>1, nil
	}
	if err != nil {
		return 0, err
	}
	seed, err := strconv.ParseUint(s.State.Settings["seed"], 10, 64)
	if err != nil {
		err = fmt.Errorf("%w: its seed is %w", state.ErrSchema, err)
	}
	return seed, errors.Join(err, s.Close())
}

func (v *validation) openTexts() (err error) {
	if v.texts, err = openTexts(v.c, v.options); err == nil {
		v.onClose(v.texts.Close)
	}
	return err
}

func (v *validation) openState() error {
	store, err := state.Open(v.statePath, state.Options{Settings: v.options.Settings(v.texts.Fingerprint())})
	if errors.Is(err, state.ErrSettings) {
		return fmt.Errorf("%w; name another file with --state, or add --fresh to forget this one", err)
	}
	if err != nil {
		return err
	}
	v.store = store
	v.onClose(store.Close)
	return nil
}

// forgetState removes a state that nobody uses. What is no state stays.
func forgetState(path string) error {
	s, err := state.Open(path, state.Options{ReadOnly: true})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--fresh: %w", err)
	}
	return errors.Join(s.Close(), os.Remove(path))
}

func validatorFolder() (string, error) {
	folder, err := stateFolder()
	if err != nil {
		return "", fmt.Errorf("%w; --state names a file", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("folder for states: %w; --state names a file elsewhere", err)
	}
	return folder, nil
}

// nameOfSettings tells settings apart in the name of a file.
func nameOfSettings(s state.Settings) string {
	data, _ := json.Marshal(s) // of a map, by the order of its keys
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// openLatest opens the state that --state names, or the one that was used last, to look at.
func openLatest(c *cli.Context) (*state.Store, error) {
	path := c.String("state")
	if path == "" {
		var err error
		if path, err = latestState(); err != nil {
			return nil, err
		}
	}
	s, err := state.Open(path, state.Options{ReadOnly: true})
	if errors.Is(err, state.ErrBusy) {
		return nil, fmt.Errorf("%w; a running axon validate writes a report with --report, and weights with --weights", err)
	}
	return s, err
}

func latestState() (string, error) {
	folder, err := validatorFolder()
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var states []os.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), "validate-") && strings.HasSuffix(e.Name(), ".db") {
			states = append(states, info)
		}
	}
	if len(states) == 0 {
		return "", fmt.Errorf("there is no state in %s; axon validate makes one, and --state names one elsewhere", folder)
	}
	latest := slices.MaxFunc(states, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	return filepath.Join(folder, latest.Name()), nil
}
