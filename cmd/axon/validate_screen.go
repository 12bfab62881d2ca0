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

	"golang.org/x/term"

	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

// validateScreen is what people see of a validator: a table that is drawn anew on a
// terminal, lines in a pipe, or JSON.
type validateScreen struct {
	w      io.Writer
	errors io.Writer
	json   bool
	live   bool                    // a terminal that can be drawn on
	drawn  int                     // lines of the table that stand on it
	told   map[int]wire.ReturnCode // faults of servers, as they were told last
}

func (v *validation) openScreen() (err error) {
	s := &v.screen
	s.w, s.errors, s.told = v.c.App.Writer, v.c.App.ErrWriter, make(map[int]wire.ReturnCode)
	switch format := v.c.String("format"); format {
	case "table":
		f, ok := s.w.(*os.File)
		s.live = ok && term.IsTerminal(int(f.Fd()))
	case "json":
		s.json = true
	default:
		return usageError("--format %q: must be table or json", format)
	}
	v.sizes, err = sizesOf(v.c)
	return err
}

// begin tells what is about to happen.
func (s *validateScreen) begin(v *validation) error {
	if s.json {
		return nil
	}
	o := v.options
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s "+format+"\n", append([]any{name}, args...)...)
	}
	asked := "all in each round"
	if o.Servers > 0 && o.Servers < len(v.target.endpoints) {
		asked = fmt.Sprintf("%d in each round", o.Servers)
	}
	line("servers", "%d, %s", len(v.target.endpoints), asked)
	line("task", "%v, top %d, %s of %d tokens a round", o.Task, o.TopK, plural(o.Texts, "text"), o.Context-o.Prune)
	line("texts", "%s", quoteControls(describeTexts(v.texts, v.c.StringSlice("text"))))
	line("rule", "%s", ruleText(o))
	line("state", "%s, %s", quoteControls(v.store.Path()), progressText(v.store.State.Progress))
	if v.store.State.Progress.Rounds > 0 && v.texts.Size().Files == 0 {
		line("", "what earlier runs have used of standard input is passed over")
	}
	if v.metrics != nil {
		line("metrics", "http://%v/metrics", v.metrics.address)
	}
	_, err := fmt.Fprintln(s.w, b.String())
	return err
}

func ruleText(o rounds.Options) string {
	if o.Rules.Proper {
		return "proper: the loss of the first token that was held out"
	}
	return "reference: the formulas of release 3.7.0"
}

func progressText(p state.Progress) string {
	if p.Rounds == 0 {
		return "new"
	}
	return fmt.Sprintf("%s so far", plural(p.Rounds, "round"))
}

// round shows what a round has brought.
func (s *validateScreen) round(v *validation, round *state.Round, weights []validator.Weight) error {
	faults := s.faults(v.rounds.State(), round)
	if s.live {
		return s.draw(v, round, weights, faults)
	}
	for _, f := range faults {
		fmt.Fprintln(s.errors, "axon: "+f)
	}
	if s.json {
		return writeLine(s.w, round)
	}
	_, err := fmt.Fprintln(s.w, roundText(v.rounds.State(), round))
	return err
}

// faults are why servers did not answer. On a terminal they are drawn anew each round;
// elsewhere each is told when it is another than before.
func (s *validateScreen) faults(st *state.State, round *state.Round) (lines []string) {
	for _, r := range round.Replies {
		known := s.told[r.UID]
		s.told[r.UID] = r.Code
		if r.Code == wire.ReturnCode_RETURN_CODE_SUCCESS || (known == r.Code && !s.live) || r.Code == wire.ReturnCode_RETURN_CODE_BACKOFF {
			continue
		}
		lines = append(lines, fmt.Sprintf("%d, %s: %s: %s", r.UID, quoteControls(st.Servers[r.UID].Address), codeName(r.Code), quoteControls(r.Message)))
	}
	return lines
}

// mostFaults are drawn below a table.
const mostFaults = 3

// roundText is a round in one line.
func roundText(st *state.State, round *state.Round) string {
	answered := 0
	for _, r := range round.Replies {
		if r.Code == wire.ReturnCode_RETURN_CODE_SUCCESS {
			answered++
		}
	}
	text := fmt.Sprintf("round %d: %s, %v, %d of %d answered", round.Number, plural(round.Texts, "text"),
		secondsText(round.Took), answered, len(round.Replies))
	if order := rounds.Ranking(st); len(order) > 0 {
		best := st.Servers[order[0]]
		text += fmt.Sprintf("; best: %d with %s", order[0], lossText(best.Average))
	}
	if round.Repeated {
		text += "; these texts were asked about before"
	}
	return text
}

