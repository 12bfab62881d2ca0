package auth

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// The headers of a request.
const (
	HeaderSignature = "bittensor-signature"
	HeaderVersion   = "bittensor-version"
	HeaderRequest   = "request_type"
	HeaderAuth      = "rpc-auth-header"

	headerAuthValue = "Bittensor"
)

// Version is the version of the protocol that is spoken here, and the oldest that is
// understood.
const Version = 370

// Request is what a caller asks for.
type Request int

const (
	// Forward asks for the model's answer.
	Forward Request = 1
	// Backward sends gradients of one.
	Backward Request = 2
)

// Signer signs the requests of one connection: nonces are counted for its receptor id,
// and a server takes them in growing order only. Whoever keeps several requests to one
// server on their way at once, which may overtake each other, gives each its own signer.
// It may be used by many goroutines.
type Signer struct {
	key      *Key
	receptor string
	now      func() time.Time

	mu   sync.Mutex
	last uint64 // nonce
}

// NewSigner makes a signer with a receptor id of its own.
func NewSigner(key *Key) (*Signer, error) {
	if !key.CanSign() {
		return nil, fmt.Errorf("%w: %v", ErrNoSecret, key.public)
	}
	return &Signer{key: key, receptor: NewReceptorID(time.Now()), now: time.Now}, nil
}

// Headers are those of the next request to the receiver.
func (s *Signer) Headers(receiver PublicKey, format Format, request Request) (map[string]string, error) {
	if format != FormatV1 && format != FormatV2 {
		return nil, fmt.Errorf("%w: %d", ErrFormat, int(format))
	}
	c := claim{format: format, nonce: NonceOf(s.nextNonce()), sender: s.key.String(), receptor: s.receptor}
	signature, err := s.key.Sign(c.message(receiver.Address()))
	if err != nil {
		return nil, err
	}
	return map[string]string{
		HeaderAuth:      headerAuthValue,
		HeaderSignature: c.header(signature),
		HeaderVersion:   strconv.Itoa(Version),
		HeaderRequest:   strconv.Itoa(int(request)),
	}, nil
}

// nextNonce is the time in nanoseconds, or the number behind the last where the clock
// was set back or is too coarse.
func (s *Signer) nextNonce() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, uint64(s.now().UnixNano()))
	return s.last
}
