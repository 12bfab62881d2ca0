package auth

import (
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
)

// signingContext is the one that all of substrate signs in.
var signingContext = sr25519.NewSigningContext([]byte("substrate"))

// PublicKey is the public half of an sr25519 key.
type PublicKey [sr25519.PublicKeySize]byte

// String is the address in the network's format.
func (p PublicKey) String() string { return p.Address() }

// MarshalText writes the address, in logs and JSON.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.Address()), nil }

// Hex is the key as 0x and digits.
func (p PublicKey) Hex() string { return formatHex(p[:]) }

// Signature is an sr25519 signature.
type Signature [sr25519.SignatureSize]byte

// String is the signature as 0x and digits.
func (s Signature) String() string { return formatHex(s[:]) }

// ParseSignature reads 0x and 128 hexadecimal digits.
func ParseSignature(text string) (Signature, error) {
	var s Signature
	if err := parseHex(s[:], text); err != nil {
		return Signature{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return s, nil
}

// Verify reports whether the signature is the key's over the message, or over the
// message between the tags that browser wallets put around whatever they sign.
func (p PublicKey) Verify(message []byte, s Signature) bool {
	// The neutral element is nobody's key: anybody can sign for it.
	if p == (PublicKey{}) {
		return false
	}
	key, err := sr25519.NewPublicKeyFromBytes(p[:])
	if err != nil {
		return false
	}
	signature, err := sr25519.NewSignatureFromBytes(s[:])
	if err != nil {
		return false
	}
	wrapped := slices.Concat([]byte("<Bytes>"), message, []byte("</Bytes>"))
	return key.Verify(signingContext.NewTranscriptBytes(message), signature) ||
		key.Verify(signingContext.NewTranscriptBytes(wrapped), signature)
}

// pairFromSeed expands a mini secret as substrate does.
func pairFromSeed(seed []byte) (*sr25519.KeyPair, error) {
	mini, err := sr25519.NewMiniSecretKeyFromBytes(seed)
	if err != nil {
		return nil, err
	}
	return mini.ExpandEd25519().KeyPair(), nil
}

// sign signs a message; no two signatures are alike.
func sign(pair *sr25519.KeyPair, message []byte) (Signature, error) {
	signature, err := pair.Sign(rand.Reader, signingContext.NewTranscriptBytes(message))
	if err != nil {
		return Signature{}, err
	}
	raw, err := signature.MarshalBinary()
	if err != nil {
		return Signature{}, err
	}
	return Signature(raw), nil
}
