package auth

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A file of nonces is a header and records of one size, in the order in which things
// happened. A record is, in bytes: 0 its kind, 1 whether its time counts, 2–31 zero,
// 32–63 the sender, 64–79 the connection, 80–95 the nonce, 96–103 the time, 104–107 a
// CRC-32C of all before. Numbers are most significant byte first.

const (
	fileHeader = "axon nonces 1\n"
	recordSize = 108
	sumOffset  = recordSize - 4
	// What is read must leave room for a floor above it.
	timeLimit  = 1 << 60 // the first time that does not fit into a UUID
	nonceHiEnd = 1 << 63 // far above what nonceDigits allow
)

// What a record says.
const (
	kindUse         = 1 // a nonce was used
	kindSenderFloor = 2 // the sender's floor was at least this
	kindFloor       = 3 // the floor of unknown senders was at least this
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is one line of the journal. Floors are kept in the mark's nonce and time.
type record struct {
	kind byte
	use
}

func appendRecord(dst []byte, r record) []byte {
	var b [recordSize]byte
	b[0] = r.kind
	if r.timed {
		b[1] = 1
	}
	copy(b[32:], r.sender[:])
	copy(b[64:], r.id[:])
	nonce := r.nonce.bytes()
	copy(b[80:], nonce[:])
	binary.BigEndian.PutUint64(b[96:], r.time)
	binary.BigEndian.PutUint32(b[sumOffset:], crc32.Checksum(b[:sumOffset], castagnoli))
	return append(dst, b[:]...)
}

// parseRecord reads a record of recordSize bytes.
func parseRecord(b []byte) (record, error) {
	if crc32.Checksum(b[:sumOffset], castagnoli) != binary.BigEndian.Uint32(b[sumOffset:]) {
		return record{}, fmt.Errorf("wrong checksum")
	}
	r := record{kind: b[0]}
	r.timed = b[1] == 1
	r.sender = PublicKey(b[32:64])
	r.id = [16]byte(b[64:80])
	r.nonce = nonceFromBytes([16]byte(b[80:96]))
	r.time = binary.BigEndian.Uint64(b[96:])
	if r.kind < kindUse || r.kind > kindFloor || r.time > timeLimit || r.nonce.hi >= nonceHiEnd {
		return record{}, fmt.Errorf("record of kind %d, time %d and nonce %v, which nobody writes", r.kind, r.time, r.nonce)
	}
	return r, nil
}

// replay lets a record happen again.
func (b *book) replay(r record) {
	switch r.kind {
	case kindUse:
		b.remember(r.use)
	case kindSenderFloor:
		b.raiseFloor(r.sender, floor{r.time, r.nonce})
	case kindFloor:
		b.floor.lift(floor{r.time, r.nonce})
	}
}

// snapshotOf is the shortest file that gives the book back.
func snapshotOf(b *book) []byte {
	dst := append(make([]byte, 0, len(fileHeader)+(1+len(b.senders)+b.marks)*recordSize), fileHeader...)
	for _, key := range b.byUse() {
		s := b.senders[key]
		dst = appendRecord(dst, floorRecord(kindSenderFloor, key, s.floor))
		for _, m := range s.marks {
			dst = appendRecord(dst, record{kindUse, use{key, m}})
		}
	}
	// Last: senders that are known do not start from it.
	return appendRecord(dst, floorRecord(kindFloor, PublicKey{}, b.floor))
}

func floorRecord(kind byte, key PublicKey, f floor) record {
	return record{kind, use{key, mark{nonce: f.nonce, time: f.time}}}
}
