package bench

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/klauspost/compress/zstd"

	"axon/kernels"
	"axon/kernels/pack"
)

// The reference's form of a sparse row, to compare with: for each entry the
// token and its probability, most likely first, both as float32. It has no
// rest.

const pairBytes = 8

// pairEntries are a row's entries as the reference has them: probabilities,
// in descending order.
func pairEntries(row pack.Row) []kernels.Entry {
	list := make([]kernels.Entry, len(row.Entries))
	for i, e := range row.Entries {
		list[i] = kernels.Entry{Index: e.Index, Value: float32(math.Exp(float64(e.Value)))}
	}
	slices.SortFunc(list, descending)
	return list
}

func appendPairs(dst []byte, row []kernels.Entry) []byte {
	for _, e := range row {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(e.Index)))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(e.Value))
	}
	return dst
}

func readPairs(dst []kernels.Entry, data []byte) []kernels.Entry {
	for ; len(data) >= pairBytes; data = data[pairBytes:] {
		dst = append(dst, kernels.Entry{
			Index: int32(math.Float32frombits(binary.LittleEndian.Uint32(data))),
			Value: math.Float32frombits(binary.LittleEndian.Uint32(data[4:])),
		})
	}
	return dst
}

// pairCoder turns batches of rows into messages of pairs and back, as they are
// or under zstd at its default level, one thread.
type pairCoder struct {
	encoder      *zstd.Encoder
	decoder      *zstd.Decoder
	raw, message []byte
	rows         []kernels.Entry
}

func newPairCoder() (*pairCoder, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return &pairCoder{encoder: e, decoder: d}, nil
}

// plain makes a message of pairs.
func (c *pairCoder) plain(rows [][]kernels.Entry) []byte {
	c.raw = c.raw[:0]
	for _, row := range rows {
		c.raw = appendPairs(c.raw, row)
	}
	return c.raw
}

// compress makes a message of pairs under zstd.
func (c *pairCoder) compress(rows [][]kernels.Entry) []byte {
	c.message = c.encoder.EncodeAll(c.plain(rows), c.message[:0])
	return c.message
}

// read undoes plain.
func (c *pairCoder) read(data []byte) { c.rows = readPairs(c.rows[:0], data) }

// decompress undoes compress.
func (c *pairCoder) decompress(message []byte) (err error) {
	if c.raw, err = c.decoder.DecodeAll(message, c.raw[:0]); err != nil {
		return err
	}
	c.read(c.raw)
	return nil
}
