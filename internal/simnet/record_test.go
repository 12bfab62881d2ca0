package simnet_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/localnet"
	"axon/internal/standard"
	"axon/models"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
)

// heldOut are the tokens of the text that the family has not read.
func heldOut(t *testing.T) []int32 {
	t.Helper()
	std, err := standard.Vocab()
	require.NoError(t, err)
	tokens, err := std.Tokenize(models.HeldOut, false, false)
	require.NoError(t, err)
	return tokens
}

// TestRecordLatencies asks real servers and writes how long they took to the file that
// AXON_RECORD_LATENCIES names.
func TestRecordLatencies(t *testing.T) {
	path := os.Getenv("AXON_RECORD_LATENCIES")
	if path == "" {
		t.Skip("it is for recording: AXON_RECORD_LATENCIES=latencies.csv")
	}
	net, err := localnet.Start(t.Context(), localnet.Options{}, localnet.Models(models.Names()...)...)
	require.NoError(t, err)
	defer func() { require.NoError(t, net.Close()) }()
	key, err := auth.NewKey()
	require.NoError(t, err)
	c, err := client.New(client.Options{Key: key, Concurrency: 4, Timeout: time.Minute})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	var took strings.Builder
	tokens := heldOut(t)
	for first := range 250 {
		b := synapse.Batch{Texts: 8, Length: 64}
		for i := range b.Texts {
			from := (first*b.Texts + i) * 61 % (len(tokens) - b.Length)
			b.Tokens = append(b.Tokens, tokens[from:from+b.Length]...)
		}
		for _, r := range c.ForwardAll(t.Context(), net.Endpoints(), b, &synapse.TextCausalLMNext{TopK: 1000}) {
			require.Nil(t, r.Fault())
			fmt.Fprintf(&took, "%.1f\n", r.Duration.Seconds()*1000)
		}
	}
	require.NoError(t, os.WriteFile(path, []byte(took.String()), 0o600))
}
