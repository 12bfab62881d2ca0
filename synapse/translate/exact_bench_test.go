//go:build cgo

package translate

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkExact is what translating takes beside the model, one thread, and what
// depends on two vocabularies only.
func BenchmarkExact(b *testing.B) {
	standard := openVocabulary(b, "gpt-2")
	text, err := os.ReadFile("../../models/heldout.txt")
	require.NoError(b, err)
	tokens, err := standard.Tokenize(strings.ToValidUTF8(string(text[:2000]), ""))
	require.NoError(b, err)
	for _, name := range servers {
		server := openVocabulary(b, name)
		row := noiseRow(server.Size(), nil)
		p, err := NewPair(server, standard)
		require.NoError(b, err)
		b.Run(name+"/pair", func(b *testing.B) {
			for b.Loop() {
				p, err := NewPair(server, standard)
				require.NoError(b, err)
				require.NoError(b, p.Warm(Exact))
			}
		})
		b.Run(name+"/rows", func(b *testing.B) {
			prepared, err := p.Prepare(tokens, Exact)
			require.NoError(b, err)
			model := func(_ context.Context, _ []int32, positions []int, each func(int, []float32) error) error {
				for _, pos := range positions {
					if err := each(pos, row); err != nil {
						return err
					}
				}
				return nil
			}
			run := func() {
				_, err := prepared.Distributions(b.Context(), model, nil, func(int, []float32) error { return nil })
				require.NoError(b, err)
			}
			run() // what is kept of a pair is there from now on
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(tokens)), "µs/row")
		})
	}
}
