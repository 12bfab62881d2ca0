package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/urfave/cli/v2"

	"axon/synapse"
)

var querySeq2Seq = &queryTask{
	name:  "seq2seq",
	usage: "ask for texts to be continued",
	description: "Prints each text with its continuation. Without --sample, --temp, --top-p or --top-k the\n" +
		"likeliest continuation is searched for.",
	flags: seq2SeqFlags,
	ask:   askSeq2Seq,
	show:  showSeq2Seq,
}

// The defaults are the network's, but for how much is generated.
func seq2SeqFlags() []cli.Flag {
	d := synapse.TextSeq2Seq{}
	if t, ok := synapse.TaskNamed("TextSeq2Seq"); ok {
		d = *t.Default().(*synapse.TextSeq2Seq)
	}
	return inCategory(categorySampling,
		&cli.IntFlag{Name: "n-predict", Aliases: []string{"n"}, Usage: "standard tokens to add", Value: 32},
		&cli.IntFlag{Name: "num-to-generate", Usage: "standard tokens of a sequence, the text included, as the network counts them; it goes before --n-predict"},
		&cli.IntFlag{Name: "sequences", Usage: "continuations of each text", Value: d.NumReturnSequences},
		&cli.BoolFlag{Name: "sample", Usage: "draw tokens instead of searching; --temp, --top-p and --top-k imply it, and one beam"},
		&cli.Float64Flag{Name: "temp", Usage: "temperature", Value: float64(d.Temperature)},
		&cli.Float64Flag{Name: "top-p", Usage: "draw among the likeliest tokens that together have this probability", Value: 0.95},
		&cli.IntFlag{Name: "top-k", Usage: "draw among so many of the likeliest tokens; 0: all", Value: d.TopK},
		&cli.Float64Flag{Name: "repeat-penalty", Usage: "divide the scores of tokens that came before by this", Value: float64(d.RepetitionPenalty)},
		&cli.IntFlag{Name: "beams", Usage: "sequences that a search follows at once", Value: d.NumBeams},
		&cli.IntFlag{Name: "beam-groups", Usage: "groups of beams that avoid each other", Value: d.NumBeamGroups},
		&cli.IntFlag{Name: "no-repeat-ngram", Usage: "let no run of so many tokens come twice; 0: let it", Value: d.NoRepeatNGramSize},
		&cli.Float64Flag{Name: "length-penalty", Usage: "above 0 a search prefers long sequences", Value: float64(d.LengthPenalty)},
		&cli.BoolFlag{Name: "early-stopping", Usage: "end a search when as many sequences as beams are complete"},
		&cli.Float64Flag{Name: "max-time", Usage: "seconds that a server may generate for", Value: float64(d.MaxTime)},
	)
}

func askSeq2Seq(c *cli.Context, length int) (synapse.Synapse, error) {
	if c.Int("n-predict") < 1 || c.Int("num-to-generate") < 0 {
		return nil, usageError("--n-predict must be at least 1, and --num-to-generate not negative")
	}
	q := &synapse.TextSeq2Seq{
		NumToGenerate: length + c.Int("n-predict"), NumReturnSequences: c.Int("sequences"),
		NumBeams: c.Int("beams"), NumBeamGroups: c.Int("beam-groups"), NoRepeatNGramSize: c.Int("no-repeat-ngram"), EarlyStopping: c.Bool("early-stopping"),
		DoSample: c.Bool("sample") || c.IsSet("temp") || c.IsSet("top-p") || c.IsSet("top-k"),
		TopK:     c.Int("top-k"), TopP: float32(c.Float64("top-p")), Temperature: float32(c.Float64("temp")),
		RepetitionPenalty: float32(c.Float64("repeat-penalty")), LengthPenalty: float32(c.Float64("length-penalty")), MaxTime: float32(c.Float64("max-time")),
	}
	if n := c.Int("num-to-generate"); n > 0 {
		q.NumToGenerate = n
	}
	if q.DoSample && !c.IsSet("beams") {
		q.NumBeams = 1
	}
	return q, nil
}

type seq2SeqPart struct {
	Text      string            `json:"text"`
	Tokens    []int32           `json:"tokens"`
	Sequences []seq2SeqSequence `json:"sequences"`
}

type seq2SeqSequence struct {
	Text   string  `json:"text"`
	Tokens []int64 `json:"tokens"`
}

func showSeq2Seq(b queryBatch, a synapse.Answer, _ int) ([]queryPart, error) {
	answer, err := partOf[*synapse.Sequences](a)
	if err != nil {
		return nil, err
	}
	parts := make([]queryPart, b.Texts)
	for i := range parts {
		p := &seq2SeqPart{Text: b.texts[i], Tokens: b.Text(i)}
		for n := range answer.PerText {
			tokens := withoutEnd(answer.At(i, n))
			p.Sequences = append(p.Sequences, seq2SeqSequence{spelling(tokens...), tokens})
		}
		parts[i] = p
	}
	return parts, nil
}

// withoutEnd cuts off what fills a sequence up after the text's end.
func withoutEnd(tokens []int64) []int64 {
	for len(tokens) > 0 && tokens[len(tokens)-1] == synapse.StandardVocabulary-1 {
		tokens = tokens[:len(tokens)-1]
	}
	return tokens
}

func (p *seq2SeqPart) table(t *queryTable) {
	for i, s := range p.Sequences {
		if len(p.Sequences) > 1 {
			t.row("sequence %d:", i+1)
		}
		for _, line := range strings.Split(s.Text, "\n") {
			t.row("  %s", tamed(line))
		}
	}
}

// tamed is a line of somebody else's that no terminal will obey.
func tamed(line string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(line, "\uFFFD") {
		switch {
		case r == '\t':
			b.WriteString("    ") // a table would take it for the end of a cell
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
