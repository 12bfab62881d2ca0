//go:build cgo

package translate

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// servers are vocabularies of 32000 to 151646 tokens.
var servers = []string{"llama-spm", "gpt-neox", "llama-bpe", "qwen2"}

// BenchmarkWarm is what depends on two vocabularies only.
func BenchmarkWarm(b *testing.B) {
	standard := openVocabulary(b, "gpt-2")
	for _, name := range servers {
		server := openVocabulary(b, name)
		for _, m := range []Method{Reference} {
			b.Run(name+"/"+string(m), func(b *testing.B) {
				for b.Loop() {
					p, err := NewPair(server, standard)
					require.NoError(b, err)
					require.NoError(b, p.Warm(m))
				}
			})
		}
		b.Run(name+"/part", func(b *testing.B) {
			r := newReader(server, false)
			for b.Loop() {
				for _, e := range extents([]int{3}) {
					_, err := newParts(r).table(e)
					require.NoError(b, err)
				}
			}
		})
	}
}

// BenchmarkReference is what translating takes beside the model: rows/s are
// standard rows.
func BenchmarkReference(b *testing.B) {
	standard := openVocabulary(b, "gpt-2")
	text, err := os.ReadFile("../../models/heldout.txt")
	require.NoError(b, err)
	tokens, err := standard.Tokenize(strings.ToValidUTF8(string(text[:2000]), ""))
	require.NoError(b, err)
	for _, name := range servers {
		server := openVocabulary(b, name)
		p, err := NewPair(server, standard)
		require.NoError(b, err)
		require.NoError(b, p.Warm(Reference))
		prepared, err := p.Prepare(tokens, Reference)
		require.NoError(b, err)
		row := make([]float32, server.Size())
		for i := range row {
			row[i] = float32(i%101) / 10
		}
		model := func(_ context.Context, _ []int32, positions []int, each func(int, []float32) error) error {
			for _, p := range positions {
				if err := each(p, row); err != nil {
					return err
				}
			}
			return nil
		}
		b.Run(name+"/prepare", func(b *testing.B) {
			for b.Loop() {
				_, err := p.Prepare(tokens, Reference)
				require.NoError(b, err)
			}
		})
		b.Run(name+"/rows", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := prepared.Distributions(b.Context(), model, nil, func(int, []float32) error { return nil })
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(tokens)), "µs/row")
		})
	}
}
