package synapse

import (
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/synapse/wire"
)

// BenchmarkCausalLMAnswer is what an answer costs besides the model: 64 rows of
// 512 entries, from entries to the message.
func BenchmarkCausalLMAnswer(b *testing.B) {
	batch := batchOfShape(1, 64)
	row := kernels.Sparse{Entries: make([]kernels.Entry, 512), Rest: -1}
	for i := range row.Entries { // a mass of 1 − 1/e
		row.Entries[i] = kernels.Entry{Index: int32(90 * i), Value: -6.697}
	}
	for name, s := range map[string]wire.Serializer{"msgpack": wire.Serializer_SERIALIZER_MSGPACK, "packed": wire.Serializer_SERIALIZER_PACKED} {
		b.Run(name, func(b *testing.B) {
			q := &TextCausalLM{TopK: 512, Coding: Serializers{ForwardResponse: s}}
			for b.Loop() {
				needs, finish := q.Answer(batch)
				for pos := range batch.Length {
					require.NoError(b, needs[0].Row(pos, row))
				}
				w, err := finish()
				require.NoError(b, err)
				b.ReportMetric(float64(len(w.GetBuffer()))/float64(batch.Length), "bytes/row")
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch.Length), "µs/row")
		})
	}
}
