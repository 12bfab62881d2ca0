package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/wire"
)

var queryCausalLM = &queryTask{
	name:  "causallm",
	usage: "ask at every position which tokens follow, and how likely each is",
	description: "Shows of each token how likely it was after those before it, and what the server expects\n" +
		"behind it. Of what is not among --top-k only the sum is known: a token of the text that is\n" +
		"not among them is taken to have as much of it as every other. The tensor of --output has\n" +
		"the logarithms of all 50258 probabilities at each position, as the network has them.",
	flags: func() []cli.Flag {
		return []cli.Flag{
			&cli.IntFlag{Name: "top-k", Usage: "tokens to ask for at each position", Value: 512},
			&cli.BoolFlag{Name: "packed", Usage: "ask for few bytes, in axon's own form; a server that does not know it is asked again without"},
		}
	},
	limit: 3,
	ask: func(c *cli.Context, _ int) (synapse.Synapse, error) {
		q := &synapse.TextCausalLM{TopK: c.Int("top-k")}
		if c.Bool("packed") {
			q.Coding.ForwardResponse = wire.Serializer_SERIALIZER_PACKED
		}
		return q, nil
	},
	show: showCausalLM,
}

type causalLMPart struct {
	Text      string             `json:"text"`
	Positions []causalLMPosition `json:"positions"`
	Tokens    int                `json:"tokens_scored"`
	Outside   int                `json:"tokens_outside_top_k"`
	Nats      number             `json:"nats_per_token"`
	Bits      number             `json:"bits_per_byte"`
	topK      int
}

type causalLMPosition struct {
	Token int32       `json:"token"`
	Text  string      `json:"text"`
	Log   *number     `json:"log_probability"` // after the tokens before it; null for the first
	Next  []nextToken `json:"next"`
	Rest  number      `json:"rest"` // probability of all other tokens
}

type nextToken struct {
	Probability number `json:"probability"`
	Token       int32  `json:"token"`
	Text        string `json:"text"`
}

func showCausalLM(b queryBatch, a synapse.Answer, limit int) ([]queryPart, error) {
	answer, err := partOf[*synapse.Distributions](a)
	if err != nil {
		return nil, err
	}
	parts := make([]queryPart, b.Texts)
	for i := range parts {
		if parts[i], err = causalLMText(b, i, answer, limit); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// causalLMText reads the distributions of one text.
func causalLMText(b queryBatch, text int, answer *synapse.Distributions, limit int) (*causalLMPart, error) {
	p := &causalLMPart{Text: b.texts[text], Tokens: b.Length - 1, topK: answer.TopK}
	var before kernels.Sparse
	var nats float64
	bytes := 0
	for pos, token := range b.Text(text) {
		row, err := answer.At(text, pos)
		if err != nil {
			return nil, fmt.Errorf("text %d, position %d: %w", text+1, pos, err)
		}
		here := causalLMPosition{Token: token, Text: spelling(token), Rest: number(math.Exp(float64(row.Rest))), Next: likeliest(row, limit)}
		if pos > 0 {
			logProb, among := logProbOf(before, token)
			here.Log = new(number)
			*here.Log = number(logProb)
			nats -= logProb
			bytes += len(here.Text)
			if !among {
				p.Outside++
			}
		}
		p.Positions = append(p.Positions, here)
		before = row
	}
	p.Nats, p.Bits = number(nats/float64(p.Tokens)), number(nats/math.Ln2/float64(bytes))
	return p, nil
}

// logProbOf is how likely a token is, in nats. One that is not among the entries has its
// share of what they leave.
func logProbOf(row kernels.Sparse, token int32) (logProb float64, among bool) {
	for _, e := range row.Entries {
		if e.Index == token {
			return float64(e.Value), true
		}
	}
	return float64(row.Rest) - math.Log(float64(synapse.NetworkVocabulary-len(row.Entries))), false
}

// likeliest are the likeliest tokens of a row, which is ordered by token.
func likeliest(row kernels.Sparse, limit int) []nextToken {
	entries := slices.Clone(row.Entries)
	slices.SortStableFunc(entries, func(a, b kernels.Entry) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return 0
	})
	next := []nextToken{}
	for _, e := range entries[:min(limit, len(entries))] {
		next = append(next, nextToken{number(math.Exp(float64(e.Value))), e.Index, spelling(e.Index)})
	}
	return next
}

func (p *causalLMPart) table(t *queryTable) {
	t.row("  POSITION\tTOKEN\tLOG-PROBABILITY\tFOLLOWED BY")
	for i, here := range p.Positions {
		logProb := "-"
		if here.Log != nil {
			logProb = fmt.Sprintf("%.4f", *here.Log)
		}
		var next []string
		for _, n := range here.Next {
			next = append(next, fmt.Sprintf("%q %.4f", n.Text, n.Probability))
		}
		t.row("  %d\t%q\t%s\t%s", i, here.Text, logProb, strings.Join(next, "  "))
	}
	if p.Tokens > 0 {
		t.row("cross-entropy of %d tokens %.4f nats/token, %.4f bits/byte; %d are not among the %d likeliest", p.Tokens, p.Nats, p.Bits, p.Outside, p.topK)
	}
}
