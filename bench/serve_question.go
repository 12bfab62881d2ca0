package bench

import (
	"context"
	"fmt"
	"strings"

	"axon/engine"
	"axon/synapse"
	"axon/synapse/wire"
)

// question is a synapse as it is measured: how it is asked, and what the engine does
// for the same answer where nobody is in between.
type question struct {
	name string // as flags have it
	make func(t ServeTest) synapse.Synapse
	own  func(ctx context.Context, e *engine.Engine, t *ownText, s ServeTest) (tokens int, err error)
}

var questions = []question{
	{"causallm", askCausalLM, ownRows(upTo)},
	{"next", askNext, ownRows(func(n int) []int { return []int{n - 1} })},
	{"lasthidden", askHidden, ownHidden},
	{"seq2seq", askSeq2Seq, ownGeneration},
	{"crossentropy", askCrossEntropy, ownRows(func(n int) []int { return upTo(n - 1) })},
}

// ServeSynapses are the names of what can be asked.
func ServeSynapses() []string {
	names := make([]string, len(questions))
	for i, q := range questions {
		names[i] = q.name
	}
	return names
}

func questionNamed(name string) (question, error) {
	for _, q := range questions {
		if q.name == name {
			return q, nil
		}
	}
	return question{}, fmt.Errorf("synapse %q: must be %s", name, strings.Join(ServeSynapses(), ", "))
}

// serializers of answers, by the names that flags have.
var serializers = map[string]wire.Serializer{
	"msgpack": wire.Serializer_SERIALIZER_MSGPACK,
	"cmppack": wire.Serializer_SERIALIZER_CMPPACK,
	"packed":  wire.Serializer_SERIALIZER_PACKED,
}

func (t ServeTest) coding() synapse.Serializers {
	return synapse.Serializers{ForwardResponse: serializers[t.Serializer]}
}

func askCausalLM(t ServeTest) synapse.Synapse {
	return &synapse.TextCausalLM{Coding: t.coding(), TopK: t.TopK}
}

func askNext(t ServeTest) synapse.Synapse {
	return &synapse.TextCausalLMNext{Coding: t.coding(), TopK: t.TopK}
}

func askHidden(t ServeTest) synapse.Synapse {
	return &synapse.TextLastHiddenState{Coding: t.coding()}
}

func askCrossEntropy(t ServeTest) synapse.Synapse {
	return &synapse.TextCrossEntropy{Coding: t.coding()}
}

// askSeq2Seq asks for the most likely token at each step: beams and sampling are the
// engine's affair.
func askSeq2Seq(t ServeTest) synapse.Synapse {
	return &synapse.TextSeq2Seq{
		Coding: t.coding(), NumToGenerate: t.Length + t.Generate, NumReturnSequences: 1, NumBeams: 1, NumBeamGroups: 1,
		TopP: 1, Temperature: 1, RepetitionPenalty: 1, LengthPenalty: 1, MaxTime: 3600,
	}
}

// ownText is a text in the model's own tokens; the first start of them are what the
// model wants before a text.
type ownText struct {
	tokens []engine.Token
	start  int
}

// ownRows asks the engine for rows at positions of the text and looks at none of them.
func ownRows(positions func(n int) []int) func(context.Context, *engine.Engine, *ownText, ServeTest) (int, error) {
	return func(ctx context.Context, e *engine.Engine, t *ownText, s ServeTest) (int, error) {
		return s.Length, e.Distributions(ctx, t.request(positions(len(t.tokens)-t.start)))
	}
}

func ownHidden(ctx context.Context, e *engine.Engine, t *ownText, s ServeTest) (int, error) {
	return s.Length, e.Hidden(ctx, t.request(upTo(len(t.tokens)-t.start)))
}

// request asks for rows at positions of the text.
func (t *ownText) request(positions []int) engine.RowsRequest {
	for i := range positions {
		positions[i] += t.start
	}
	return engine.RowsRequest{Tokens: t.tokens, Positions: positions, Each: func(int, []float32) error { return nil }}
}

func ownGeneration(ctx context.Context, e *engine.Engine, t *ownText, s ServeTest) (int, error) {
	most := max(1, s.Length+s.Generate-len(t.tokens)) // as the synapse counts: with the prompt
	r, err := e.Generate(ctx, engine.GenerateRequest{Prompt: t.tokens, MaxTokens: most})
	if err != nil {
		return 0, err
	}
	return len(r.Sequences[0].Tokens), nil
}

// upTo is 0 … n−1; of a number below 1 it is what there is of a text of one token.
func upTo(n int) []int {
	list := make([]int, max(n, 1))
	for i := range list {
		list[i] = i
	}
	return list
}

// count says what an answer is about, and refuses one that is not about the batch.
func count(a synapse.Answer, b synapse.Batch) (tokens, positions int, err error) {
	all := b.Texts * b.Length
	switch a := a.(type) {
	case *synapse.Distributions:
		return all, a.Texts * a.Length, nil
	case *synapse.HiddenStates:
		return all, a.Texts * a.Length, nil
	case *synapse.LogProbs:
		return all, a.Texts * (a.Length - 1), nil
	case *synapse.NextPhrases:
		return all, len(a.Texts), nil
	case *synapse.Sequences:
		width := a.Tensor().Shape[1]
		return a.Len() * max(0, width-b.Length), a.Len() * width, nil
	}
	return 0, 0, fmt.Errorf("an answer of type %T", a)
}
