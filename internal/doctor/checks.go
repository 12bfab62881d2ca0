package doctor

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"axon/engine"
	"axon/internal/gguf"
	"axon/kernels"
)

// checkAll looks for everything else that is wrong.
func (r *Report) checkAll(o Options) {
	r.checkVersions()
	r.checkGraphics()
	r.checkThreads(o.Engine)
	r.checkMemory()
	r.checkKernels(os.Getenv(kernels.VariantEnv))
	for _, name := range o.Model.Devices {
		r.checkDevice(name)
	}
	if err := o.Engine.Validate(); err != nil {
		r.add(Fault, err.Error(), "correct the option")
	}
}

func (r *Report) checkFeatures() {
	if len(r.Built.Missing) > 0 {
		r.add(Fault, "the CPU lacks "+strings.Join(r.Built.Missing, ", ")+", which this program was compiled for",
			"make build on this machine, or a portable program with make build NATIVE=0")
	}
}

func (r *Report) checkVersions() {
	if r.Built.GGMLPin != "" && r.Built.GGML != r.Built.GGMLPin {
		r.add(Fault, fmt.Sprintf("ggml %s is linked instead of %s", r.Built.GGML, r.Built.GGMLPin), "rebuild with make clean build")
	}
}

// checkGraphics finds GPUs that nothing uses, and builds whose GPU is not there.
func (r *Report) checkGraphics() {
	if r.hasGPU() {
		return
	}
	backend := r.Built.Backend
	if backend != "" && backend != "cpu" {
		r.add(Warning, "built for "+backend+", but no GPU answers: the CPU will do all the work",
			"install or load the driver (nvidia-smi or vulkaninfo must see the GPU), or make build BACKEND=cpu")
		return
	}
	for _, g := range r.Found.Graphics {
		r.add(Warning, "a GPU is here, "+g.Name+", but this build uses the CPU only", "make build BACKEND="+g.Backend)
		return
	}
}

func (r *Report) checkThreads(o engine.Options) {
	most := max(r.Used.Threads, o.ThreadsBatch)
	if most > r.Found.Logical {
		r.add(Warning, fmt.Sprintf("%d threads for %d processors: they will wait for each other", most, r.Found.Logical),
			fmt.Sprintf("--threads %d", r.Found.Cores))
		return
	}
	if q := r.Found.Quota; q > 0 && float64(most) > q {
		r.add(Warning, fmt.Sprintf("%d threads where the container may keep %.1f processors busy: each step waits for those put to sleep", most, q),
			fmt.Sprintf("--threads %d, or grant the container more", max(1, int(q))))
	}
}

// checkKernels finds a variant asked for that is not there: it was ignored.
func (r *Report) checkKernels(asked string) {
	if there := kernels.Variants(); asked != "" && !slices.Contains(there, asked) {
		r.add(Warning, fmt.Sprintf("%s=%s: there are no such kernels for this machine, %s are used", kernels.VariantEnv, asked, r.Used.Kernels),
			"set it to one of: "+strings.Join(there, ", "))
	}
}

func (r *Report) checkMemory() {
	free := r.Found.Memory.Free()
	if free > 0 && r.Used.Size > 0 && uint64(r.Used.Size) > free && !r.hasGPU() {
		r.add(Warning, fmt.Sprintf("the model takes %d MiB and %d MiB of memory are free: it will be read from the disk again and again", r.Used.Size>>20, free>>20),
			"use a smaller quantisation (axon model quantize) or a smaller model, or free some memory")
	}
}

func (r *Report) checkMemlock(size uint64) {
	if r.Found.Memlock < size {
		r.add(Warning, fmt.Sprintf("--mlock wants to lock %d MiB and the limit is %d KiB: the weights will not be locked", size>>20, r.Found.Memlock>>10),
			"raise it with ulimit -l, or LimitMEMLOCK= in a systemd unit, or leave --mlock out")
	}
}

func (r *Report) checkDevice(name string) {
	var names []string
	for _, d := range r.Found.Devices {
		if strings.EqualFold(d.Name, name) {
			return
		}
		names = append(names, d.Name)
	}
	r.add(Fault, fmt.Sprintf("unknown device %q", name), "choose one of: "+strings.Join(names, ", "))
}

// devicesFor names the devices that will compute.
func (r *Report) devicesFor(o engine.ModelOptions) []string {
	var names []string
	for _, d := range r.Found.Devices {
		if d.graphics() && !o.CPUOnly && (o.Devices == nil || slices.Contains(o.Devices, d.Name)) {
			names = append(names, d.Name)
		}
	}
	return append(names, "CPU")
}

// header reads the head of the model and checks it.
func header(o engine.ModelOptions) (*gguf.File, string, error) {
	var f *gguf.File
	var err error
	name := o.Name
	if o.Path != "" {
		name = o.Path
		f, err = gguf.Open(o.Path)
	} else {
		f, err = gguf.Parse(bytes.NewReader(o.Data), int64(len(o.Data)))
	}
	if err != nil {
		return nil, name, err
	}
	return f, name, gguf.Check(f).Err(name)
}
