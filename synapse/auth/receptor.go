package auth

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// A receptor id names the connection of a client that a nonce counts for. Clients of the
// reference use UUIDs of version 1, which carry the time they were made at.

const (
	receptorLimit = 64 // bytes; a UUID has 36
	uuidLength    = 36
	// ticks of 100 ns between the beginning of UUIDs' time, 15 October 1582, and Unix time.
	uuidEpoch = 0x01b21dd213814000
	// clockSkew is by how much a client's clock may be ahead of ours. The memory of nonces
	// forgets by the time in receptor ids: whoever could claim any time to come could
	// shut out everybody else until then.
	clockSkew = time.Hour
)

// NewReceptorID makes the id of a new connection: a UUID of version 1 with random bits
// in place of the machine's address.
func NewReceptorID(now time.Time) string {
	var b [16]byte
	ticks := uuidTicks(now)
	binary.BigEndian.PutUint32(b[0:], uint32(ticks))
	binary.BigEndian.PutUint16(b[4:], uint16(ticks>>32))
	binary.BigEndian.PutUint16(b[6:], uint16(ticks>>48)&0x0fff|0x1000)
	_, _ = rand.Read(b[8:]) // never fails
	b[8] = b[8]&0x3f | 0x80
	b[10] |= 1 // multicast: no machine's address
	d := hex.EncodeToString(b[:])
	return strings.Join([]string{d[:8], d[8:12], d[12:16], d[16:20], d[20:]}, "-")
}

// receptorTime reads the time in a receptor id, in UUIDs' ticks. Other ids have none.
func receptorTime(id string) (ticks uint64, ok bool) {
	if len(id) != uuidLength || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return 0, false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(strings.ReplaceAll(id, "-", ""))); err != nil {
		return 0, false
	}
	if b[6]>>4 != 1 || b[8]>>6 != 2 { // version 1, of the usual variant
		return 0, false
	}
	return uint64(binary.BigEndian.Uint16(b[6:])&0x0fff)<<48 |
		uint64(binary.BigEndian.Uint16(b[4:]))<<32 | uint64(binary.BigEndian.Uint32(b[0:])), true
}

// checkReceptor refuses ids that are too long, or of a time that has not come.
func checkReceptor(id string, now time.Time) error {
	if len(id) > receptorLimit {
		return &Refusal{ErrReceptor, fmt.Sprintf("receptor id of %d bytes exceeds the limit %d", len(id), receptorLimit)}
	}
	if ticks, ok := receptorTime(id); ok && ticks > uuidTicks(now.Add(clockSkew)) {
		return &Refusal{ErrReceptor, fmt.Sprintf(
			"receptor id is of a time more than %v ahead of this server's; set the caller's clock", clockSkew)}
	}
	return nil
}

// uuidTicks converts a time into UUIDs' ticks.
func uuidTicks(t time.Time) uint64 { return uint64(t.UnixNano()/100) + uuidEpoch }
