//go:build cgo

package translate

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnyStandardTokensAreTranslated puts tokens side by side that no text has:
// parts of characters, ends of texts, rare entries.
func TestAnyStandardTokensAreTranslated(t *testing.T) {
	standard := openVocabulary(t, "gpt-2")
	for _, name := range []string{"llama-spm", "gpt-neox"} {
		server := openVocabulary(t, name)
		p, err := NewPair(server, standard)
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(1, 2))
		for range 3 {
			tokens := make([]int32, 12)
			for i := range tokens {
				tokens[i] = []int32{r.Int32N(256), r.Int32N(50257), 50256, 220}[r.IntN(4)]
			}
			translateAll(t, p, tokens, noise(server.Size()))
		}
	}
}
