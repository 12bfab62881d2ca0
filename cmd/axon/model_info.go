package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"axon/engine"
	"axon/internal/gguf"
)

func modelInfoCommand() *cli.Command {
	return &cli.Command{
		Name:      "info",
		Usage:     "describe a model",
		ArgsUsage: "[FILE]",
		Description: "Without FILE it describes the model that --model names or, if it names none,\n" +
			"the built-in one. Only the head of the file is read, unless --load is given.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "load", Usage: "load it as well, and show where its memory lies"},
		}, modelFlags(), contextFlags()),
		Action: modelInfo,
	}
}

// modelReport is all that model info says.
type modelReport struct {
	File string `json:"file"`
	gguf.Summary
	SpecialTokens []specialToken `json:"special_tokens"`
	AddBOS        *bool          `json:"add_bos,omitempty"`
	AddEOS        *bool          `json:"add_eos,omitempty"`
	Problems      []problemRow   `json:"problems,omitempty"`
	Loaded        *loadedReport  `json:"loaded,omitempty"`
}

// specialToken is a token that the file gives a role.
type specialToken struct {
	Role string `json:"role"`
	ID   uint64 `json:"id"`
	Text string `json:"text"`
}

func modelInfo(c *cli.Context) error {
	switch c.NArg() {
	case 0:
	case 1:
		if err := c.Set("model", c.Args().First()); err != nil {
			return err
		}
	default:
		return usageError("axon model info describes one file, not %d", c.NArg())
	}
	o, err := modelOptions(c)
	if err != nil {
		return err
	}
	f, err := openHeader(o)
	if err != nil {
		return err
	}
	r := describe(nameOf(o), f)
	if c.Bool("load") {
		if r.Loaded, err = loadAndDescribe(c); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return writeIndented(c, r)
	}
	return r.print(c.App.Writer)
}

func describe(name string, f *gguf.File) modelReport {
	parts, _ := gguf.Parts(f) // what is wrong with them is among the problems
	r := modelReport{File: name, Summary: gguf.Summarize(f, parts...), Problems: problemRows(gguf.Check(f))}
	tokens := f.Strings("tokenizer.ggml.tokens")
	for _, kv := range f.KVs {
		role, isToken := strings.CutSuffix(strings.TrimPrefix(kv.Key, "tokenizer.ggml."), "_token_id")
		id, ok := f.Uint(kv.Key)
		if isToken && ok && id < uint64(len(tokens)) {
			r.SpecialTokens = append(r.SpecialTokens, specialToken{role, id, tokens[id]})
		}
	}
	r.AddBOS, r.AddEOS = optionalBool(f, "add_bos_token"), optionalBool(f, "add_eos_token")
	return r
}

// optionalBool is nil where the file leaves the choice to llama.cpp.
func optionalBool(f *gguf.File, name string) *bool {
	v, ok := f.Bool("tokenizer.ggml." + name)
	if !ok {
		return nil
	}
	return &v
}

// loadedReport is what only a loaded model tells.
type loadedReport struct {
	Context int         `json:"context"`
	Threads int         `json:"threads"`
	Memory  []memoryRow `json:"memory"`
}

// memoryRow is the native memory in one kind of buffer, in bytes.
type memoryRow struct {
	Buffer  string `json:"buffer"`
	Model   uint64 `json:"model"`
	Context uint64 `json:"context"` // KV cache and outputs
	Compute uint64 `json:"compute"`
}

func loadAndDescribe(c *cli.Context) (*loadedReport, error) {
	m, err := openModel(c)
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.Close() }()
	e, err := engine.New(m, engineOptions(c))
	if err != nil {
		return nil, err
	}
	defer func() { _ = e.Close() }()
	r := &loadedReport{Context: e.Limits().Context, Threads: e.Limits().Threads}
	for _, m := range e.Memory() {
		r.Memory = append(r.Memory, memoryRow{m.Buffer, m.Model, m.Context, m.Compute})
	}
	return r, nil
}

