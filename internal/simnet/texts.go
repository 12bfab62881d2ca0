package simnet

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"axon/internal/corpus"
)

// Texts are windows of so many tokens in the network's language, without end.
func (n *Network) Texts(length int) corpus.Corpus { return &texts{n.language, length} }

type texts struct {
	language *language
	length   int
}

// Draw makes the windows of the slots that follow p.
func (t *texts) Draw(ctx context.Context, p corpus.Position, n int) ([][]int32, corpus.Position, error) {
	windows := make([][]int32, n)
	for i := range windows {
		windows[i] = t.language.window(chance(t.language.seed, "text", p.Epoch, p.Slot), t.length)
		p.Slot++
	}
	return windows, p, ctx.Err()
}

// Fingerprint names the language and the windows.
func (t *texts) Fingerprint() string {
	return fmt.Sprintf("simulated %d, %d tokens", t.language.seed, t.length)
}

// Size is not known.
func (*texts) Size() corpus.Size { return corpus.Size{} }

// Close does nothing.
func (*texts) Close() error { return nil }

// chance is a source of random numbers that follows from the seed and what it is for.
func chance(seed uint64, what string, numbers ...uint64) *rand.Rand {
	text := binary.LittleEndian.AppendUint64([]byte("axon simulated "+what), seed)
	for _, n := range numbers {
		text = binary.LittleEndian.AppendUint64(text, n)
	}
	sum := sha256.Sum256(text)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}
