package auth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The methods of the protocol.
const (
	MethodForward  = "/Bittensor/Forward"
	MethodBackward = "/Bittensor/Backward"
)

const (
	signatureLimit = 512 // bytes of the header; an honest one has 240
	versionLimit   = 16
)

// Caller is who sent a request, once that is proven.
type Caller struct {
	Hotkey   PublicKey
	Receptor string // id of the caller's connection
	Nonce    Nonce
	Format   Format
	Version  int // of the protocol
	Request  Request
}

// Options say what a [Checker] asks of callers.
type Options struct {
	Receiver PublicKey          // the server's own hotkey, which requests must name
	Nonces   *Nonces            // which have been used; [OpenNonces] gives one that survives a restart
	AllowV1  bool               // take signatures of format 1 as well, which name no receiver
	Admit    func(Caller) error // refuses proven callers: a [Refusal], or an error whose text they may read; nil admits all
	Now      func() time.Time   // nil for the machine's clock
}

// Validate lists what is wrong with the options.
func (o Options) Validate() error {
	var faults []error
	if o.Receiver == (PublicKey{}) {
		faults = append(faults, fmt.Errorf("%w: no hotkey of the server's own", ErrOptions))
	}
	if o.Nonces == nil {
		faults = append(faults, fmt.Errorf("%w: no memory of nonces", ErrOptions))
	}
	return errors.Join(faults...)
}

// Checker checks the requests that a server receives. It may be used by many goroutines.
type Checker struct {
	options Options
	refused *refusedNonces
}

// NewChecker makes a checker. The memory of nonces stays the caller's to close.
func NewChecker(o Options) (*Checker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Checker{options: o, refused: newRefusedNonces(refusedLimit)}, nil
}

// Check proves who sent a request to a method, from its headers, and uses up its nonce.
// A request that is not let in gives a [Refusal]; any other error is the server's own
// fault, of which nothing should be sent to the caller.
//
// Faults are looked for in the order of the reference: headers, form, nonce, signature,
// admission. Nothing is written to disk for callers who are not admitted.
func (c *Checker) Check(method string, headers map[string][]string) (Caller, error) {
	claimed, signature, version, err := c.read(headers)
	if err != nil {
		return Caller{}, err
	}
	sender, err := ParseHotkey(claimed.sender)
	if err != nil {
		return Caller{}, &Refusal{err, "sender: " + err.Error()}
	}
	use := newUse(sender, claimed.receptor, claimed.nonce)
	if err := c.fresh(use); err != nil {
		return Caller{}, err
	}
	if err := c.prove(claimed, sender, signature); err != nil {
		return Caller{}, err
	}
	caller := Caller{sender, claimed.receptor, claimed.nonce, claimed.format, version, requestOf(method)}
	if err := c.admit(caller); err != nil {
		c.refused.remember(use)
		return Caller{}, err
	}
	if err := c.options.Nonces.use(use); err != nil {
		return Caller{}, err
	}
	return caller, nil
}

// read takes the headers apart. Nothing in them is believed yet.
func (c *Checker) read(headers map[string][]string) (claim, Signature, int, error) {
	fail := func(err error) (claim, Signature, int, error) { return claim{}, Signature{}, 0, err }
	value, err := single(headers, HeaderSignature, signatureLimit, messageMissing)
	if err != nil {
		return fail(err)
	}
	version, err := readVersion(headers)
	if err != nil {
		return fail(err)
	}
	claimed, digits, err := parseClaim(value)
	if err != nil {
		return fail(&Refusal{err, messageFormat})
	}
	if claimed.format == FormatV1 && !c.options.AllowV1 {
		return fail(&Refusal{ErrFormat, "signatures of format 1 are switched off on this server, since they name no receiver; sign with format 2"})
	}
	if err := checkReceptor(claimed.receptor, c.options.Now()); err != nil {
		return fail(err)
	}
	signature, err := ParseSignature(digits)
	if err != nil {
		return fail(&Refusal{err, err.Error()})
	}
	return claimed, signature, version, nil
}

// fresh refuses nonces that were used, before the time for a signature is spent on them.
func (c *Checker) fresh(u use) error {
	if c.refused.used(u) {
		return &Refusal{ErrReplayed, messageReplayed}
	}
	return c.options.Nonces.check(u)
}

// prove checks the signature.
func (c *Checker) prove(claimed claim, sender PublicKey, signature Signature) error {
	if !sender.Verify(claimed.message(c.options.Receiver.Address()), signature) {
		return &Refusal{ErrMismatch, messageMismatch}
	}
	// Every count begins at zero here: below it, nothing could be told from a replay.
	if claimed.negative {
		return &Refusal{ErrReplayed, messageReplayed}
	}
	return nil
}

// admit asks whether a proven caller is wanted.
func (c *Checker) admit(caller Caller) error {
	if caller.Request == 0 {
		return &Refusal{ErrMethod, messageMethod}
	}
	if c.options.Admit == nil {
		return nil
	}
	err := c.options.Admit(caller)
	var refusal *Refusal
	if err == nil || errors.As(err, &refusal) {
		return err
	}
	return &Refusal{fmt.Errorf("%w: %w", ErrNotAdmitted, err), err.Error()}
}

// requestOf is what a method asks for, or zero.
func requestOf(method string) Request {
	switch method {
	case MethodForward:
		return Forward
	case MethodBackward:
		return Backward
	}
	return 0
}

// readVersion refuses callers of other versions of the protocol than we can answer.
func readVersion(headers map[string][]string) (int, error) {
	text, err := single(headers, HeaderVersion, versionLimit, messageVersion)
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || version < Version {
		return 0, &Refusal{ErrVersion, messageVersion}
	}
	return version, nil
}

// single gives the value of a header that must be there, once.
func single(headers map[string][]string, name string, limit int, missing string) (string, error) {
	values := headers[name]
	switch {
	case len(values) == 0:
		return "", &Refusal{ErrHeader, missing}
	case len(values) > 1:
		return "", &Refusal{ErrHeader, fmt.Sprintf("%s is given %d times", name, len(values))}
	case len(values[0]) > limit:
		return "", &Refusal{ErrHeader, fmt.Sprintf("%s of %d bytes exceeds the limit %d", name, len(values[0]), limit)}
	}
	return values[0], nil
}
