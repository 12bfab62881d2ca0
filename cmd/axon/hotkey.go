package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v2"

	"axon/synapse/auth"
)

const categoryHotkey = "Hotkey:"

// hotkeyFlags say which hotkey file is meant: one in a wallet of the network's, or any.
func hotkeyFlags() []cli.Flag {
	return inCategory(categoryHotkey,
		&cli.StringFlag{Name: "wallet", Usage: "`NAME` of the wallet that the hotkey belongs to", Value: "default", EnvVars: []string{"AXON_WALLET"}},
		&cli.StringFlag{Name: "hotkey", Usage: "`NAME` of the hotkey in that wallet", Value: "default", EnvVars: []string{"AXON_HOTKEY"}},
		&cli.StringFlag{Name: "wallets", Usage: "`FOLDER` of wallets; without it ~/.bittensor/wallets", EnvVars: []string{"AXON_WALLETS"}, TakesFile: true},
		&cli.StringFlag{Name: "key-file", Usage: "hotkey `FILE`, wherever it is; it goes before the three others", EnvVars: []string{"AXON_KEY_FILE"}, TakesFile: true},
	)
}

// hotkeyPath is the file that hotkeyFlags name.
func hotkeyPath(c *cli.Context) (string, error) {
	if path := c.String("key-file"); path != "" {
		return path, nil
	}
	folder := c.String("wallets")
	if folder == "" {
		var err error
		if folder, err = auth.WalletsFolder(); err != nil {
			return "", fmt.Errorf("%w; --wallets names one", err)
		}
	}
	path, err := auth.HotkeyPath(folder, c.String("wallet"), c.String("hotkey"))
	if err != nil {
		return "", cli.Exit(err, exitUsage)
	}
	return path, nil
}

// readHotkey reads the key that hotkeyFlags name.
func readHotkey(c *cli.Context) (key *auth.Key, path string, err error) {
	if path, err = hotkeyPath(c); err != nil {
		return nil, "", err
	}
	key, err = auth.ReadKeyFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; axon wallet new makes one", err)
	}
	return key, path, err
}
