package models_test

import (
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

func TestTheBuiltInModelIsOfTheFamily(t *testing.T) {
	b, err := os.ReadFile(models.Family[len(models.Family)-1])
	require.NoError(t, err)
	require.Equal(t, len(b), len(models.BuiltIn))
	require.LessOrEqual(t, len(models.BuiltIn), 8_000_000, "bytes in the binary")
}
