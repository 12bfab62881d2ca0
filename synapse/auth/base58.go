package auth

import (
	"fmt"
	"slices"
	"strings"
)

// alphabet has the digits of base 58 in Bitcoin's order.
const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// encodeBase58 writes bytes as digits. The time grows with the square of the length:
// it is meant for addresses.
func encodeBase58(raw []byte) string {
	var digits []byte // of the number, least significant first
	for _, b := range raw {
		carry := int(b)
		for i, d := range digits {
			carry += int(d) << 8
			digits[i] = byte(carry % 58)
			carry /= 58
		}
		for ; carry > 0; carry /= 58 {
			digits = append(digits, byte(carry%58))
		}
	}
	for i := 0; i < len(raw) && raw[i] == 0; i++ {
		digits = append(digits, 0) // a leading zero byte is a leading zero digit
	}
	for i, d := range digits {
		digits[i] = alphabet[d]
	}
	slices.Reverse(digits)
	return string(digits)
}

// decodeBase58 is the reverse. The caller has bounded the length.
func decodeBase58(text string) ([]byte, error) {
	var raw []byte // of the number, least significant first
	for i := range len(text) {
		carry := strings.IndexByte(alphabet, text[i])
		if carry < 0 {
			return nil, fmt.Errorf("character %q has no place in an address", text[i])
		}
		for j, b := range raw {
			carry += int(b) * 58
			raw[j] = byte(carry)
			carry >>= 8
		}
		if carry > 0 {
			raw = append(raw, byte(carry))
		}
	}
	for i := 0; i < len(text) && text[i] == alphabet[0]; i++ {
		raw = append(raw, 0)
	}
	slices.Reverse(raw)
	return raw, nil
}
