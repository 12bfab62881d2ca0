package engine_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/gguf"
	"axon/internal/gguf/synth"
)

// GPT-2 learns each position; beyond the last of them llama.cpp would stop
// the process.
func TestLearnedPositionsBoundTheSequence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions.gguf")
	vocab, err := synth.ByteVocab("gpt2")
	require.NoError(t, err)
	require.NoError(t, synth.Write(context.Background(), path, synth.Spec{
		Arch: "gpt2", Vocab: vocab, Embedding: 32, Layers: 1, Heads: 2, Context: 64, Type: fileType(t, "f32"), Seed: 1,
	}, nil, nil))
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Path: path})
	require.NoError(t, err)
	defer m.Close()
	e, err := engine.New(m, engine.Options{Context: 512, Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	require.Equal(t, 64, e.Limits().Sequence)

	each := func(int, []float32) error { return nil }
	require.NoError(t, e.Distributions(context.Background(), engine.RowsRequest{Tokens: make([]engine.Token, 64), Each: each}))
	err = e.Distributions(context.Background(), engine.RowsRequest{Tokens: make([]engine.Token, 65), Each: each})
	require.ErrorIs(t, err, engine.ErrTooLong)
	r, err := e.Generate(context.Background(), engine.GenerateRequest{Prompt: make([]engine.Token, 60), MaxTokens: 100, IgnoreEOG: true})
	require.NoError(t, err)
	require.LessOrEqual(t, len(r.Sequences[0].Tokens), 5)
}

func fileType(t *testing.T, name string) gguf.FileType {
	t.Helper()
	ft, err := gguf.ParseFileType(name)
	require.NoError(t, err)
	return ft
}
