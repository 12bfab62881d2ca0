package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteKeyFile writes a key, its secret half included, to a file that only its owner may
// read, and makes the folders on the way. Interrupted, it leaves no half file. A file
// that is there already is never replaced: it may be the only copy of a key.
func WriteKeyFile(path string, key *Key) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%w: %s; choose another name, or move it away", ErrKeyExists, path)
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	file, err := replaceFile(path, marshalKeyFile(key), true)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return file.Close()
}

// marshalKeyFile gives the bytes that the network's wallets write: all names in this order,
// null for what is not known, blanks behind colons and commas, no line's end.
func marshalKeyFile(key *Key) []byte {
	var phrase, seed any
	if key.secret != nil {
		seed = formatHex(key.secret().seed[:])
		if words := key.RevealMnemonic(); words != "" {
			phrase = words
		}
	}
	fields := []struct {
		name  string
		value any
	}{
		{fieldAccount, key.public.Hex()},
		{fieldPublic, key.public.Hex()},
		{fieldPhrase, phrase},
		{fieldSeed, seed},
		{fieldAddress, key.public.Address()},
	}
	var b bytes.Buffer
	for i, f := range fields {
		separator := ", "
		if i == 0 {
			separator = "{"
		}
		value, _ := json.Marshal(f.value) // a text, or nothing
		fmt.Fprintf(&b, "%s%q: %s", separator, f.name, value)
	}
	b.WriteByte('}')
	return b.Bytes()
}
