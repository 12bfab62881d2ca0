package models_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/models"
)

// score measures a member of the family on the start of the held-out text.
func score(t *testing.T, file string) engine.Score {
	t.Helper()
	text, err := os.ReadFile("heldout.txt")
	require.NoError(t, err)
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Path: file})
	require.NoError(t, err)
	defer func() { _ = m.Close() }()
	e, err := engine.New(m, engine.Options{Threads: 1, Context: 1024, Sequences: 2})
	require.NoError(t, err)
	defer func() { _ = e.Close() }()
	tokens, err := m.Vocab().Tokenize(string(text[:24000]), true, false)
	require.NoError(t, err)
	s, err := e.Score(context.Background(), engine.ScoreRequest{Tokens: tokens, Window: 512, Skip: 128, Whole: true})
	require.NoError(t, err)
	t.Logf("%-22s %8.2f M parameters, %.4f nats/token, %.4f bits/byte", file, float64(m.Info().Params)/1e6, s.PerToken(), s.BitsPerByte())
	return s
}

func TestLargerModelsPredictBetter(t *testing.T) {
	last := score(t, models.Family[0])
	for _, file := range models.Family[1:] {
		s := score(t, file)
		require.Less(t, s.PerToken(), last.PerToken()-0.02, "%s must be clearly better than the member before it", file)
		last = s
	}
	require.Less(t, last.BitsPerByte(), 2.0)
}

func TestTheGPT2MemberIsTrained(t *testing.T) {
	require.Less(t, score(t, models.GPT2Vocabulary).BitsPerByte(), 2.2)
}

// What is built in is what lies in the repository, and as large as it is said to be.
func TestTheFamilyIsBuiltIn(t *testing.T) {
	require.Len(t, models.Members, len(models.Family))
	all := 0
	for i, m := range models.Members {
		require.Equal(t, m.Name+".gguf", models.Family[i])
		data, ok := models.Open(m.Name)
		require.True(t, ok, m.Name)
		file, err := os.ReadFile(models.Family[i])
		require.NoError(t, err)
		require.True(t, bytes.Equal(file, data), m.Name)
		opened, err := engine.OpenModel(t.Context(), engine.ModelOptions{Data: data, Name: m.Name})
		require.NoError(t, err)
		require.EqualValues(t, m.Parameters, opened.Info().Params, m.Name)
		require.NoError(t, opened.Close())
		all += len(data)
	}
	require.LessOrEqual(t, all, 10_000_000, "bytes in the binary")
	require.Equal(t, models.BuiltInName, models.Names()[len(models.Names())-1])
	_, ok := models.Open("axon-gpt2vocab")
	require.False(t, ok)
}

func TestTheHeldOutTextIsBuiltIn(t *testing.T) {
	file, err := os.ReadFile("heldout.txt")
	require.NoError(t, err)
	require.Equal(t, string(file), models.HeldOut)
}
