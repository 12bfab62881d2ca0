package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/synapse"
)

var queryLastHidden = &queryTask{
	name:  "lasthidden",
	usage: "ask for the hidden states of a model's last layer",
	description: "The network's states have 1024 numbers: those of a narrower model stand in the middle. The\n" +
		"table shows of each position the length of the state and its first numbers; JSON and\n" +
		"--output have all of them.",
	flags: func() []cli.Flag {
		return []cli.Flag{&cli.StringFlag{Name: "positions", Usage: "ask only for these, as in 0,5,-1; negative ones count from the end"}}
	},
	limit: 6,
	ask: func(c *cli.Context, _ int) (synapse.Synapse, error) {
		q := &synapse.TextLastHiddenState{}
		for _, word := range strings.FieldsFunc(c.String("positions"), func(r rune) bool { return r == ',' || r == ' ' }) {
			at, err := strconv.ParseInt(word, 10, 32)
			if err != nil {
				return nil, usageError("--positions %q: must be numbers, as in 0,5,-1", c.String("positions"))
			}
			q.Mask = append(q.Mask, int32(at))
		}
		return q, nil
	},
	show: showLastHidden,
}

type hiddenPart struct {
	Text   string      `json:"text"`
	Tokens []int32     `json:"tokens"`
	Width  int         `json:"width"` // of the states without zeros on both sides
	Norms  []number    `json:"norms"`
	States [][]float32 `json:"states"`
	from   int         // where the states begin between the zeros
}

func showLastHidden(b queryBatch, a synapse.Answer, _ int) ([]queryPart, error) {
	answer, err := partOf[*synapse.HiddenStates](a)
	if err != nil {
		return nil, err
	}
	parts := make([]queryPart, b.Texts)
	for i := range parts {
		p := &hiddenPart{Text: b.texts[i], Tokens: b.Text(i), from: synapse.NetworkDimension}
		to := 0
		for pos := range b.Length {
			state := answer.At(i, pos)
			p.States = append(p.States, state)
			p.Norms = append(p.Norms, norm(state))
			for j, v := range state {
				if v != 0 {
					p.from, to = min(p.from, j), max(to, j+1)
				}
			}
		}
		p.Width = max(0, to-p.from)
		parts[i] = p
	}
	return parts, nil
}

// norm is the Euclidean length.
func norm(state []float32) number {
	sum := 0.0
	for _, v := range state {
		sum += float64(v) * float64(v)
	}
	return number(math.Sqrt(sum))
}

func (p *hiddenPart) table(t *queryTable) {
	t.row("  POSITION\tTOKEN\tLENGTH\tNUMBERS")
	for i, state := range p.States {
		if p.Norms[i] == 0 {
			t.row("  %d\t%q\tnot asked for\t", i, spelling(p.Tokens[i]))
			continue
		}
		var first []string
		for _, v := range state[p.from : p.from+min(t.limit, p.Width)] {
			first = append(first, fmt.Sprintf("%8.4f", v))
		}
		t.row("  %d\t%q\t%.4f\t%s …", i, spelling(p.Tokens[i]), p.Norms[i], strings.Join(first, " "))
	}
	t.row("[%d, %d] numbers, of which %d in the middle of each position are the model's", len(p.States), synapse.NetworkDimension, p.Width)
}
