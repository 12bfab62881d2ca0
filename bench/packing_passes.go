package bench

import (
	"slices"

	"axon/kernels"
	"axon/kernels/pack"
)

// The places of what is timed for packing, in the order of their samples.
const (
	atPackReduce = iota
	atEncode
	atDecode
	atPairsEncode
	atPairsDecode
	atZstdEncode
	atZstdDecode
)

// packPasses are what is timed; an input is a whole batch of rows. All have
// memory of their own, used again from call to call.
func packPasses(t PackTest, sparse []pack.Row) ([]pass, error) {
	batches := fullBatches(sparse, t.RowsPerBatch)
	logits := fullBatches(t.Rows, t.RowsPerBatch)
	encoder, err := pack.NewEncoder(t.params())
	if err != nil {
		return nil, err
	}
	messages := make([][]byte, len(batches))
	for i, rows := range batches {
		if messages[i], err = encodeBatch(encoder, nil, rows); err != nil {
			return nil, err
		}
	}
	ours := []pass{
		{"reduce", reducePass(logits, t.K)},
		{"encode", encodePass(encoder, batches)},
		{"decode", decodePass(messages)},
	}
	theirs, err := pairPasses(batches)
	return append(ours, theirs...), err
}

// fullBatches leaves out what does not fill the last one.
func fullBatches[T any](rows []T, size int) [][]T {
	return slices.Collect(slices.Chunk(rows[:len(rows)/size*size], size))
}

func reducePass(batches [][][]float32, k int) func(int) error {
	var scratch kernels.Scratch
	var entries []kernels.Entry
	return func(input int) (err error) {
		for _, row := range batches[input] {
			if entries, _, err = kernels.Reduce(entries[:0], row, k, kernels.ByIndex, &scratch); err != nil {
				return err
			}
		}
		return nil
	}
}

func encodePass(encoder *pack.Encoder, batches [][]pack.Row) func(int) error {
	var data []byte
	return func(input int) (err error) {
		data, err = encodeBatch(encoder, data[:0], batches[input])
		return err
	}
}

func decodePass(messages [][]byte) func(int) error {
	var batch pack.Batch
	var row pack.Row
	return func(input int) error {
		if err := batch.Reset(messages[input], pack.Limits{}); err != nil {
			return err
		}
		for i := range batch.Len() {
			if err := batch.Row(i, &row); err != nil {
				return err
			}
		}
		return nil
	}
}

// pairPasses are the reference's form, raw and under zstd.
func pairPasses(batches [][]pack.Row) ([]pass, error) {
	c, err := newPairCoder()
	if err != nil {
		return nil, err
	}
	pairs := make([][][]kernels.Entry, len(batches))
	plain, compressed := make([][]byte, len(batches)), make([][]byte, len(batches))
	for i, rows := range batches {
		for _, row := range rows {
			pairs[i] = append(pairs[i], pairEntries(row))
		}
		plain[i], compressed[i] = slices.Clone(c.plain(pairs[i])), slices.Clone(c.compress(pairs[i]))
	}
	return []pass{
		{"pairs encode", func(input int) error { c.plain(pairs[input]); return nil }},
		{"pairs decode", func(input int) error { c.read(plain[input]); return nil }},
		{"zstd encode", func(input int) error { c.compress(pairs[input]); return nil }},
		{"zstd decode", func(input int) error { return c.decompress(compressed[input]) }},
	}, nil
}

// pairs says how many bytes the reference's form takes, in the same batches.
func (r *PackRow) pairs(t PackTest, sparse []pack.Row) error {
	c, err := newPairCoder()
	if err != nil {
		return err
	}
	plain, compressed := 0, 0
	for rows := range slices.Chunk(sparse, t.RowsPerBatch) {
		var pairs [][]kernels.Entry
		for _, row := range rows {
			pairs = append(pairs, pairEntries(row))
		}
		plain += len(c.plain(pairs))
		compressed += len(c.compress(pairs))
	}
	n := float64(len(sparse))
	r.PairsBytes, r.ZstdBytes = float64(plain)/n, float64(compressed)/n
	return nil
}
