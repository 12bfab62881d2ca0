package rowfile

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"axon/kernels/pack"
)

const (
	headLen   = 24
	targetLen = 8
	maxChunk  = 64 << 20 // bytes between a chunk's head and its checksum

	kindRows = "ROWS"
	kindEnd  = "END."
)

// head is what a chunk begins with.
type head struct {
	kind  string
	rows  uint32 // number of rows
	first uint64 // the first of them
	size  uint32 // bytes that follow, without the checksum
}

func (c *head) encode(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, c.kind...)
	dst = binary.LittleEndian.AppendUint32(dst, c.rows)
	dst = binary.LittleEndian.AppendUint64(dst, c.first)
	dst = binary.LittleEndian.AppendUint32(dst, c.size)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// decodeHead reports false when the checksum does not match.
func decodeHead(b []byte) (head, bool) {
	c := head{
		kind: string(b[:4]), rows: binary.LittleEndian.Uint32(b[4:]),
		first: binary.LittleEndian.Uint64(b[8:]), size: binary.LittleEndian.Uint32(b[16:]),
	}
	return c, crc32.Checksum(b[:headLen-crcLen], castagnoli) == binary.LittleEndian.Uint32(b[headLen-crcLen:])
}

// fault says what is wrong with a chunk of that head in a file of which so many
// rows were read; empty: nothing.
func (c *head) fault(h *Header, next uint64) string {
	switch {
	case c.kind != kindRows && c.kind != kindEnd:
		return fmt.Sprintf("a chunk of the unknown kind %q", c.kind)
	case c.first != next:
		return fmt.Sprintf("a chunk of the rows from %d; those from %d should follow", c.first, next)
	case c.kind == kindEnd && (c.rows != 0 || c.size != crcLen):
		return "an end that is none"
	case c.kind == kindEnd && next != h.Rows():
		return fmt.Sprintf("the end after %d of %d rows", next, h.Rows())
	case c.kind == kindEnd:
		return ""
	case c.rows == 0 || uint64(c.rows) > h.Rows()-next || c.rows > uint32(h.ChunkRows):
		return fmt.Sprintf("a chunk of %d rows, where it may have %d at most", c.rows, min(h.Rows()-next, uint64(h.ChunkRows)))
	case c.size > maxChunk || uint64(c.size) < targetLen*uint64(c.rows):
		return fmt.Sprintf("a chunk of %d bytes for %d rows", c.size, c.rows)
	}
	return ""
}

// Target is the token that came after a row's position, and what the model made of
// it: the natural log of its probability, exact whether or not the row names it.
type Target struct {
	Token   int32
	LogProb float32
}

// fault says what is wrong with a target; empty: nothing.
func (t Target) fault(vocab int) string {
	switch {
	case t.Token < 0 || int(t.Token) >= vocab:
		return fmt.Sprintf("token %d is outside the vocabulary of %d", t.Token, vocab)
	case !(t.LogProb <= pack.Slack):
		return fmt.Sprintf("log-probability %v of a token is none", t.LogProb)
	}
	return ""
}

// decodeTargets reads n tokens and then their log-probabilities.
func decodeTargets(dst []Target, b []byte, n int) []Target {
	for i := range n {
		dst = append(dst, Target{
			Token:   int32(binary.LittleEndian.Uint32(b[4*i:])),
			LogProb: math.Float32frombits(binary.LittleEndian.Uint32(b[4*(n+i):])),
		})
	}
	return dst
}