func secondsText(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

// timeText is the averaged response time, in milliseconds.
func timeText(a *validator.Average) string {
	if e := a.TimeTally.Error(); !math.IsNaN(e) {
		return fmt.Sprintf("%.0f ± %.0f ms", 1000*a.ResponseTime, 1000*e)
	}
	return fmt.Sprintf("%.0f ms", 1000*a.ResponseTime)
}

func lossText(a *validator.Average) string {
	switch e := a.Tally.Error(); {
	case math.IsNaN(a.Worth.Loss):
		return "-"
	case math.IsNaN(e):
		return fmt.Sprintf("%.3f", a.Worth.Loss)
	default:
		return fmt.Sprintf("%.3f ± %.3f", a.Worth.Loss, e)
	}
}

// draw replaces the table on the terminal.
func (s *validateScreen) draw(v *validation, round *state.Round, weights []validator.Weight, faults []string) error {
	width, height, err := term.GetSize(int(s.w.(*os.File).Fd()))
	if err != nil {
		width, height = 100, 24
	}
	text := roundText(v.rounds.State(), round) + "\n\n" + v.table(weights, max(1, height-6-mostFaults))
	for _, f := range faults[:min(mostFaults, len(faults))] {
		text += f + "\n"
	}
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = 0
	for line := range strings.Lines(text) {
		b.WriteString(cut(strings.TrimRight(line, "\n"), width-1) + "\n")
		s.drawn++
	}
	_, err = io.WriteString(s.w, b.String())
	return err
}

// cut shortens a line to a number of characters.
func cut(line string, width int) string {
	if r := []rune(line); len(r) > max(width, 1) {
		return string(r[:max(width, 1)])
	}
	return line
}

// end shows what came out.
func (s *validateScreen) end(v *validation, weights []validator.Weight) error {
	switch {
	case s.json:
		result, err := v.result(weights)
		if err != nil {
			return err
		}
		return writeLine(s.w, result)
	case s.live && s.drawn > 0:
		_, err := fmt.Fprintln(s.w, "\n"+v.verdict())
		return err
	}
	_, err := fmt.Fprintf(s.w, "\n%s\n%s\n", v.table(weights, math.MaxInt), v.verdict())
	return err
}

func writeLine(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// table has the servers in ascending order of their losses, no more than fit.
func (v *validation) table(weights []validator.Weight, rows int) string {
	st := v.rounds.State()
	order := rounds.Ranking(st)
	ahead := make(map[int]validator.Difference)
	for _, d := range v.rounds.Neighbours() {
		ahead[d.Better] = d
	}
	share := make(map[int]float32)
	for _, w := range weights {
		share[w.UID] = w.Value
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "UID\tSERVER\tLOSS\tPARAMETERS (95 %)\tWEIGHT\tTIME\tANSWERED\tTHE NEXT LOSES MORE BY")
	for i, uid := range order {
		if i == rows {
			fmt.Fprintf(t, "… and %d more\n", len(order)-rows)
			break
		}
		s := st.Servers[uid]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%.4f\t%s\t%s\t%s\n", uid, quoteControls(s.Address), lossText(s.Average), paramsText(s.Average),
			share[uid], timeText(s.Average), answeredText(s), aheadText(ahead, uid, rounds.Confidence(len(order))))
	}
	_ = t.Flush()
	return b.String()
}

// paramsText is effective parameters and their interval.
func paramsText(a *validator.Average) string {
	if math.IsNaN(a.Worth.Loss) {
		return "-"
	}
	low, high := a.Tally.ParamsInterval()
	if math.IsNaN(low) {
		return sizeOfModel(validator.EffectiveParams(a.Worth.Loss))
	}
	return fmt.Sprintf("%s (%s – %s)", sizeOfModel(validator.EffectiveParams(a.Worth.Loss)), sizeOfModel(low), sizeOfModel(high))
}

// sizeOfModel is a number of parameters in three digits.
func sizeOfModel(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if n >= unit.size {
			return fmt.Sprintf("%.3g%s", n/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", n)
}

// answeredText says how often a server answered, and what else came.
func answeredText(s *state.Server) string {
	text := fmt.Sprintf("%d/%d", s.Answered(), s.Average.Rounds)
	for _, c := range codeCounts(s) {
		if c.Name != codeName(wire.ReturnCode_RETURN_CODE_SUCCESS) {
			text += fmt.Sprintf(", %s %d", c.Name, c.N)
		}
	}
	return text
}

func aheadText(ahead map[int]validator.Difference, uid int, confidence float64) string {
	d, ok := ahead[uid]
	if !ok || d.Rounds == 0 {
		return ""
	}
	mark := ""
	if d.Differs(confidence) {
		mark = " *"
	}
	if math.IsNaN(d.Error) {
		return fmt.Sprintf("%.3f", d.Mean)
	}
	return fmt.Sprintf("%.3f ± %.3f%s", d.Mean, d.Error, mark)
}

// youth says that it is too early.
func (v *validation) youth() string {
	if v.rounds.State().Progress.Rounds < validator.LeastRounds {
		return fmt.Sprintf(" It takes %d rounds to say so.", validator.LeastRounds)
	}
	return ""
}

// verdict says what the order is worth.
func (v *validation) verdict() string {
	differences := v.rounds.Neighbours()
	n := len(differences) + 1
	var names []string
	holds := 0
	for i, d := range differences {
		if i == 0 {
			names = append(names, fmt.Sprint(d.Better))
		}
		names = append(names, fmt.Sprint(d.Worse))
		if d.Differs(rounds.Confidence(n)) {
			holds++
		}
	}
	switch {
	case len(differences) == 0:
		return "There is nobody to compare it with."
	case holds == len(differences) && n <= 20:
		return fmt.Sprintf("The order %s holds with 95 %%.", strings.Join(names, " < "))
	case holds == len(differences):
		return "The order holds with 95 %."
	}
	return fmt.Sprintf("%d of %d neighbours differ by more than chance (*); all of these together hold with 95 %%.%s", holds, len(differences), v.youth())
}
