package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/synapse"
)

var queryNext = &queryTask{
	name:  "next",
	usage: "ask which phrases come next, and how likely each is",
	description: "A phrase is a token of the server's own, spelt in standard tokens. The number below them is\n" +
		"the floor: what each of the server's tokens has, on average, that is not among --top-k.",
	flags: func() []cli.Flag {
		return []cli.Flag{&cli.IntFlag{Name: "top-k", Usage: "phrases to ask for, at most as many as the server's model has tokens; the network asks for 4096", Value: 100}}
	},
	limit: 10,
	ask: func(c *cli.Context, _ int) (synapse.Synapse, error) {
		return &synapse.TextCausalLMNext{TopK: c.Int("top-k")}, nil
	},
	show: showNext,
}

type nextPart struct {
	Text    string       `json:"text"`
	Tokens  []int32      `json:"tokens"`
	Phrases []nextPhrase `json:"phrases"`
	Floor   number       `json:"floor"`
}

type nextPhrase struct {
	Probability number  `json:"probability"`
	Text        string  `json:"text"`
	Tokens      []int32 `json:"tokens"`
}

func showNext(b queryBatch, a synapse.Answer, _ int) ([]queryPart, error) {
	answer, err := partOf[*synapse.NextPhrases](a)
	if err != nil {
		return nil, err
	}
	parts := make([]queryPart, b.Texts)
	for i, p := range answer.Texts {
		part := &nextPart{Text: b.texts[i], Tokens: b.Text(i), Floor: number(p.Floor)}
		for _, phrase := range p.List {
			part.Phrases = append(part.Phrases, nextPhrase{number(phrase.Prob), spelling(phrase.Tokens...), append([]int32{}, phrase.Tokens...)})
		}
		parts[i] = part
	}
	return parts, nil
}

func (p *nextPart) table(t *queryTable) {
	t.row("  PROBABILITY\tPHRASE\tTOKENS")
	for _, phrase := range p.Phrases[:min(t.limit, len(p.Phrases))] {
		t.row("  %.6f\t%q\t%s", phrase.Probability, phrase.Text, idList(phrase.Tokens))
	}
	t.row("%.2g is the mean probability of each token of the server's that is not among the %d", p.Floor, len(p.Phrases))
}

// idList writes token ids as --tokens takes them.
func idList[T int32 | int64](tokens []T) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(tokens), "[]"), " ", ",")
}
