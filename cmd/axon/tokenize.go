package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/engine"
)

func tokenizeCommand() *cli.Command {
	return &cli.Command{
		Name:      "tokenize",
		Aliases:   []string{"tok"},
		Usage:     "split a text into tokens, or join tokens to a text",
		ArgsUsage: "[TEXT | -]",
		Description: "Prints one line a token: where it lies in the text (bytes), its id, its spelling.\n" +
			"Any GGUF with a vocabulary will do; weights are not loaded.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "ids", Usage: "print the ids only, in one line"},
			&cli.BoolFlag{Name: "decode", Aliases: []string{"d"}, Usage: "the input is ids; print their text"},
			&cli.BoolFlag{Name: "no-bos", Usage: "do not add the beginning- and end-of-text tokens that the vocabulary asks for"},
			&cli.BoolFlag{Name: "no-parse-special", Usage: "take the spelling of a control token as plain text"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		}, inputFlags(), inCategory(categoryModel, modelFlag())),
		Action: tokenizeText,
	}
}

func tokenizeText(c *cli.Context) error {
	text, err := inputText(c)
	if err != nil {
		return err
	}
	o, err := modelOptions(c)
	if err != nil {
		return err
	}
	o.VocabOnly = true
	m, err := engine.OpenModel(c.Context, o)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	if c.Bool("decode") {
		return detokenize(c.App.Writer, m.Vocab(), text)
	}
	tokens, err := m.Vocab().Tokenize(text, !c.Bool("no-bos"), !c.Bool("no-parse-special"))
	if err != nil {
		return err
	}
	return printTokens(c, m.Vocab(), text, tokens)
}

// detokenize joins ids, separated by blanks or commas, brackets allowed.
func detokenize(w io.Writer, v *engine.Vocab, text string) error {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,[]", r) })
	tokens := make([]engine.Token, len(words))
	for i, word := range words {
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is not a token id; give ids as in: 15496 995", word)
		}
		tokens[i] = engine.Token(n)
	}
	out, err := v.Text(tokens)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, out)
	return err
}

type tokenJSON struct {
	ID    engine.Token `json:"id"`
	Piece string       `json:"piece"`
	Bytes []byte       `json:"bytes"` // the piece again, in base64: it need not be UTF-8
	Start *int         `json:"start,omitempty"`
	End   *int         `json:"end,omitempty"`
}

func printTokens(c *cli.Context, v *engine.Vocab, text string, tokens []engine.Token) error {
	w := c.App.Writer
	if c.Bool("ids") && !c.Bool("json") {
		_, err := fmt.Fprintln(w, strings.Trim(fmt.Sprint(tokens), "[]"))
		return err
	}
	spans, spanErr := v.Spans(text, tokens) // a vocabulary that changes the text has none
	list := make([]tokenJSON, len(tokens))
	for i, t := range tokens {
		list[i] = tokenJSON{ID: t, Piece: string(v.Piece(t)), Bytes: v.Piece(t)}
		if spanErr == nil {
			list[i].Start, list[i].End = &spans[i].Start, &spans[i].End
		}
	}
	if c.Bool("json") {
		return json.NewEncoder(w).Encode(list)
	}
	for _, t := range list {
		place := "-"
		if t.Start != nil {
			place = fmt.Sprintf("%d-%d", *t.Start, *t.End)
		}
		if _, err := fmt.Fprintf(w, "%s\t%d\t%q\n", place, t.ID, t.Piece); err != nil {
			return err
		}
	}
	return nil
}
