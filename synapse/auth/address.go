package auth

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// NetworkFormat is the SS58 format of the network's addresses.
const NetworkFormat = 42

const (
	addressLength  = 48 // characters of an address of the network's format
	addressLimit   = 64 // more than an address of any format
	formatLimit    = 1 << 14
	checksumLength = 2 // bytes, for a key of 32
)

// Address is the key's address in the network's format.
func (p PublicKey) Address() string {
	address, _ := p.AddressIn(NetworkFormat) // a format that exists
	return address
}

// AddressIn is the key's address in the SS58 format of another network.
func (p PublicKey) AddressIn(format int) (string, error) {
	prefix, err := formatPrefix(format)
	if err != nil {
		return "", err
	}
	body := slices.Concat(prefix, p[:])
	return encodeBase58(slices.Concat(body, checksum(body))), nil
}

// ParseHotkey reads an address of the network's format, the only form in which hotkeys
// stand in requests.
func ParseHotkey(address string) (PublicKey, error) {
	if len(address) != addressLength {
		return PublicKey{}, fmt.Errorf("%w: %d characters where %d are needed", ErrAddress, len(address), addressLength)
	}
	key, format, err := parseAddress(address)
	if err == nil && format != NetworkFormat {
		err = fmt.Errorf("%w: of format %d instead of %d", ErrAddress, format, NetworkFormat)
	}
	return key, err
}

// ParsePublicKey reads what people write for a public key: an address of any format, or
// 0x and 64 hexadecimal digits.
func ParsePublicKey(text string) (PublicKey, error) {
	if !strings.HasPrefix(text, hexPrefix) {
		key, _, err := parseAddress(text)
		return key, err
	}
	var key PublicKey
	if err := parseHex(key[:], text); err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	return key, nil
}

// parseAddress reads an address of a key of 32 bytes, and its format.
func parseAddress(text string) (key PublicKey, format int, err error) {
	if text == "" || len(text) > addressLimit {
		return PublicKey{}, 0, fmt.Errorf("%w: %d characters, where 1 to %d are allowed", ErrAddress, len(text), addressLimit)
	}
	raw, err := decodeBase58(text)
	if err != nil {
		return PublicKey{}, 0, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	format, prefix := splitFormat(raw)
	if prefix == 0 || len(raw) != prefix+len(key)+checksumLength {
		return PublicKey{}, 0, fmt.Errorf("%w: no format and key of 32 bytes inside", ErrAddress)
	}
	body := raw[:prefix+len(key)]
	if !bytes.Equal(checksum(body), raw[len(body):]) {
		return PublicKey{}, 0, fmt.Errorf("%w: its checksum is wrong, perhaps for a mistyped character", ErrAddress)
	}
	return PublicKey(body[prefix:]), format, nil
}

// formatPrefix writes a format's number as one byte or two.
func formatPrefix(format int) ([]byte, error) {
	switch {
	case format < 0 || format >= formatLimit || format == 46 || format == 47: // the two are reserved
		return nil, fmt.Errorf("%w: no format %d", ErrAddress, format)
	case format < 64:
		return []byte{byte(format)}, nil
	}
	return []byte{0x40 | byte(format>>2)&0x3f, byte(format>>8) | byte(format<<6)}, nil
}

// splitFormat reads a format's number and says how many bytes it takes, none where
// there is no such format.
func splitFormat(raw []byte) (format, length int) {
	switch {
	case len(raw) < 2 || raw[0] >= 128:
		return 0, 0
	case raw[0] < 64:
		format, length = int(raw[0]), 1
	default:
		format, length = int(raw[0]&0x3f)<<2|int(raw[1]>>6)|int(raw[1]&0x3f)<<8, 2
	}
	// A small number in two bytes would be a second spelling of an address.
	if prefix, err := formatPrefix(format); err != nil || len(prefix) != length {
		return 0, 0
	}
	return format, length
}

// checksum is SS58's, over the bytes of the format and the key.
func checksum(body []byte) []byte {
	sum := blake2b.Sum512(append([]byte("SS58PRE"), body...))
	return sum[:checksumLength]
}
