//go:build cgo

package server_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/nucleus"
	"axon/internal/standard"
	"axon/models"
	"axon/synapse"
	"axon/synapse/server"
	"axon/synapse/translate"
)

// builtIn is the built-in model, as a server's.
func builtIn(t *testing.T) server.Model {
	t.Helper()
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	e, err := engine.New(m, engine.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	n, err := nucleus.New(e, translate.Exact)
	require.NoError(t, err)
	return n
}

// sentence is a text in standard tokens.
func sentence(t *testing.T) synapse.Batch {
	t.Helper()
	std, err := standard.Vocab()
	require.NoError(t, err)
	tokens, err := std.Tokenize("If the file does not exist, it is made.", false, false)
	require.NoError(t, err)
	return text(tokens...)
}

// Several callers ask a real model everything at once, and the answers agree with
// each other.
func TestTheBuiltInModel(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Model = builtIn(t) })
	b := sentence(t)
	questions := []synapse.Synapse{
		&synapse.TextLastHiddenState{}, &synapse.TextCausalLM{TopK: 4096}, &synapse.TextCausalLMNext{TopK: 8}, generate(), score(),
	}
	questions[3].(*synapse.TextSeq2Seq).NumToGenerate = b.Length + 4
	var callers sync.WaitGroup
	for range 4 {
		p := a.peer(t)
		callers.Go(func() {
			reply, err := p.send(p.request(b, questions...))
			if err != nil {
				t.Error(err)
				return
			}
			agree(t, b, synapse.ParseReply(reply, b, questions...))
		})
	}
	callers.Wait()
}

func agree(t *testing.T, b synapse.Batch, results []synapse.Result) {
	for _, r := range results {
		if r.Fault != nil {
			t.Error(r.Fault)
			return
		}
	}
	width := synapse.NetworkVocabulary
	rows := results[1].Answer.Tensor().Float32s() // log-probabilities of the whole vocabulary
	for pos, logProb := range results[4].Answer.(*synapse.LogProbs).Text(0) {
		row := rows[pos*width : (pos+1)*width]
		if got := float64(row[b.Tokens[pos+1]]); math.Abs(got-float64(logProb)) > 0.01 && logProb > -7 {
			t.Errorf("token %d: %v scored, %v among the most likely", pos+1, logProb, got)
		}
	}
	generated := results[3].Answer.Tensor().Int64s()
	for i, token := range b.Tokens {
		if generated[i] != int64(token) {
			t.Errorf("token %d of the continuation is %d, of the prompt %d", i, generated[i], token)
		}
	}
}

// A text that the model cannot take is refused as the caller's fault.
func TestTheModelsOwnLimit(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Model, o.Limits.Length = builtIn(t), 1<<15 })
	b := synapse.Batch{Texts: 1, Length: 1 << 15, Tokens: make([]int32, 1<<15)}
	for i := range b.Tokens {
		b.Tokens[i] = int32(i % 1000)
	}
	reply := a.peer(t).ask(b, score())
	require.Contains(t, []any{badShape, badRequest}, reply.GetReturnCode(), reply.GetSynapses()[0].GetMessage())
}
