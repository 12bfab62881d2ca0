package auth

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"axon/internal/conformance"

	"github.com/stretchr/testify/require"
)

// deviations are the recorded requests that the reference accepts and this package
// refuses, with the reason.
var deviations = map[string]string{
	"sender_as_hex_key":   "a sender is one address of format 42, or one key would have several names; honest clients send nothing else",
	"sender_other_format": "a sender is one address of format 42, or one key would have several names; honest clients send nothing else",
}

type signatureCase struct {
	Name string `json:"name"`
	Op   string `json:"op"`

	PublicKey *string           `json:"public_key"`
	Addresses map[string]string `json:"addresses_by_format"`
	Address   string            `json:"address"`

	Message    *string `json:"message"`
	MessageHex string  `json:"message_hex"`
	Signature  string  `json:"signature"`
	Valid      *bool   `json:"valid"`

	EndpointVersion int    `json:"endpoint_version"`
	Format          Format `json:"format"`
	Nonce           uint64 `json:"nonce"`
	Sender          string `json:"sender_hotkey"`
	Receiver        string `json:"receiver_hotkey"`
	Receptor        string `json:"receptor_uuid"`
	SignedMessage   string `json:"signed_message"`
	Header          string `json:"bittensor_signature"`

	Requests []recordedRequest `json:"requests"`
}

type recordedRequest struct {
	Metadata map[string]string `json:"metadata"`
	Method   string            `json:"method"`
	Accepted bool              `json:"accepted"`
	Message  string            `json:"message"`
}

func TestRecordedSignatures(t *testing.T) {
	ops := map[string]func(*testing.T, signatureCase){
		"address": recordedAddress, "decode_address": recordedDecoding, "verify": recordedVerification,
		"client_signature": recordedClient, "server_check": recordedServer,
	}
	for _, c := range conformance.Cases[signatureCase](conformance.Open(t, "h_signatures")) {
		t.Run(c.Name, func(t *testing.T) {
			require.Contains(t, ops, c.Op)
			ops[c.Op](t, c)
		})
	}
}

func recordedAddress(t *testing.T, c signatureCase) {
	key, err := ParsePublicKey(*c.PublicKey)
	require.NoError(t, err)
	require.NotEmpty(t, c.Addresses)
	for text, want := range c.Addresses {
		format, err := strconv.Atoi(text)
		require.NoError(t, err)
		address, err := key.AddressIn(format)
		require.NoError(t, err)
		require.Equal(t, want, address)
		back, parsed, err := parseAddress(want)
		require.NoError(t, err)
		require.Equal(t, format, parsed)
		require.Equal(t, key, back)
	}
}

func recordedDecoding(t *testing.T, c signatureCase) {
	key, err := ParsePublicKey(c.Address)
	if c.PublicKey == nil {
		require.Error(t, err)
		return
	}
	require.NoError(t, err)
	require.Equal(t, *c.PublicKey, key.Hex())
}

func recordedVerification(t *testing.T, c signatureCase) {
	key, err := ParsePublicKey(*c.PublicKey)
	require.NoError(t, err)
	digits := c.MessageHex
	if c.Message != nil && strings.HasPrefix(*c.Message, "0x") {
		digits = *c.Message // the reference takes such a text as bytes; no request's text begins so
	}
	message, err := hex.DecodeString(strings.TrimPrefix(digits, "0x"))
	require.NoError(t, err)
	signature, err := ParseSignature(c.Signature)
	if c.Valid == nil {
		require.ErrorIs(t, err, ErrSignature)
		return
	}
	require.NoError(t, err)
	require.Equal(t, *c.Valid, key.Verify(message, signature))
}

func recordedClient(t *testing.T, c signatureCase) {
	require.Equal(t, c.Format, FormatFor(c.EndpointVersion))
	ours := claim{format: c.Format, nonce: NonceOf(c.Nonce), sender: c.Sender, receptor: c.Receptor}
	require.Equal(t, c.SignedMessage, string(ours.message(c.Receiver)))
	theirs, digits, err := parseClaim(c.Header)
	require.NoError(t, err)
	require.Equal(t, ours, theirs)
	signature, err := ParseSignature(digits)
	require.NoError(t, err)
	require.Equal(t, c.Header, ours.header(signature))
	sender, err := ParseHotkey(c.Sender)
	require.NoError(t, err)
	require.True(t, sender.Verify([]byte(c.SignedMessage), signature))
}

