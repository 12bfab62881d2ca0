package auth

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"strings"
)

const (
	nonceDigits   = 38 // every number of so many decimal digits fits into 128 bits
	nonceTextSize = 64 // bytes, with the blanks and underscores that the reference lets pass
)

// Nonce is the number that must grow from one request to the next of a connection. Clients
// count nanoseconds in it; the reference sets it no limit, here it has 38 digits.
type Nonce struct{ hi, lo uint64 }

// NonceOf is a nonce of 64 bits.
func NonceOf(n uint64) Nonce { return Nonce{lo: n} }

// Compare orders nonces as numbers.
func (n Nonce) Compare(m Nonce) int {
	return cmp.Or(cmp.Compare(n.hi, m.hi), cmp.Compare(n.lo, m.lo))
}

// String is the number in decimal digits.
func (n Nonce) String() string {
	b := n.bytes()
	return new(big.Int).SetBytes(b[:]).String()
}

// next is the number behind n.
func (n Nonce) next() Nonce {
	lo, carry := bits.Add64(n.lo, 1, 0)
	return Nonce{n.hi + carry, lo}
}

// bytes and nonceFromBytes keep a nonce as 16 bytes, most significant first.
func (n Nonce) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], n.hi)
	binary.BigEndian.PutUint64(b[8:], n.lo)
	return b
}

func nonceFromBytes(b [16]byte) Nonce {
	return Nonce{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// parseNonce reads what passes for a number with the reference: blanks around it, a sign,
// leading zeros and single underscores between digits. What is signed is the number
// written plainly, so that all spellings of one number are one nonce.
func parseNonce(text string) (n Nonce, negative bool, err error) {
	if len(text) > nonceTextSize {
		return Nonce{}, false, fmt.Errorf("nonce of %d bytes exceeds the limit %d", len(text), nonceTextSize)
	}
	digits := strings.Trim(text, " \t\n\v\f\r")
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	if !plainNumber(digits) {
		return Nonce{}, false, fmt.Errorf("nonce is no number")
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if len(digits) > nonceDigits {
		return Nonce{}, false, fmt.Errorf("nonce of %d digits exceeds the limit %d", len(digits), nonceDigits)
	}
	value, _ := new(big.Int).SetString(digits, 10)
	n = nonceFromBytes([16]byte(value.FillBytes(make([]byte, 16))))
	return n, negative && n != Nonce{}, nil
}

// plainNumber reports whether a text has digits, and at most one underscore between two.
func plainNumber(text string) bool {
	digit := false // whether the last character was one
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digit = true
		case c == '_' && digit:
			digit = false
		default:
			return false
		}
	}
	return digit
}
