package auth

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
)

const seedSize = sr25519.MiniSecretKeySize

// Key is a hotkey: its public half and, where it is known, its secret one. However it
// is printed, logged or marshalled, only the public half shows.
type Key struct {
	public PublicKey
	// secret gives the secret half; it is nil where only the public one is known. It is a
	// function because reflection, which prints the fields of somebody else's struct with
	// a key in it, cannot see behind one, as it can behind pointers.
	secret func() *secretHalf
}

type secretHalf struct {
	pair     *sr25519.KeyPair
	seed     [seedSize]byte
	mnemonic string // empty where the key was made from its seed
}

// NewKey makes a key from fresh randomness, with a mnemonic of twelve words.
func NewKey() (*Key, error) {
	entropy := make([]byte, newEntropySize)
	if _, err := rand.Read(entropy); err != nil {
		return nil, fmt.Errorf("new key: %w", err)
	}
	words, err := mnemonicFromEntropy(entropy)
	if err != nil {
		return nil, err
	}
	return KeyFromMnemonic(words)
}

// KeyFromSeed makes the key of a mini secret of 32 bytes.
func KeyFromSeed(seed []byte) (*Key, error) {
	if len(seed) != seedSize {
		return nil, fmt.Errorf("%w: %d bytes where %d are needed", ErrSeed, len(seed), seedSize)
	}
	pair, err := pairFromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeed, err)
	}
	public, err := pair.PublicKey().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSeed, err)
	}
	half := &secretHalf{pair: pair, seed: [seedSize]byte(seed)}
	return &Key{PublicKey(public), func() *secretHalf { return half }}, nil
}

// KeyFromSeedHex makes the key of a mini secret in 64 hexadecimal digits, with or
// without 0x in front.
func KeyFromSeedHex(text string) (*Key, error) {
	digits := strings.TrimPrefix(text, hexPrefix)
	if len(digits) != hex.EncodedLen(seedSize) {
		return nil, fmt.Errorf("%w: %d hexadecimal digits where %d are needed", ErrSeed, len(digits), hex.EncodedLen(seedSize))
	}
	seed, err := hex.DecodeString(digits)
	if err != nil { // whose text would repeat a part of the secret
		return nil, fmt.Errorf("%w: a character that is no hexadecimal digit", ErrSeed)
	}
	return KeyFromSeed(seed)
}

// KeyFromMnemonic makes the key of 12 to 24 English words, without a password.
func KeyFromMnemonic(words string) (*Key, error) {
	seed, err := seedFromMnemonic(words)
	if err != nil {
		return nil, err
	}
	key, err := KeyFromSeed(seed)
	if err != nil {
		return nil, err
	}
	key.secret().mnemonic = strings.Join(strings.Fields(words), " ")
	return key, nil
}

// PublicOnly is a key of which only the public half is known.
func PublicOnly(public PublicKey) *Key { return &Key{public: public} }

// Public is the public half.
func (k *Key) Public() PublicKey { return k.public }

// CanSign reports whether the secret half is known.
func (k *Key) CanSign() bool { return k.secret != nil }

// Sign signs a message.
func (k *Key) Sign(message []byte) (Signature, error) {
	if k.secret == nil {
		return Signature{}, fmt.Errorf("%w: %v", ErrNoSecret, k.public)
	}
	s, err := sign(k.secret().pair, message)
	if err != nil {
		return Signature{}, fmt.Errorf("sign as %v: %w", k.public, err)
	}
	return s, nil
}

// RevealMnemonic gives the secret words away, once, to whoever must write them down.
// They are empty where the key was made from its seed, or cannot sign.
func (k *Key) RevealMnemonic() string {
	if k.secret == nil {
		return ""
	}
	return k.secret().mnemonic
}

// String is the address.
func (k *Key) String() string { return k.public.Address() }

// Format prints the address, whatever the verb: %#v and %d would print the secret.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue logs the address.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText writes the address.
func (k *Key) MarshalText() ([]byte, error) { return k.public.MarshalText() }
