package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"axon/internal/npy"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/wire"
)

func queryOutputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "format", Usage: "table, or json: one object a request and server, in one line", Value: "table"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the answer's tensor to `FILE`, as numpy.load reads it, instead of printing it", TakesFile: true},
		&cli.BoolFlag{Name: "force", Usage: "write over an existing file"},
	}
}

// queryOutput is where answers go.
type queryOutput struct {
	task   *queryTask
	w      io.Writer
	errors io.Writer
	json   bool
	file   string // for a tensor; empty: print
	limit  int    // entries to show
	tables int    // that were printed
}

func openQueryOutput(c *cli.Context, task *queryTask) (*queryOutput, error) {
	o := &queryOutput{task: task, w: c.App.Writer, errors: c.App.ErrWriter, file: c.String("output"), limit: math.MaxInt}
	switch c.String("format") {
	case "table":
	case "json":
		o.json = true
	default:
		return nil, usageError("--format %q: must be table or json", c.String("format"))
	}
	if show := c.Int("show"); show < 0 {
		return nil, usageError("--show %d: must not be negative", show)
	} else if task.limit > 0 && !o.json {
		o.limit = show
	}
	if o.file == "" {
		return o, nil
	}
	return o, checkOutput(o.file, c.Bool("force"))
}

// expect is told how many answers there may be.
func (o *queryOutput) expect(answers int) error {
	if o.file != "" && answers != 1 {
		return usageError("--output takes the tensor of one answer, and this asks for %d; ask one server about texts of equal length", answers)
	}
	return nil
}

// tell says something about a server on standard error, in one line.
func (o *queryOutput) tell(e client.Endpoint, words string) {
	fmt.Fprintf(o.errors, "axon: %s: %s\n", nameOfEndpoint(e), quoteControls(words))
}

func nameOfEndpoint(e client.Endpoint) string {
	if e.UID == noUID {
		return e.Address
	}
	return fmt.Sprintf("%s (uid %d)", e.Address, e.UID)
}

// write prints a reply or writes its tensor. Of a fault only JSON tells here.
func (o *queryOutput) write(r asked, reply client.Reply) error {
	fault := reply.Fault()
	if fault != nil {
		if o.json && o.file == "" {
			return o.writeJSON(r, reply, nil)
		}
		return nil
	}
	answer := reply.Results[0].Answer
	if o.file != "" {
		return o.writeTensor(answer.Tensor())
	}
	parts, err := o.task.show(r.batch, answer, o.limit)
	if err != nil {
		return fmt.Errorf("%s: %w", nameOfEndpoint(reply.Endpoint), err)
	}
	if o.json {
		return o.writeJSON(r, reply, parts)
	}
	return o.writeTable(r, reply, parts)
}

func (o *queryOutput) writeTensor(t synapse.Tensor) error {
	f, err := os.Create(o.file)
	if err != nil {
		return err
	}
	err = npy.Write(f, t.DType.String(), t.Shape, t.Data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", o.file, err)
	}
	_, err = fmt.Fprintf(o.w, "%s: %v of shape %v, %s\n", quoteControls(o.file), t.DType, t.Shape, sizeText(int64(len(t.Data))))
	return err
}

type queryJSON struct {
	Endpoint     string      `json:"endpoint"`
	UID          *int        `json:"uid,omitempty"`
	Hotkey       string      `json:"hotkey"`
	Task         string      `json:"task"`
	Code         string      `json:"code"`
	Message      string      `json:"message,omitempty"`
	Milliseconds float64     `json:"milliseconds"`
	BytesOut     int         `json:"bytes_out"`
	BytesIn      int         `json:"bytes_in"`
	Texts        []queryPart `json:"texts,omitempty"`
}

func (o *queryOutput) writeJSON(r asked, reply client.Reply, parts []queryPart) error {
	line := queryJSON{
		Endpoint: reply.Endpoint.Address, Hotkey: reply.Endpoint.Hotkey.Address(), Task: r.synapse.Task().Name,
		Code:         codeName(wire.ReturnCode_RETURN_CODE_SUCCESS),
		Milliseconds: float64(reply.Duration.Microseconds()) / 1000, BytesOut: reply.BytesOut, BytesIn: reply.BytesIn, Texts: parts,
	}
	if reply.Endpoint.UID != noUID {
		line.UID = &reply.Endpoint.UID
	}
	if f := reply.Fault(); f != nil {
		line.Code, line.Message = codeName(f.Code), f.Message
	}
	e := json.NewEncoder(o.w)
	e.SetEscapeHTML(false)
	return e.Encode(line)
}

func (o *queryOutput) writeTable(r asked, reply client.Reply, parts []queryPart) error {
	if o.tables++; o.tables > 1 {
		fmt.Fprintln(o.w)
	}
	if _, err := fmt.Fprintf(o.w, "%s: %v, %s sent, %s received\n", nameOfEndpoint(reply.Endpoint),
		reply.Duration.Round(100*time.Microsecond), sizeText(int64(reply.BytesOut)), sizeText(int64(reply.BytesIn))); err != nil {
		return err
	}
	for i, p := range parts {
		t := &queryTable{tabwriter.NewWriter(o.w, 0, 0, 2, ' ', 0), o.limit}
		fmt.Fprintf(t, "\n%s\n", shortened(r.batch.texts[i]))
		p.table(t)
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// queryTable is a table in the making: cells end with a tab.
type queryTable struct {
	*tabwriter.Writer
	limit int // entries to show
}

func (t *queryTable) row(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// shownText is how much of a text stands above its table.
const shownText = 100 // characters

// shortened is a text in one line, in quotes, its middle left out where it is long.
func shortened(text string) string {
	r := []rune(text)
	if len(r) > shownText {
		text = string(r[:shownText/2]) + " … " + string(r[len(r)-shownText/2:])
	}
	return fmt.Sprintf("%q", text)
}

// codeName is a return code as the network's software calls it, such as Unauthenticated.
func codeName(code wire.ReturnCode) string {
	name, ok := wire.ReturnCode_name[int32(code)]
	if !ok {
		return fmt.Sprintf("ReturnCode%d", code)
	}
	var b strings.Builder
	for _, word := range strings.Split(strings.TrimPrefix(name, "RETURN_CODE_"), "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

// number is one that JSON can hold: what is infinite or no number is null.
type number float64

// MarshalJSON writes the number with as many digits as float32 needs.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float32(n))
}
