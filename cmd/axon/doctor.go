package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/internal/doctor"
	"axon/internal/gguf/synth"
	"axon/internal/system"
	"axon/models"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say what was built, what was found, what will be used, and what is wrong",
		Description: "Give it the flags of the command that is to work: it says what they come to.\n" +
			"A self-test of a second or two generates a few tokens with the built-in model and\n" +
			"tells whether the machine is too busy for that many threads. Exit code 1 when\n" +
			"something keeps axon from running.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "no-test", Usage: "leave the self-test out"},
		}, modelFlags(), contextFlags()),
		Action: runDoctor,
	}
}

func runDoctor(c *cli.Context) error {
	if c.Args().Present() {
		return usageError("axon doctor takes flags only; %q is none", c.Args().First())
	}
	o := doctor.Options{Engine: engineOptions(c), Test: models.BuiltIn}
	var err error
	if o.Model, err = modelOptions(c); err != nil {
		return err
	}
	if c.Bool("no-test") {
		o.Test = nil
	}
	r := doctor.Run(c.Context, o)
	if err := c.Context.Err(); err != nil {
		return err
	}
	if err := printDoctor(c, r); err != nil {
		return err
	}
	if n := r.Faults(); n > 0 {
		return fmt.Errorf("cannot run like this: %s; the report names the next step", plural(n, "error"))
	}
	return nil
}

func printDoctor(c *cli.Context, r *doctor.Report) error {
	if c.Bool("json") {
		return writeIndented(c, r)
	}
	w := c.App.Writer
	printBuilt(w, &r.Built)
	printFound(w, &r.Found)
	printUsed(w, &r.Used)
	if r.SelfTest != nil {
		printSelfTest(w, r.SelfTest)
	}
	return printDiagnosis(w, r.Problems)
}

// line prints a name and a value; without a value nothing.
func line(w io.Writer, name, value string) {
	if value != "" {
		fmt.Fprintf(w, "  %-13s %s\n", name, value)
	}
}

func printBuilt(w io.Writer, b *doctor.Built) {
	fmt.Fprintln(w, "built")
	line(w, "axon", b.Axon)
	line(w, "llama.cpp", fmt.Sprintf("%s, pinned %s", b.Llama, b.Pinned))
	line(w, "ggml", withPin(b.GGML, b.GGMLPin))
	line(w, "backend", unknownIfEmpty(b.Backend))
	line(w, "key", b.Key)
	line(w, "compiled for", strings.Join(b.Features, " "))
	if len(b.Missing) > 0 {
		line(w, "CPU lacks", strings.Join(b.Missing, " "))
	}
}

func withPin(version, pin string) string {
	if pin == "" {
		return version
	}
	return fmt.Sprintf("%s, pinned %s", version, pin)
}

func printFound(w io.Writer, f *doctor.Found) {
	fmt.Fprintln(w, "found")
	line(w, "CPU", fmt.Sprintf("%s, %s, %s", unknownIfEmpty(f.CPU), plural(f.Cores, "core"), plural(f.Logical, "processor")))
	line(w, "load", fmt.Sprintf("%.2f", f.Load))
	line(w, "memory", fmt.Sprintf("%s, %s free", knownSize(f.Memory.Total), knownSize(f.Memory.Free())))
	line(w, "container", containerText(f.Machine))
	line(w, "lockable", lockText(f))
	for i, d := range f.Devices {
		line(w, firstOnly(i, "devices"), fmt.Sprintf("%s: %s, %s, %s of %s free", d.Name, d.Type, d.Description, knownSize(d.Free), knownSize(d.Total)))
	}
	for i, g := range f.Graphics {
		line(w, firstOnly(i, "GPUs"), g.Name)
	}
	line(w, "vocabularies", vocabularyText())
}

func containerText(m system.Machine) string {
	var limits []string
	if m.Quota > 0 {
		limits = append(limits, fmt.Sprintf("%.1f processors", m.Quota))
	}
	if m.Memory.Limit > 0 {
		limits = append(limits, fmt.Sprintf("%s of memory, %s used", sizeText(m.Memory.Limit), sizeText(m.Memory.Used)))
	}
	return strings.Join(limits, ", ")
}

func lockText(f *doctor.Found) string {
	switch {
	case len(f.Devices) == 0:
		return "" // the library was not asked
	case !f.Mlock:
		return "nothing: no --mlock on this system"
	case f.Memlock == system.Unlimited:
		return "any amount of memory"
	}
	return sizeText(f.Memlock) + " of memory"
}

// vocabularyText tells where model synth finds vocabularies by name.
func vocabularyText() string {
	for _, dir := range vocabularyDirs() {
		if n := len(synth.VocabNames(dir)); n > 0 {
			return fmt.Sprintf("%d in %s", n, dir)
		}
	}
	return "none; make build links them beside the program"
}

func printUsed(w io.Writer, u *doctor.Used) {
	if u.Threads == 0 {
		return // it was not got that far
	}
	fmt.Fprintln(w, "used")
	line(w, "model", fmt.Sprintf("%s, %s", quoteControls(u.Model), sizeText(u.Size)))
	line(w, "context", plural(u.Context, "token"))
	line(w, "threads", fmt.Sprint(u.Threads))
	line(w, "kernels", u.Kernels)
	line(w, "devices", strings.Join(u.Devices, ", "))
}

func printSelfTest(w io.Writer, t *doctor.SelfTest) {
	fmt.Fprintln(w, "self-test")
	line(w, "text", quoteControls(firstLine(t.Text)))
	for i, timing := range t.Timing {
		line(w, firstOnly(i, "speed"), fmt.Sprintf("%s, %s: %.2f ms a token", where(timing.GPU), plural(timing.Threads, "thread"), timing.Step))
	}
	line(w, "took", fmt.Sprintf("%.1f s", t.Took))
}

func where(gpu bool) string {
	if gpu {
		return "GPU"
	}
	return "CPU"
}

func firstLine(s string) string {
	first, _, cut := strings.Cut(strings.TrimSpace(s), "\n")
	if cut {
		first += " …"
	}
	return first
}

func printDiagnosis(w io.Writer, problems []doctor.Problem) error {
	if len(problems) == 0 {
		_, err := fmt.Fprintln(w, "nothing is wrong")
		return err
	}
	fmt.Fprintln(w, "wrong")
	for _, p := range problems {
		if _, err := fmt.Fprintf(w, "  %s: %s\n    → %s\n", p.Severity, p.Text, p.Next); err != nil {
			return err
		}
	}
	return nil
}
