package doctor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/system"
	"axon/kernels"
	"axon/models"
)

func builtIn() engine.ModelOptions {
	return engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName}
}

func TestRunIsQuickAndFindsNothingFatalHere(t *testing.T) {
	begun := time.Now()
	r := Run(t.Context(), Options{Model: builtIn(), Test: models.BuiltIn})
	require.Less(t, time.Since(begun), 15*time.Second) // 3 s as a rule; tests run beside others
	require.Zero(t, r.Faults(), "%+v", r.Problems)
	require.NotEmpty(t, r.Built.Llama)
	require.NotEmpty(t, r.Built.Features)
	require.NotEmpty(t, r.Found.Devices)
	require.Contains(t, r.Used.Devices, "CPU")
	require.Equal(t, 1024, r.Used.Context)
	require.Contains(t, r.SelfTest.Text, testPrompt+" ")
	for _, timing := range r.SelfTest.Timing {
		require.Positive(t, timing.Step)
	}
}

func TestTheSelfTestComparesAllThreadsWithFewer(t *testing.T) {
	s := &SelfTest{}
	o := builtIn()
	o.CPUOnly = true
	require.NoError(t, s.measure(t.Context(), o, threadCounts(2)))
	require.Len(t, s.Timing, 2)
	require.Equal(t, 2, s.Timing[0].Threads)
	require.Equal(t, 1, s.Timing[1].Threads)
}

func TestACancelledRunSaysNothingOfTheSelfTest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Run(ctx, Options{Model: builtIn(), Test: models.BuiltIn})
	require.Nil(t, r.SelfTest)
	require.Zero(t, r.Faults(), "%+v", r.Problems)
}

// TestChecks gives each check a machine or a program in which one thing is wrong.
func TestChecks(t *testing.T) {
	good := func() *Report {
		r := &Report{Built: Built{Backend: "cpu", GGML: "1", GGMLPin: "1"}}
		r.Found.Machine = system.Machine{Logical: 4, Memlock: system.Unlimited}
		r.Found.Cores = 4
		r.Found.Devices = []Device{{Name: "CPU", Type: "CPU"}}
		r.Used.Threads = 4
		return r
	}
	for name, c := range map[string]struct {
		spoil    func(r *Report, o *Options)
		severity Severity
		text     string
		next     string
	}{
		"nothing":    {func(*Report, *Options) {}, "", "", ""},
		"wrong ggml": {func(r *Report, _ *Options) { r.Built.GGML = "2" }, Fault, "ggml 2 is linked instead of 1", "make clean build"},
		"idle GPU":   {func(r *Report, _ *Options) { r.Found.Graphics = []system.GPU{{Name: "NVIDIA", Backend: "cuda"}} }, Warning, "a GPU is here", "BACKEND=cuda"},
		"no driver":  {func(r *Report, _ *Options) { r.Built.Backend = "cuda" }, Warning, "no GPU answers", "driver"},
		"GPU in use": {func(r *Report, _ *Options) {
			r.Found.Devices, r.Found.Graphics = []Device{{Name: "CUDA0", Type: "GPU"}}, []system.GPU{{}}
		}, "", "", ""},
		"too many threads":  {func(r *Report, _ *Options) { r.Used.Threads = 8 }, Warning, "8 threads for 4", "--threads 4"},
		"too many in batch": {func(_ *Report, o *Options) { o.Engine.ThreadsBatch = 8 }, Warning, "8 threads for 4", "--threads 4"},
		"quota":             {func(r *Report, _ *Options) { r.Found.Quota = 2.5 }, Warning, "2.5 processors", "--threads 2"},
		"small memory":      {func(r *Report, _ *Options) { r.Found.Memory.Available, r.Used.Size = 1<<20, 1<<30 }, Warning, "1024 MiB", "smaller"},
		"unknown device":    {func(_ *Report, o *Options) { o.Model.Devices = []string{"CUDA7"} }, Fault, `"CUDA7"`, "CPU"},
		"bad option":        {func(_ *Report, o *Options) { o.Engine.CacheTypeK = "x" }, Fault, "KV-cache type", "correct"},
	} {
		t.Run(name, func(t *testing.T) {
			r, o := good(), Options{}
			c.spoil(r, &o)
			r.checkAll(o)
			requireProblem(t, r, c.severity, c.text, c.next)
		})
	}
}

func requireProblem(t *testing.T, r *Report, s Severity, text, next string) {
	t.Helper()
	if s == "" {
		require.Empty(t, r.Problems)
		return
	}
	require.Len(t, r.Problems, 1)
	require.Equal(t, s, r.Problems[0].Severity)
	require.Contains(t, r.Problems[0].Text, text)
	require.Contains(t, r.Problems[0].Next, next)
}

func TestUnknownKernels(t *testing.T) {
	r := &Report{}
	r.Used.Kernels = kernels.Variant()
	r.checkKernels("")
	r.checkKernels("generic")
	requireProblem(t, r, "", "", "")
	r.checkKernels("abacus")
	requireProblem(t, r, Warning, "AXON_KERNELS=abacus", "generic")
}

func TestMissingInstructions(t *testing.T) {
	r := &Report{}
	r.checkFeatures()
	requireProblem(t, r, "", "", "")
	r.Built.Missing = []string{"AVX2", "FMA"}
	r.checkFeatures()
	requireProblem(t, r, Fault, "lacks AVX2, FMA,", "NATIVE=0")
}

func TestBarriers(t *testing.T) {
	for _, c := range []struct {
		timing []Timing
		busy   bool
	}{
		{[]Timing{{false, 4, 1.0}, {false, 3, 1.1}}, false},
		{[]Timing{{false, 4, 9.0}, {false, 3, 1.1}}, true},
		{[]Timing{{false, 8, 3.0}, {false, 7, 2.9}, {false, 4, 1.0}}, false},
		{[]Timing{{false, 8, 9.0}, {false, 7, 8.0}, {false, 4, 1.0}}, true},
		{[]Timing{{false, 1, 9.0}}, false},
		{[]Timing{{false, 1, 9.0}, {true, 1, 1.0}}, false},
	} {
		r := &Report{SelfTest: &SelfTest{Timing: c.timing}}
		r.checkBarriers()
		require.Equal(t, c.busy, len(r.Problems) == 1, "%+v", c.timing)
	}
}

func TestThreadCounts(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 2: {2, 1}, 3: {3, 2, 1}, 4: {4, 3, 2}, 16: {16, 15, 8}} {
		require.Equal(t, want, threadCounts(n))
	}
}

func TestModelProblems(t *testing.T) {
	r := Run(t.Context(), Options{Model: engine.ModelOptions{Path: filepath.Join(t.TempDir(), "missing.gguf")}, Test: models.BuiltIn})
	require.Equal(t, 1, r.Faults())
	require.Nil(t, r.SelfTest)

	r = &Report{}
	r.Found.Memlock = 64 << 10
	path := filepath.Join(t.TempDir(), "m.gguf")
	require.NoError(t, os.WriteFile(path, models.BuiltIn, 0o644))
	r.use(Options{Model: engine.ModelOptions{Path: path, Mlock: true}})
	requireProblem(t, r, Warning, "--mlock wants to lock 6 MiB and the limit is 64 KiB", "ulimit -l")
}
