package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/internal/standard"
	"axon/synapse"
)

// textList is the value of a flag that may come several times and whose values may have
// commas in them.
type textList []string

func (l *textList) Set(text string) error { *l = append(*l, text); return nil }
func (l *textList) String() string        { return strings.Join(*l, "\n") }

func queryInputFlags() []cli.Flag {
	return append(inputFlags(),
		&cli.GenericFlag{Name: "text", Usage: "a `TEXT` to ask about, repeatable", Value: &textList{}},
		&cli.GenericFlag{Name: "tokens", Usage: "`IDS` of standard tokens to ask about instead of a text, as in 15496,11, repeatable", Value: &textList{}},
	)
}

// queryBatch is texts of equal length, in tokens and as they are read.
type queryBatch struct {
	synapse.Batch
	texts []string
}

// queryBatches are the texts of the command line: one batch where all have equally many
// tokens, otherwise one each.
func queryBatches(c *cli.Context) ([]queryBatch, error) {
	lists, err := queryTokens(c)
	if err != nil {
		return nil, err
	}
	var batches []queryBatch
	for i, tokens := range lists {
		text, err := standardText(tokens)
		if err != nil {
			return nil, usageError("text %d: %w", i+1, err)
		}
		if len(tokens) == 0 {
			return nil, usageError("text %d is empty: there is nothing to ask about", i+1)
		}
		batches = append(batches, queryBatch{synapse.Batch{Texts: 1, Length: len(tokens), Tokens: tokens}, []string{text}})
	}
	for _, b := range batches {
		if b.Length != batches[0].Length {
			return batches, nil
		}
	}
	return []queryBatch{joinBatches(batches)}, nil
}

func joinBatches(batches []queryBatch) queryBatch {
	all := batches[0]
	for _, b := range batches[1:] {
		all.Texts++
		all.Tokens = append(all.Tokens, b.Tokens...)
		all.texts = append(all.texts, b.texts...)
	}
	return all
}

// queryTokens are the texts as tokens.
func queryTokens(c *cli.Context) ([][]int32, error) {
	texts, ids := *c.Generic("text").(*textList), *c.Generic("tokens").(*textList)
	if len(texts)+len(ids) == 0 {
		text, err := inputText(c)
		if err != nil {
			return nil, err
		}
		if !c.Args().Present() || c.Args().First() == "-" { // the newline that ends a file is not part of the text
			text = strings.TrimSuffix(text, "\n")
		}
		texts = textList{text}
	} else if c.Args().Present() || c.String("file") != "" {
		return nil, usageError("give texts with --text and --tokens, or one as an argument or with --file, not both")
	}
	v, err := standard.Vocab()
	if err != nil {
		return nil, err
	}
	var lists [][]int32
	for _, text := range texts {
		tokens, err := v.Tokenize(text, false, false)
		if err != nil {
			return nil, err
		}
		lists = append(lists, tokens)
	}
	for _, list := range ids {
		tokens, err := parseTokens(list)
		if err != nil {
			return nil, err
		}
		lists = append(lists, tokens)
	}
	return lists, nil
}

func parseTokens(list string) ([]int32, error) {
	var tokens []int32
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" \t\r\n,[]", r) }) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil || id < 0 || id >= synapse.StandardVocabulary {
			return nil, usageError("--tokens: %q is not a standard token; those are 0 to %d, as in 15496,11", word, synapse.StandardVocabulary-1)
		}
		tokens = append(tokens, int32(id))
	}
	return tokens, nil
}

// standardText is what standard tokens spell.
func standardText(tokens []int32) (string, error) {
	v, err := standard.Vocab()
	if err != nil {
		return "", err
	}
	return v.Text(tokens)
}

// spelling is what standard tokens of somebody else's spell, where there may be ids that
// are none.
func spelling[T int32 | int64](tokens ...T) string {
	v, err := standard.Vocab()
	if err != nil { // nothing could have been asked
		return fmt.Sprint(tokens)
	}
	var b strings.Builder
	for _, t := range tokens {
		if t < 0 || int64(t) >= int64(v.Size) {
			fmt.Fprintf(&b, "<%d>", t)
			continue
		}
		b.Write(v.Piece(int32(t)))
	}
	return b.String()
}
