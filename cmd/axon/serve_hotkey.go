package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"axon/synapse/auth"
)

// serverHotkey is the key that a server answers under. Whoever named none has one made at
// the first start; a name that is misspelt must not become another identity.
func serverHotkey(c *cli.Context) (key *auth.Key, path string, made bool, err error) {
	key, path, err = readHotkey(c)
	if !errors.Is(err, fs.ErrNotExist) || c.IsSet("wallet") || c.IsSet("hotkey") || c.IsSet("key-file") {
		return key, path, false, err
	}
	if key, err = auth.NewKey(); err != nil {
		return nil, "", false, err
	}
	return key, path, true, auth.WriteKeyFile(path, key)
}

// openNonces opens the memory of nonces: the one that --nonces names, or the hotkey's own
// in the user's folder of states.
func openNonces(c *cli.Context, hotkey auth.PublicKey) (*auth.Nonces, error) {
	path := c.String("nonces")
	if path == "" {
		folder, err := stateFolder()
		if err != nil {
			return nil, fmt.Errorf("%w; --nonces names a file", err)
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("folder for nonces: %w; --nonces names a file elsewhere", err)
		}
		path = filepath.Join(folder, "nonces-"+hotkey.Address())
	}
	nonces, err := auth.OpenNonces(path, auth.Limits{})
	if errors.Is(err, auth.ErrLocked) {
		err = fmt.Errorf("%w; two servers need two hotkeys, or a request could be used at both: see --hotkey", err)
	}
	return nonces, err
}

// stateFolder is where programs keep what must survive them.
func stateFolder() (string, error) {
	if folder := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "axon"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("folder of states: %w", err)
	}
	return filepath.Join(home, ".local", "state", "axon"), nil
}
