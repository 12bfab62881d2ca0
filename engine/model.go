package engine

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"

	llama "axon/cgo"
	"axon/internal/gguf"
)

// Names of the binding that callers need too.
type (
	// Token is the id of an entry of a vocabulary.
	Token = llama.Token
	// ModelInfo describes a model.
	ModelInfo = llama.ModelInfo
)

// ModelOptions says what to load and where to put it. Path or Data is needed;
// the zero value of everything else is a good default.
type ModelOptions struct {
	Path string // a GGUF file; of a split model, its first part
	Data []byte // a whole GGUF in memory, instead of Path
	Name string // how messages call the model; by default the file's name

	Devices     []string  // names as Devices lists them; nil: all there are
	GPULayers   int       // layers to offload; 0 or negative: all; ignored without a GPU
	CPUOnly     bool      // offload nothing
	SplitMode   string    // "layer" (default), "row" or "none"
	MainGPU     int       // index, used when SplitMode is "none"
	TensorSplit []float32 // share of each GPU
	NoMmap      bool      // read the file instead of mapping it
	Mlock       bool      // keep the weights in RAM
	CheckValues bool      // verify the values of all weights while loading
	VocabOnly   bool      // load the vocabulary and no weights

	Adapters []Adapter // LoRA adapters, applied in every context

	// Progress is called with values from 0 to 1 while the weights load.
	Progress func(fraction float32)

	header *gguf.File // of the file, once it was checked
}

// Adapter names a LoRA adapter and how strongly it is applied.
type Adapter struct {
	Path  string
	Scale float32
}

// Model is an opened model. It may be shared by several engines.
type Model struct {
	name     string
	m        *llama.Model
	vocab    *Vocab
	adapters []*llama.Adapter
	scales   []float32
	learned  bool // positions are a table of weights, and end where it ends
}

// OpenModel checks the file and loads it. Cancelling ctx stops the load.
func OpenModel(ctx context.Context, o ModelOptions) (*Model, error) {
	p, err := o.params(ctx)
	if err != nil {
		return nil, err
	}
	m := &Model{name: o.name()}
	if p.File != nil {
		defer func() { _ = p.File.Close() }()
	}
	if m.m, err = llama.Open(p); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("load %s: %w", m.name, err)
	}
	m.vocab = newVocab(m.m.Vocab())
	m.learned = o.header.Tensor("position_embd.weight") != nil
	for _, a := range o.Adapters {
		if err := m.addAdapter(a); err != nil {
			_ = m.Close()
			return nil, err
		}
	}
	return m, nil
}

func (o *ModelOptions) name() string {
	switch {
	case o.Name != "":
		return o.Name
	case o.Path != "":
		return filepath.Base(o.Path)
	}
	return "model in memory"
}

// params checks everything that llama.cpp would not survive.
func (o *ModelOptions) params(ctx context.Context) (llama.ModelParams, error) {
	p := llama.ModelParams{
		Path: o.Path, Devices: o.Devices, MainGPU: o.MainGPU, TensorSplit: o.TensorSplit,
		CheckTensors: o.CheckValues, GPULayers: o.GPULayers, VocabOnly: o.VocabOnly,
		Progress: func(f float32) bool {
			if o.Progress != nil {
				o.Progress(f)
			}
			return ctx.Err() == nil
		},
	}
	if p.GPULayers <= 0 {
		p.GPULayers = math.MaxInt32
	}
	if o.CPUOnly {
		p.GPULayers, p.Devices = 0, []string{}
	}
	switch {
	case o.NoMmap && o.Mlock:
		p.LoadMode = llama.LoadMlock
	case o.NoMmap:
		p.LoadMode = llama.LoadPlain
	case o.Mlock:
		p.LoadMode = llama.LoadMmapMlock
	default:
		p.LoadMode = llama.LoadMmap
	}
	switch o.SplitMode {
	case "", "layer":
		p.SplitMode = llama.SplitLayer
	case "row":
		p.SplitMode = llama.SplitRow
	case "none":
		p.SplitMode = llama.SplitNone
	default:
		return p, fmt.Errorf("%w: split mode %q: must be none, layer or row", ErrRequest, o.SplitMode)
	}
	for _, a := range o.Adapters {
		if err := checkFile(a.Path); err != nil {
			return p, fmt.Errorf("adapter: %w", err)
		}
	}
	if o.Data != nil {
		return p, o.useData(&p)
	}
	f, err := gguf.Open(o.Path)
	if err != nil {
		return p, err
	}
	return p, o.check(f).Err(o.Path)
}

func (o *ModelOptions) check(f *gguf.File) gguf.Problems {
	o.header = f
	if o.VocabOnly {
		return gguf.CheckVocab(f)
	}
	return gguf.Check(f)
}

// checkFile refuses a GGUF whose structure is broken; what its keys must be is
// for llama.cpp to say.
func checkFile(path string) error {
	_, err := gguf.Open(path)
	return err
}

// useData puts a model from memory behind a file descriptor, which is what
// llama.cpp reads from; the file has no name and goes with the descriptor.
func (o *ModelOptions) useData(p *llama.ModelParams) error {
	f, err := gguf.Parse(bytes.NewReader(o.Data), int64(len(o.Data)))
	if err != nil {
		return fmt.Errorf("%s: %w", o.name(), err)
	}
	if err := o.check(f).Err(o.name()); err != nil {
		return err
	}
	if p.File, err = memoryFile(o.name(), o.Data); err != nil {
		return fmt.Errorf("%s: %w", o.name(), err)
	}
	return nil
}

func (m *Model) addAdapter(a Adapter) error {
	l, err := m.m.OpenAdapter(a.Path)
	if err != nil {
		return err
	}
	m.adapters = append(m.adapters, l)
	m.scales = append(m.scales, a.Scale)
	return nil
}

// Close frees the model once no engine uses it any more. It is idempotent.
func (m *Model) Close() error {
	for _, a := range m.adapters {
		_ = a.Close()
	}
	return m.m.Close()
}

// Name is what the model is called in messages.
func (m *Model) Name() string { return m.name }

// Info describes the model.
func (m *Model) Info() ModelInfo { return m.m.Info() }

// Vocab is the model's vocabulary.
func (m *Model) Vocab() *Vocab { return m.vocab }

// ChatTemplate is the model's own chat template; empty: it has none.
func (m *Model) ChatTemplate() string { return m.m.ChatTemplate() }

func (m *Model) arch() string {
	arch, _ := m.Meta("general.architecture")
	return arch
}

// Meta returns a scalar of the GGUF's metadata as text.
func (m *Model) Meta(key string) (string, bool) { return m.m.Meta(key) }

// unlinkedFile is a file without a name: a temporary one, removed at once.
func unlinkedFile(data []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "axon-model-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return fill(f, data)
}

func fill(f *os.File, data []byte) (*os.File, error) {
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