// sheet lines up names and values.
type sheet struct{ w *tabwriter.Writer }

func newSheet(w io.Writer) sheet { return sheet{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row prints a line; without a value nothing.
func (s sheet) row(name, format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != "" {
		fmt.Fprintf(s.w, "%s\t%s\n", name, text)
	}
}

func (r *modelReport) print(out io.Writer) error {
	s := newSheet(out)
	s.row("file", "%s", quoteControls(r.File))
	s.row("name", "%s", quoteControls(r.Name))
	s.row("licence", "%s", quoteControls(r.License))
	s.row("architecture", "%s", quoteControls(r.Architecture))
	s.row("parameters", "%s", countText(r.Parameters))
	s.row("quantisation", "%s, %.2f bits per weight", unknownIfEmpty(r.FileType), r.BitsPerWeight)
	s.row("size", "%s in %s", sizeText(r.Size), plural(r.Files, "file"))
	s.row("context", "%d tokens", r.Context)
	s.row("embedding", "%d", r.Embedding)
	s.row("layers", "%d", r.Layers)
	s.row("heads", "%d, for keys and values %d", r.Heads, r.KVHeads)
	s.row("feed-forward", "%d", r.FeedForward)
	if r.Experts > 0 {
		s.row("experts", "%d, %d at work for each token", r.Experts, r.ExpertsUsed)
	}
	r.printVocabulary(s)
	for i, t := range r.Types {
		s.row(firstOnly(i, "tensors"), "%-7s %5d tensors %10s parameters %11s", t.Type, t.Tensors, countText(t.Elements), sizeText(t.Bytes))
	}
	s.row("problems", "%s", r.problems())
	if err := s.w.Flush(); err != nil || r.Loaded == nil {
		return err
	}
	return r.Loaded.print(out)
}

func (r *modelReport) printVocabulary(s sheet) {
	kind := r.Vocab
	if r.PreTokenizer != "" {
		kind += ", pre-tokenizer " + quoteControls(r.PreTokenizer)
	}
	s.row("vocabulary", "%s (%s)", plural(r.VocabSize, "token"), kind)
	for i, t := range r.SpecialTokens {
		s.row(firstOnly(i, "special tokens"), "%-9s %6d  %s", quoteControls(t.Role), t.ID, quoteControls(t.Text))
	}
	s.row("adds", "%s", r.adds())
	s.row("chat template", "%s", yesNo(r.ChatTemplate))
}

// adds says what the tokenizer puts around a text, where the file says so.
func (r *modelReport) adds() string {
	var list []string
	for _, a := range []struct {
		set  *bool
		what string
	}{{r.AddBOS, "BOS before a text"}, {r.AddEOS, "EOS after a text"}} {
		switch {
		case a.set == nil:
		case *a.set:
			list = append(list, a.what)
		default:
			list = append(list, "no "+a.what)
		}
	}
	return strings.Join(list, ", ")
}

func (r *modelReport) problems() string {
	if len(r.Problems) == 0 {
		return "none"
	}
	return countProblems(r.Problems) + "; axon model check lists them"
}

func (r *loadedReport) print(out io.Writer) error {
	fmt.Fprintf(out, "\nloaded for %d tokens of context and %s; native memory by device:\n\n", r.Context, plural(r.Threads, "thread"))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tMODEL\tCONTEXT\tCOMPUTE")
	for _, m := range r.Memory {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Buffer, knownSize(m.Model), knownSize(m.Context), knownSize(m.Compute))
	}
	return w.Flush()
}

func firstOnly(i int, name string) string {
	if i == 0 {
		return name
	}
	return ""
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func unknownIfEmpty(s string) string {
	if s == "" {
		return "not stated"
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// quoteControls makes text from a file fit for a terminal: one line, and
// nothing that the terminal would act on.
func quoteControls(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
