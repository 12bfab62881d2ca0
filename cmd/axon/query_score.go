package main

import (
	"math"

	"github.com/urfave/cli/v2"

	"axon/synapse"
)

var queryScore = &queryTask{
	name:  "score",
	usage: "ask how likely each token of a text is after those before it",
	description: "Four bytes a token come back. The first token of a text is context only. This task is\n" +
		"axon's own: servers of release 3.7.0 do not have it, and are asked with axon query causallm.",
	flags: func() []cli.Flag { return nil },
	ask: func(*cli.Context, int) (synapse.Synapse, error) {
		return &synapse.TextCrossEntropy{}, nil
	},
	show: showScore,
}

type scorePart struct {
	Text       string   `json:"text"`
	Tokens     []int32  `json:"tokens"`
	Logs       []number `json:"log_probabilities"` // of all tokens but the first
	Bytes      int      `json:"bytes_scored"`
	Total      number   `json:"nats"`
	Nats       number   `json:"nats_per_token"`
	Bits       number   `json:"bits_per_byte"`
	Perplexity number   `json:"perplexity"`
}

func showScore(b queryBatch, a synapse.Answer, _ int) ([]queryPart, error) {
	answer, err := partOf[*synapse.LogProbs](a)
	if err != nil {
		return nil, err
	}
	parts := make([]queryPart, b.Texts)
	for i := range parts {
		p := &scorePart{Text: b.texts[i], Tokens: b.Text(i), Bytes: len(spelling(b.Text(i)[1:]...))}
		total := 0.0
		for _, v := range answer.Text(i) {
			p.Logs = append(p.Logs, number(v))
			total -= float64(v)
		}
		mean := total / float64(len(p.Logs))
		p.Total, p.Nats, p.Bits, p.Perplexity = number(total), number(mean), number(total/math.Ln2/float64(p.Bytes)), number(math.Exp(mean))
		parts[i] = p
	}
	return parts, nil
}

func (p *scorePart) table(t *queryTable) {
	t.row("  POSITION\tTOKEN\tLOG-PROBABILITY")
	t.row("  0\t%q\t-", spelling(p.Tokens[0]))
	for i, v := range p.Logs {
		t.row("  %d\t%q\t%.4f", i+1, spelling(p.Tokens[i+1]), v)
	}
	t.row("%d tokens (%d bytes), %.4f nats in all", len(p.Logs), p.Bytes, p.Total)
	t.row("cross-entropy %.4f nats/token, %.4f bits/byte, perplexity %.4f", p.Nats, p.Bits, p.Perplexity)
}