func recordedServer(t *testing.T, c signatureCase) {
	receiver, err := ParseHotkey(c.Receiver)
	require.NoError(t, err)
	checker := newChecker(t, Options{Receiver: receiver, AllowV1: true, Admit: recordedAdmission(c)})
	for _, r := range c.Requests {
		headers := make(map[string][]string)
		for name, value := range r.Metadata {
			headers[name] = []string{value}
		}
		_, err := checker.Check(r.Method, headers)
		if reason, ok := deviations[c.Name]; ok {
			require.ErrorIs(t, err, ErrAddress, reason)
			continue
		}
		if r.Accepted {
			require.NoError(t, err)
			continue
		}
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
		if referenceWords(r.Message) || ownBlacklist(c) {
			require.Equal(t, r.Message, refusal.Message)
		}
	}
}

// referenceWords tells the reference's own words from those of the libraries it uses.
func referenceWords(message string) bool {
	return slices.Contains([]string{
		messageMissing, messageVersion, messageFormat, messageReplayed, messageMismatch, messageMethod, messageUnwelcome,
	}, message)
}

// recordedAdmission refuses as the blacklist of a case did. Cases are told by their
// names; what a blacklist said stands in the answer.
func recordedAdmission(c signatureCase) func(Caller) error {
	first := c.Requests[0]
	return func(Caller) error {
		switch {
		case first.Message == messageUnwelcome:
			return NotAdmitted()
		case ownBlacklist(c):
			return errors.New(first.Message)
		}
		return nil
	}
}

// ownBlacklist reports whether the case's server had a blacklist that gave its own reason.
func ownBlacklist(c signatureCase) bool {
	first := c.Requests[0]
	return strings.HasPrefix(c.Name, "blacklist") && !first.Accepted && !referenceWords(first.Message)
}

func newChecker(t testing.TB, o Options) *Checker {
	t.Helper()
	if o.Nonces == nil {
		nonces, err := NewNonces(Limits{})
		require.NoError(t, err)
		o.Nonces = nonces
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	}
	checker, err := NewChecker(o)
	require.NoError(t, err)
	return checker
}

type keyFileCase struct {
	Name    string           `json:"name"`
	Op      string           `json:"op"`
	KeyFile conformance.Blob `json:"keyfile"`
	Content struct {
		Phrase *string `json:"secretPhrase"`
		Seed   *string `json:"secretSeed"`
		Public string  `json:"publicKey"`
	} `json:"content"`
	ReadBack *struct {
		Address  string  `json:"ss58"`
		Public   string  `json:"public_key"`
		CanSign  bool    `json:"can_sign"`
		Mnemonic *string `json:"mnemonic"`
	} `json:"read_back"`
	Encrypted bool `json:"is_encrypted"`
}

func TestRecordedKeyFiles(t *testing.T) {
	folder := conformance.Open(t, "i_keyfiles")
	for _, c := range conformance.Cases[keyFileCase](folder) {
		t.Run(c.Name, func(t *testing.T) {
			data := folder.Blob(c.KeyFile)
			if c.Op == "write" {
				recordedWrite(t, c, data)
			}
			recordedRead(t, c, data)
		})
	}
}

func recordedWrite(t *testing.T, c keyFileCase, want []byte) {
	key := recordedKey(t, c)
	path := filepath.Join(t.TempDir(), "hotkeys", "default")
	require.NoError(t, WriteKeyFile(path, key))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func recordedKey(t *testing.T, c keyFileCase) *Key {
	var key *Key
	var err error
	switch {
	case c.Content.Phrase != nil:
		key, err = KeyFromMnemonic(*c.Content.Phrase)
	case c.Content.Seed != nil:
		key, err = KeyFromSeedHex(*c.Content.Seed)
	default:
		key, err = publicOnly(ParsePublicKey(c.Content.Public))
	}
	require.NoError(t, err)
	return key
}

func recordedRead(t *testing.T, c keyFileCase, data []byte) {
	key, err := ParseKeyFile(data)
	switch {
	case c.Encrypted:
		require.ErrorIs(t, err, ErrEncrypted)
		return
	case c.ReadBack == nil:
		require.ErrorIs(t, err, ErrKeyFile)
		return
	}
	require.NoError(t, err)
	require.Equal(t, c.ReadBack.Address, key.String())
	require.Equal(t, c.ReadBack.Public, key.Public().Hex())
	require.Equal(t, c.ReadBack.CanSign, key.CanSign())
	mnemonic := ""
	if c.ReadBack.Mnemonic != nil {
		mnemonic = *c.ReadBack.Mnemonic
	}
	require.Equal(t, mnemonic, key.RevealMnemonic())
}
