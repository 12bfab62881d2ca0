package auth

import (
	"fmt"
	"strings"
)

// Format is a way to sign a request.
type Format int

const (
	// FormatV1 signs nonce, sender and receptor. It does not say for whom the request is:
	// who receives one can send it on to any other server that takes the format.
	FormatV1 Format = 1
	// FormatV2 signs the receiver as well.
	FormatV2 Format = 2
)

const (
	separatorV1 = "bitxx"
	separatorV2 = "."
	// firstWithV2 is the first version of the protocol that knows format 2.
	firstWithV2 = 360
)

// FormatFor is the format that a peer of a version of the protocol understands.
func FormatFor(version int) Format {
	if version < firstWithV2 {
		return FormatV1
	}
	return FormatV2
}

// claim is what a request says about itself, before anything of it is believed.
type claim struct {
	format   Format
	nonce    Nonce
	negative bool   // the nonce is below zero
	sender   string // as it was sent, and as it is signed
	receptor string
}

// message is the text that the sender signs, for a receiver.
func (c claim) message(receiver string) []byte {
	nonce := c.nonce.String()
	if c.negative {
		nonce = "-" + nonce
	}
	if c.format == FormatV1 {
		return []byte(nonce + c.sender + c.receptor)
	}
	return []byte(strings.Join([]string{nonce, c.sender, receiver, c.receptor}, separatorV2))
}

// header writes the claim with its signature as the value of a header.
func (c claim) header(signature Signature) string {
	separator := separatorV2
	if c.format == FormatV1 {
		separator = separatorV1
	}
	return strings.Join([]string{c.nonce.String(), c.sender, signature.String(), c.receptor}, separator)
}

// parseClaim reads a header's value in either format; the signature stays a text.
func parseClaim(value string) (claim, string, error) {
	if c, signature, err := parseV2(value); err == nil {
		return c, signature, nil
	}
	return parseV1(value)
}

func parseV2(value string) (claim, string, error) {
	parts := strings.Split(value, separatorV2)
	if len(parts) != 4 {
		return claim{}, "", fmt.Errorf("%w: %d parts between dots, where 4 are needed", ErrFormat, len(parts))
	}
	nonce, negative, err := parseNonce(parts[0])
	if err != nil {
		return claim{}, "", fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return claim{FormatV2, nonce, negative, parts[1], parts[3]}, parts[2], nil
}

// parseV1 joins what stands in the middle to the sender's address, as the reference does.
func parseV1(value string) (claim, string, error) {
	parts := strings.Split(value, separatorV1)
	if len(parts) < 4 {
		return claim{}, "", fmt.Errorf("%w: neither 4 parts between dots nor 4 between %s", ErrFormat, separatorV1)
	}
	nonce, negative, err := parseNonce(parts[0])
	if err != nil {
		return claim{}, "", fmt.Errorf("%w: %w", ErrFormat, err)
	}
	last := len(parts) - 1
	sender := strings.Join(parts[1:last-1], "")
	return claim{FormatV1, nonce, negative, sender, parts[last]}, parts[last-1], nil
}
