package engine_test

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	llama "axon/cgo"
	"axon/engine"
	"axon/internal/gguf"
	"axon/models"
)

// writeAdapter writes a LoRA adapter of rank 4 for one matrix of the built-in
// model.
func writeAdapter(t *testing.T, width int64) string {
	t.Helper()
	matrix := func(name string, dims ...int64) gguf.Source {
		return gguf.Source{Name: "blk.0.ffn_gate.weight." + name, Dims: dims, Type: gguf.F32, Write: func(w io.Writer) error {
			values := make([]float32, dims[0]*dims[1])
			for i := range values {
				values[i] = float32(math.Sin(float64(i))) / 4
			}
			return binary.Write(w, binary.LittleEndian, values)
		}}
	}
	path := filepath.Join(t.TempDir(), "adapter.gguf")
	require.NoError(t, gguf.Write(context.Background(), path, &gguf.Model{
		KVs: []gguf.KV{
			{Key: "general.type", Value: "adapter"}, {Key: "general.architecture", Value: "llama"},
			{Key: "adapter.type", Value: "lora"}, {Key: "adapter.lora.alpha", Value: float32(4)},
		},
		Tensors: []gguf.Source{matrix("lora_a", width, 4), matrix("lora_b", 4, 512)},
	}, nil))
	return path
}

func TestAnAdapterChangesTheLogitsByItsScale(t *testing.T) {
	adapter := writeAdapter(t, 192)
	row := func(adapters ...engine.Adapter) []float32 {
		m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Adapters: adapters})
		require.NoError(t, err)
		defer func() { _ = m.Close() }()
		e, err := engine.New(m, engine.Options{Threads: 1})
		require.NoError(t, err)
		defer func() { _ = e.Close() }()
		return rows(t, e.Distributions, engine.RowsRequest{Tokens: tokenize(t, e, prompt)})[5]
	}
	base := row()
	require.Less(t, maxDiff(base, row(engine.Adapter{Path: adapter, Scale: 0})), 1e-3)
	half, whole := maxDiff(base, row(engine.Adapter{Path: adapter, Scale: 0.5})), maxDiff(base, row(engine.Adapter{Path: adapter, Scale: 1}))
	require.Greater(t, half, 0.05)
	require.Greater(t, whole, half)
}

func TestAnAdapterOutlivesItsModelsOwner(t *testing.T) {
	before := llama.Live()
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Adapters: []engine.Adapter{{Path: writeAdapter(t, 192), Scale: 1}}})
	require.NoError(t, err)
	e, err := engine.New(m, engine.Options{Threads: 1})
	require.NoError(t, err)
	tokens := tokenize(t, e, prompt)
	require.NoError(t, m.Close())
	require.Equal(t, before.Adapters+1, llama.Live().Adapters, "the engine still needs it")
	require.NoError(t, generateErr(e, engine.GenerateRequest{Prompt: tokens, MaxTokens: 4}))
	require.NoError(t, e.Close())
	require.Equal(t, before, llama.Live())
}

func TestABadAdapterIsRefused(t *testing.T) {
	for _, path := range []string{writeAdapter(t, 64), filepath.Join(t.TempDir(), "missing"), t.TempDir(), "../models/axon-3m.gguf"} {
		_, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Adapters: []engine.Adapter{{Path: path, Scale: 1}}})
		require.Error(t, err, path)
	}
}
