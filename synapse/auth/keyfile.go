package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// keyFileLimit bounds what is read of a key file; an honest one has 500 bytes.
const keyFileLimit = 64 << 10

// How files that the wallets of the network protect by a password begin.
var encryptedBeginnings = []string{"$ANSIBLE_VAULT", "gAAAAA"}

// HotkeyPath is where the network's wallets keep a hotkey, below a folder of wallets.
func HotkeyPath(wallets, wallet, hotkey string) (string, error) {
	for _, name := range []string{wallet, hotkey} {
		if name == "" || name == "." || name == ".." || len(name) > 128 || strings.ContainsAny(name, "/\\\x00") {
			return "", fmt.Errorf("%w: %.40q is no name of a wallet or hotkey", ErrName, name)
		}
	}
	return filepath.Join(wallets, wallet, "hotkeys", hotkey), nil
}

// WalletsFolder is where the network's wallets are: .bittensor/wallets in the home folder.
func WalletsFolder() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("folder of wallets: %w", err)
	}
	return filepath.Join(home, ".bittensor", "wallets"), nil
}

// ReadKeyFile reads a key from a file in the format of the network's wallets.
func ReadKeyFile(path string) (*Key, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, err := ParseKeyFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrKeyFile, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, keyFileLimit+1))
	if err == nil && len(data) > keyFileLimit {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrKeyFile, path, keyFileLimit)
	}
	return data, err
}

// ParseKeyFile reads what a key file holds. The secret seed is taken before the words, and
// those before the address; as with the network's wallets, it is not checked that they
// belong together. A file may also be nothing but 0x and a public key. Errors never show
// what the file holds.
func ParseKeyFile(data []byte) (*Key, error) {
	for _, beginning := range encryptedBeginnings {
		if bytes.HasPrefix(data, []byte(beginning)) {
			return nil, fmt.Errorf("%w: it is protected by a password, which cannot be asked for here; "+
				"let the wallet program that made it take the password off, or make a new hotkey", ErrEncrypted)
		}
	}
	if text := strings.TrimSpace(string(data)); strings.HasPrefix(text, hexPrefix) {
		return wrapKey(publicOnly(ParsePublicKey(text)))
	}
	// As a map: matching names to a struct's fields would overlook capitals.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("%w: neither a JSON object nor a public key", ErrKeyFile)
	}
	return wrapKey(keyFromFields(fields))
}

// wrapKey makes every fault one of the file.
func wrapKey(key *Key, err error) (*Key, error) {
	if err != nil && !errors.Is(err, ErrKeyFile) {
		err = fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return key, err
}

func publicOnly(public PublicKey, err error) (*Key, error) {
	if err != nil {
		return nil, err
	}
	return PublicOnly(public), nil
}

// The names in a key file.
const (
	fieldAccount = "accountId"
	fieldPublic  = "publicKey"
	fieldPhrase  = "secretPhrase"
	fieldSeed    = "secretSeed"
	fieldAddress = "ss58Address"
)

func keyFromFields(fields map[string]json.RawMessage) (*Key, error) {
	sources := []struct {
		field string
		key   func(string) (*Key, error)
	}{
		{fieldSeed, KeyFromSeedHex},
		{fieldPhrase, KeyFromMnemonic},
		{fieldAddress, func(text string) (*Key, error) { return publicOnly(ParsePublicKey(text)) }},
	}
	for _, source := range sources {
		raw, ok := fields[source.field]
		if !ok || string(raw) == "null" {
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("%w: %s is no text", ErrKeyFile, source.field)
		}
		return source.key(text)
	}
	return nil, fmt.Errorf("%w: none of %s, %s and %s in it", ErrKeyFile, fieldSeed, fieldPhrase, fieldAddress)
}
