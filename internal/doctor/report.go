package doctor

import (
	"context"

	llama "axon/cgo"
	"axon/engine"
	"axon/internal/buildinfo"
	"axon/internal/gguf"
	"axon/internal/system"
	"axon/kernels"
)

// Report is everything that was seen.
type Report struct {
	Built    Built     `json:"built"`
	Found    Found     `json:"found"`
	Used     Used      `json:"used"`
	SelfTest *SelfTest `json:"self_test,omitempty"`
	Problems []Problem `json:"problems"`
}

// Built is what the program was made of.
type Built struct {
	Axon     string   `json:"axon"`
	Llama    string   `json:"llama_cpp"`
	Pinned   string   `json:"llama_cpp_pinned"`
	GGML     string   `json:"ggml"`
	GGMLPin  string   `json:"ggml_pinned,omitempty"` // empty when the Makefile did not build it
	Backend  string   `json:"backend,omitempty"`
	Key      string   `json:"key,omitempty"`
	Features []string `json:"compiled_for"`        // instruction sets that ggml was compiled for
	Missing  []string `json:"cpu_lacks,omitempty"` // those of them that the CPU does not have
}

// Found is what the machine offers.
type Found struct {
	system.Machine
	Cores   int      `json:"cores"` // that may be used, siblings counted once
	Devices []Device `json:"devices"`
	Mmap    bool     `json:"mmap"`
	Mlock   bool     `json:"mlock"`
}

// Used is what a command will use with the same options.
type Used struct {
	Model   string   `json:"model"`
	Size    int64    `json:"model_bytes"`
	Context int      `json:"context"`
	Threads int      `json:"threads"`
	Kernels string   `json:"kernels"` // what reduces rows of logits
	Devices []string `json:"devices"`
}

// Severity says whether a problem keeps axon from running.
type Severity string

// The severities.
const (
	Warning Severity = "warning"
	Fault   Severity = "error"
)

// Problem is one thing that is wrong, and what to do about it.
type Problem struct {
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Next     string   `json:"next_step"`
}

// Faults counts the problems that keep axon from running.
func (r *Report) Faults() int {
	n := 0
	for _, p := range r.Problems {
		if p.Severity == Fault {
			n++
		}
	}
	return n
}

func (r *Report) add(s Severity, text, next string) {
	r.Problems = append(r.Problems, Problem{s, text, next})
}

// Options are those of the command that is to work.
type Options struct {
	Model  engine.ModelOptions
	Engine engine.Options
	// Test is the model of the self-test; nil leaves the test out.
	Test []byte
}

// Run looks at everything. It takes a few seconds at most.
func Run(ctx context.Context, o Options) *Report {
	r := &Report{Problems: []Problem{}}
	r.Built = Built{
		Axon: buildinfo.String(), Pinned: llama.PinnedVersion, GGMLPin: buildinfo.Ggml,
		Backend: buildinfo.Backend, Key: buildinfo.Key,
	}
	r.Found.Machine = system.Look()
	r.Found.Cores = engine.PhysicalCores()
	if !r.start() {
		return r
	}
	r.use(o)
	r.checkAll(o)
	if o.Test != nil && r.Faults() == 0 {
		r.selfTest(ctx, o)
	}
	return r
}

// start asks the linked libraries; false when they are not to be used.
func (r *Report) start() bool {
	r.Built.Llama, r.Built.GGML = llama.Version(), llama.GGMLVersion()
	r.Built.Features, r.Built.Missing = llama.CPUFeatures(), llama.MissingCPUFeatures()
	r.checkFeatures() // before any native code runs that needs them
	if len(r.Built.Missing) > 0 {
		return false
	}
	if err := llama.Init(); err != nil {
		r.add(Fault, err.Error(), "rebuild with make clean build")
		return false
	}
	r.Found.Devices = Devices()
	supports := llama.Supports()
	r.Found.Mmap, r.Found.Mlock = supports.Mmap, supports.Mlock
	return true
}

// use works out what the options come to.
func (r *Report) use(o Options) {
	r.Used.Threads = o.Engine.Threads
	if r.Used.Threads == 0 {
		r.Used.Threads = r.Found.Cores
	}
	r.Used.Devices = r.devicesFor(o.Model)
	r.Used.Kernels = kernels.Variant()
	f, name, err := header(o.Model)
	r.Used.Model = name
	if err != nil {
		r.add(Fault, err.Error(), "choose another model with --model; without it the built-in one is used")
		return
	}
	s := gguf.Summarize(f)
	r.Used.Size = s.Size
	r.Used.Context = o.Engine.Context
	if r.Used.Context == 0 {
		r.Used.Context = min(int(s.Context), 4096)
	}
	if len(s.Types) > 0 && o.Model.Mlock {
		r.checkMemlock(uint64(s.Size))
	}
}
