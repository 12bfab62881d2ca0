package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What somebody new types: axon serve in one terminal, and each query in another. The
// answers of the built-in model agree with one another.
func TestQueriesOfTheBuiltInModel(t *testing.T) {
	isolateServe(t)
	r := startServe(t)
	const text = "If the file does"
	ask := func(task string) map[string]any {
		o := runAxon(t, append([]string{"query"}, append(strings.Fields(task), "--timeout", "1m", "--format", "json", "--endpoint", r.address, text)...)...)
		require.Zero(t, o.code, o.stderr)
		return objects(t, o)[0]["texts"].([]any)[0].(map[string]any)
	}
	score, rows, next := ask("score"), ask("causallm"), ask("next")
	require.InDelta(t, score["nats_per_token"], rows["nats_per_token"], 0.01, "of the 512 likeliest tokens and of all")
	require.Less(t, score["bits_per_byte"], 2.5, "the model has read such text")

	positions := rows["positions"].([]any)
	follows := positions[len(positions)-1].(map[string]any)["next"].([]any)[0].(map[string]any)
	phrase := next["phrases"].([]any)[0].(map[string]any)
	require.Equal(t, follows["text"], phrase["text"])
	// Of what the server spells so, some begins a longer standard token.
	require.InDelta(t, follows["probability"], phrase["probability"], 0.1)

	require.EqualValues(t, 192, ask("lasthidden")["width"], "the built-in model's")
	continued := ask("seq2seq -n 4")["sequences"].([]any)[0].(map[string]any)["text"].(string)
	require.True(t, strings.HasPrefix(continued, text+phrase["text"].(string)), continued)
}
