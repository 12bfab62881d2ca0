package bench

import (
	"fmt"
	"io"
	"math"
	"strings"

	"axon/synapse"
)

// Markdown writes what was found, for people.
func (r *ClaimsReport) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d texts of %d tokens, seed %d, %.0f s; ± is a standard error, [ ] holds the value 95 %% of the time\n", r.Texts, r.Length, r.Seed, r.Seconds)
	if r.Decoding != nil {
		r.Decoding.markdown(&b)
	}
	if r.Compression != nil {
		r.Compression.markdown(&b)
	}
	if r.Collective != nil {
		r.Collective.markdown(&b)
	}
	if r.Scaling != nil {
		r.Scaling.markdown(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Findings are all verdicts.
func (r *ClaimsReport) Findings() []Finding {
	var list []Finding
	if r.Decoding != nil {
		list = append(list, r.Decoding.Findings...)
	}
	if r.Compression != nil {
		list = append(list, r.Compression.Findings...)
	}
	if r.Collective != nil {
		list = append(list, r.Collective.Findings...)
	}
	if r.Scaling != nil {
		list = append(list, r.Scaling.Findings...)
	}
	return list
}

// grid is a table whose columns are as wide as their cells; the first ones are words.
type grid struct {
	words int
	cells [][]string
}

func (g *grid) row(cells ...string) { g.cells = append(g.cells, cells) }

func (g *grid) write(b *strings.Builder) {
	widths := make([]int, len(g.cells[0]))
	for _, row := range g.cells {
		for i, c := range row {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	b.WriteByte('\n')
	for n, row := range g.cells {
		for i, c := range row {
			b.WriteString("| " + pad(c, widths[i], i >= g.words) + " ")
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i, width := range widths {
			end := "-"
			if i >= g.words {
				end = ":"
			}
			b.WriteString("|" + strings.Repeat("-", width+1) + end)
		}
		b.WriteString("|\n")
	}
}

// writeFindings ends the part of a claim.
func writeFindings(b *strings.Builder, claim Claim, list []Finding) {
	b.WriteByte('\n')
	for _, f := range list {
		fmt.Fprintf(b, "- %s: **%s**\n", f.Claim, f.Verdict)
		b.WriteString(wrap(f.Because, 96, "  "))
	}
	fmt.Fprintf(b, "\nClaim %s: **%s**\n", claim, overall(list))
}

// overall is what the verdicts on the parts of a claim come to.
func overall(list []Finding) string {
	var parts []string
	for _, v := range []Verdict{Holds, DoesNotHold, Undecided} {
		var names []string
		for _, f := range list {
			if name, _, _ := strings.Cut(f.Claim, " "); f.Verdict == v {
				names = append(names, name)
			}
		}
		switch {
		case len(names) == len(list):
			return string(v)
		case len(names) > 0:
			parts = append(parts, strings.Join(names, ", ")+" "+inPlural(v, len(names)))
		}
	}
	return "in part: " + strings.Join(parts, "; ")
}

func inPlural(v Verdict, n int) string {
	if n == 1 {
		return string(v)
	}
	return map[Verdict]string{Holds: "hold", DoesNotHold: "do not hold", Undecided: "are undecided"}[v]
}

// wrap breaks a text into lines of so many characters, each after an indent.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	at := 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word)) + 1
		switch {
		case at == 0:
			b.WriteString(indent)
		case at+n > width:
			b.WriteString("\n" + indent)
			at = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(word)
		at += n
	}
	return b.String() + "\n"
}

func plusMinus(e Estimate, digits int) string {
	return number(e.Mean, digits) + " ± " + number(e.Error, digits)
}

// plusMinusSmall is for errors that may be near nothing.
func plusMinusSmall(e Estimate) string {
	if math.Abs(e.Mean) < 5e-4 {
		return fmt.Sprintf("%.0e ± %.0e", e.Mean, e.Error)
	}
	return plusMinus(e, 4)
}

func (d *DecodingResult) markdown(b *strings.Builder) {
	b.WriteString("\n## a. Logits instead of hidden states\n\nError of the estimated loss, nats a token:\n")
	errors := grid{words: 1}
	head := []string{"model", "own loss", fmt.Sprintf("by logits, k=%d", logitsTopK)}
	for _, l := range d.Servers[0].Decoded {
		head = append(head, fmt.Sprintf("decoder of %d", l.Tokens))
	}
	errors.row(head...)
	costs := grid{words: 1}
	costs.row("model", "logits: MB", "s", "decoder: MB", "to judge", "s", "to judge", "rate", "epochs")
	for _, s := range d.Servers {
		cells := []string{s.Model, plusMinus(s.Truth, 3), plusMinus(s.Logits, 3)}
		for _, l := range s.Decoded {
			cells = append(cells, plusMinus(l.Error, 3))
		}
		errors.row(cells...)
		last := s.Decoded[len(s.Decoded)-1]
		costs.row(s.Model, megabytes(s.Newer.Bytes), number(s.Newer.Seconds, 1), megabytes(s.Older.Bytes), megabytes(s.Older.JudgeBytes),
			number(s.Older.Seconds, 1), number(s.Older.JudgeSeconds, 1), fmt.Sprint(last.Rate), fmt.Sprint(last.Epochs))
	}
	errors.write(b)
	costs.write(b)
	writeFindings(b, ClaimDecoding, d.Findings)
}

func megabytes(n int) string { return number(float64(n)/1e6, 1) }

func (c *CompressionResult) markdown(b *strings.Builder) {
	b.WriteString("\n## b. Compressed logits\n\nBytes of the message for a position; bias of the loss beside the server's own, nats a token, and\nwhat it makes of the effective parameters N:\n")
	g := grid{words: 3}
	g.row("model", "answer", "encoding", "top-k", "bytes", "bias", "N, %")
	for _, r := range c.Rows {
		top, bytes, bias, params := "", significant(r.Bytes), "", ""
		if r.Bytes >= 100 {
			bytes = number(r.Bytes, 0)
		}
		if r.TopK > 0 {
			top = fmt.Sprint(r.TopK)
		}
		if r.TopK >= synapse.StandardVocabulary {
			top = "all"
		}
		if r.Bias != nil {
			bias, params = plusMinusSmall(*r.Bias), number(100*r.Params, 2)
		}
		switch {
		case r.Refused != "":
			bytes = "refused"
		case r.Per == "text":
			bytes += " a text"
		}
		g.row(r.Model, r.Synapse, r.Encoding, top, bytes, bias, params)
	}
	g.write(b)
	writeFindings(b, ClaimCompression, c.Findings)
}

func (c *CollectiveResult) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## c. Scores of all together, and of each alone\n\nMean and deviation over %d runs of %d texts, among copies of %s, and what their owner gets of all:\n", c.Runs, c.Texts, c.Copied)
	g := grid{words: 2}
	head := []string{"score", "server"}
	for _, n := range claimsCopies {
		head = append(head, plural(n, "copy", "copies"))
	}
	g.row(head...)
	for _, score := range collectiveScores {
		for _, model := range c.models() {
			cells := []string{score, model}
			for _, n := range claimsCopies {
				r := c.find(score, model, n)
				cells = append(cells, varying(r.Mean, r.Deviation))
			}
			g.row(cells...)
		}
		cells := []string{score, "owner's share"}
		for _, n := range claimsCopies {
			cells = append(cells, number(100*c.find(score, c.Copied, n).Share, 0)+" %")
		}
		g.row(cells...)
	}
	g.write(b)
	order := grid{words: 1}
	order.row("score", "runs that order all", "95 %")
	for _, o := range c.Orders {
		order.row(o.Score, number(100*o.Right, 0)+" %", o.In95.text(2))
	}
	order.write(b)
	writeFindings(b, ClaimCollective, c.Findings)
}

func plural(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}

// varying writes a mean with the deviation as a part of it.
func varying(mean, deviation float64) string {
	if mean == 0 {
		return "0"
	}
	part := 100 * deviation / math.Abs(mean)
	if part > 999 {
		return significant(mean) + " ± >999 %"
	}
	return fmt.Sprintf("%s ± %.0f %%", significant(mean), part)
}

// significant writes a number to three digits.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	return number(v, max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))))
}

func (s *ScalingResult) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## d. Scaling laws\n\nOver %d texts:\n", s.Texts)
	g := grid{words: 1}
	g.row("model", "parameters", "loss", "off the fit", "effective parameters", "1 error, % of N")
	for _, m := range s.Models {
		g.row(m.Model, number(m.Size, 0), plusMinus(m.Loss, 3), plusMinus(m.Residual, 3),
			fmt.Sprintf("%s [%s, %s]", significant(m.Effective), significant(m.Interval.Low), significant(m.Interval.High)), number(100*m.OneError, 1))
	}
	g.write(b)
	fmt.Fprintf(b, "\nL(N) = (Nc/N)^α: α %.4f %s, Nc %.3g [%.3g, %.3g]; Kaplan: 0.076, 8.8e13\n",
		s.Law.Alpha, s.Law.Alpha95.text(4), s.Law.Nc, s.Law.Nc95.Low, s.Law.Nc95.High)
	g = grid{words: 1}
	g.row("texts", "all in order, %", "95 %")
	for _, o := range s.Order {
		g.row(fmt.Sprint(o.Texts), number(100*o.Right, 1), o.In95.text(3))
	}
	g.write(b)
	g = grid{words: 2}
	g.row("smaller", "larger", "loses less by", "deviation by text", "texts for 95 %")
	for _, p := range s.Pairs {
		g.row(p.Smaller, p.Larger, plusMinus(p.Difference, 3), number(p.Deviation, 3), fmt.Sprint(p.Texts))
	}
	g.write(b)
	g = grid{}
	g.row("by Kaplan's law: loss", "size ratio", "difference", "texts for 95 %")
	for _, a := range s.Apart {
		g.row(number(a.Loss, 2), number(a.Ratio, 1), number(a.Gain, 4), fmt.Sprint(a.Texts))
	}
	g.write(b)
	writeFindings(b, ClaimScaling, s.Findings)
}
