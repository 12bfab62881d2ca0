package auth

import (
	"errors"
	"fmt"
)

var (
	// ErrAddress is returned for a text that is no SS58 address of a public key, or not one of the network's format where that is wanted.
	ErrAddress = errors.New("invalid address")
	// ErrPublicKey is returned for hexadecimal digits that are no public key of 32 bytes.
	ErrPublicKey = errors.New("invalid public key")
	// ErrSignature is returned for a text that is not 0x and the 128 hexadecimal digits of a signature.
	ErrSignature = errors.New("invalid signature")
	// ErrSeed is returned for a secret seed that is not 32 bytes in hexadecimal digits.
	ErrSeed = errors.New("invalid secret seed")
	// ErrMnemonic is returned for words that are no BIP-39 mnemonic in English.
	ErrMnemonic = errors.New("invalid mnemonic")
	// ErrNoSecret is returned when a key of which only the public half is known is to sign.
	ErrNoSecret = errors.New("the key has no secret half and cannot sign")

	// ErrKeyFile is returned when a file holds no key that can be read.
	ErrKeyFile = errors.New("unusable key file")
	// ErrEncrypted is returned when a key file is protected by a password.
	ErrEncrypted = errors.New("encrypted key file")
	// ErrKeyExists is returned when a key file is to be written where one already is.
	ErrKeyExists = errors.New("the key file exists")
	// ErrName is returned for the name of a wallet or hotkey that cannot be the name of a file.
	ErrName = errors.New("invalid name")

	// ErrHeader is returned when a request's header is missing, given twice or too long.
	ErrHeader = errors.New("missing or invalid header")
	// ErrVersion is returned when a caller's protocol is too old, or of no known version.
	ErrVersion = errors.New("incompatible version of the protocol")
	// ErrFormat is returned when a request's signature is in no known format, or in one that is switched off.
	ErrFormat = errors.New("unknown format of a request's signature")
	// ErrReceptor is returned when the id of a caller's connection is too long, or of a time to come.
	ErrReceptor = errors.New("invalid receptor id")
	// ErrReplayed is returned when a request's nonce was used already, or might have been.
	ErrReplayed = errors.New("used nonce")
	// ErrMismatch is returned when a signature is not the sender's over this request.
	ErrMismatch = errors.New("signature mismatch")
	// ErrMethod is returned for a method that the protocol does not have.
	ErrMethod = errors.New("unknown method")
	// ErrNotAdmitted is returned when the caller is known and not wanted.
	ErrNotAdmitted = errors.New("caller not admitted")
	// ErrDenied is returned, as an [ErrNotAdmitted], for a hotkey on the list of those not answered.
	ErrDenied = fmt.Errorf("%w: denied", ErrNotAdmitted)
	// ErrUnregistered is returned, as an [ErrNotAdmitted], for a hotkey that is not registered.
	ErrUnregistered = fmt.Errorf("%w: not registered", ErrNotAdmitted)
	// ErrStake is returned, as an [ErrNotAdmitted], for a hotkey with less stake than is asked for.
	ErrStake = fmt.Errorf("%w: too little stake", ErrNotAdmitted)
	// ErrInterval is returned, as an [ErrNotAdmitted], for a hotkey that asks again too soon.
	ErrInterval = fmt.Errorf("%w: too soon", ErrNotAdmitted)

	// ErrOptions is returned for settings that contradict themselves or are missing.
	ErrOptions = errors.New("invalid options")
	// ErrNonceFile is returned when the file of nonces is damaged, or cannot be read or written.
	ErrNonceFile = errors.New("unusable file of nonces")
	// ErrLocked is returned when another process has the file of nonces open.
	ErrLocked = errors.New("another process uses the file of nonces")
	// ErrClosed is returned when the memory of nonces is used after Close.
	ErrClosed = errors.New("memory of nonces used after Close")
)

// What a server of the reference says when it refuses. Other refusals have words of our own.
const (
	messageMissing   = "Request signature missing"
	messageVersion   = "Incorrect Version"
	messageFormat    = "Unknown signature format"
	messageReplayed  = "Nonce is too small"
	messageMismatch  = "Signature mismatch"
	messageMethod    = "Unknown request type"
	messageUnwelcome = "Request type is blacklisted"
)

// Refusal says why a request was not let in. It names no secret and repeats nothing
// that the caller sent at length: it is meant to be sent back, as UNAUTHENTICATED.
type Refusal struct {
	Reason  error  // one of the package's sentinels
	Message string // for the caller; in the words of the reference where it has some
}

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

// Unwrap returns the reason, for errors.Is.
func (r *Refusal) Unwrap() error { return r.Reason }

// NotAdmitted is the refusal of a caller who is known and not wanted.
func NotAdmitted() *Refusal {
	return &Refusal{Reason: ErrNotAdmitted, Message: messageUnwelcome}
}
