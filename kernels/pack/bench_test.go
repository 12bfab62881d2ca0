package pack_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"axon/kernels/pack"

	"github.com/stretchr/testify/require"
)

// Bytes are those of the reference: an index of four bytes and a float32.
const entryBytes = 8

func benchmarkRows(b *testing.B, f func(b *testing.B, rows []pack.Row, data []byte)) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{128, 512, 4096} {
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			var rows []pack.Row
			for range 16 {
				rows = append(rows, topK(r, 50257, k))
			}
			data := encode(b, pack.Params{Vocab: 50257}, rows...)
			b.SetBytes(int64(k * entryBytes))
			b.ReportAllocs()
			b.ResetTimer()
			f(b, rows, data)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*k), "ns/entry")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	benchmarkRows(b, func(b *testing.B, rows []pack.Row, data []byte) {
		e, err := pack.NewEncoder(pack.Params{Vocab: 50257})
		require.NoError(b, err)
		for i := range b.N {
			if e.Len() == len(rows) {
				data = e.Batch(data[:0])
			}
			if err := e.Add(rows[i%len(rows)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	benchmarkRows(b, func(b *testing.B, _ []pack.Row, data []byte) {
		batch, err := pack.Parse(data, pack.Limits{})
		require.NoError(b, err)
		var row pack.Row
		for i := range b.N {
			if err := batch.Row(i%batch.Len(), &row); err != nil {
				b.Fatal(err)
			}
		}
	})
}
