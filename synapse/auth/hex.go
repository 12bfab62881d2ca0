package auth

import (
	"encoding/hex"
	"fmt"
)

const hexPrefix = "0x"

// parseHex fills dst from 0x and exactly as many digits as it takes. Errors do not
// repeat the text, which may be a secret.
func parseHex(dst []byte, text string) error {
	if want := len(hexPrefix) + hex.EncodedLen(len(dst)); len(text) != want {
		return fmt.Errorf("%d characters where 0x and %d hexadecimal digits are needed", len(text), want-len(hexPrefix))
	}
	if text[:len(hexPrefix)] != hexPrefix {
		return fmt.Errorf("no 0x in front of the hexadecimal digits")
	}
	if _, err := hex.Decode(dst, []byte(text[len(hexPrefix):])); err != nil {
		return fmt.Errorf("a character that is no hexadecimal digit")
	}
	return nil
}

// formatHex is the reverse.
func formatHex(b []byte) string { return hexPrefix + hex.EncodeToString(b) }
