package llama

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// SplitMode says how a model is spread over several GPUs.
type SplitMode int

// The split modes of llama.cpp.
const (
	SplitNone SplitMode = iota
	SplitLayer
	SplitRow
)

// LoadMode says how the weights get into memory.
type LoadMode int

// The load modes of llama.cpp.
const (
	LoadAuto LoadMode = iota - 1
	LoadPlain
	LoadMmap
	LoadMlock
	LoadMmapMlock
)

// ModelParams says what to load and where to. Path or File must be set.
type ModelParams struct {
	Path   string
	File   *os.File // read instead of Path, from Offset on; may be closed afterwards
	Offset int64    // bytes

	Devices      []string // names; nil: all, empty: none but the CPU
	GPULayers    int      // layers to offload; negative: all
	SplitMode    SplitMode
	MainGPU      int       // index of the GPU used under SplitNone
	TensorSplit  []float32 // proportions, one for each GPU
	LoadMode     LoadMode
	VocabOnly    bool // no weights: a vocabulary is all that is wanted
	CheckTensors bool // verify the values of the weights while loading

	// Progress is called with values from 0 to 1 while the weights load;
	// false stops the load. It runs on the loading thread.
	Progress func(float32) bool
}

// ModelInfo describes a model.
type ModelInfo struct {
	Description  string // architecture, size, quantisation in llama.cpp's words
	FileType     string // quantisation, as in "Q4_0"
	VocabSize    int
	ContextTrain int // tokens
	Embedding    int // width of the input embedding
	EmbeddingOut int // width of a hidden state
	Layers       int
	Heads        int
	HeadsKV      int
	SlidingWin   int // tokens; 0: none
	Params       uint64
	SizeBytes    uint64

	HasEncoder, HasDecoder       bool
	Recurrent, Hybrid, Diffusion bool
}

// Model is an opened model.
type Model struct {
	*object
	c     *C.ax_model
	info  ModelInfo
	vocab Vocab
}

// Open loads a model. The file must have passed gguf.Check: llama.cpp stops
// the process on some that would not.
func Open(p ModelParams) (*Model, error) {
	if err := Init(); err != nil {
		return nil, err
	}
	devices, err := deviceIndices(p.Devices)
	if err != nil {
		return nil, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	cp := C.ax_model_params{
		n_gpu_layers: C.int(p.GPULayers), split_mode: C.int(p.SplitMode), main_gpu: C.int(p.MainGPU),
		load_mode: C.int(p.LoadMode), vocab_only: C.bool(p.VocabOnly), check_tensors: C.bool(p.CheckTensors),
		n_devices: -1,
	}
	if p.Devices != nil {
		cp.n_devices = C.int(len(devices))
		if len(devices) > 0 {
			pin.Pin(&devices[0])
			cp.devices = &devices[0]
		}
	}
	if len(p.TensorSplit) > 0 {
		pin.Pin(&p.TensorSplit[0])
		cp.tensor_split = (*C.float)(&p.TensorSplit[0])
		cp.n_tensor_split = C.int(len(p.TensorSplit))
	}
	if p.File != nil {
		cp.fd = C.int(p.File.Fd())
		cp.offset = C.int64_t(p.Offset)
		defer runtime.KeepAlive(p.File)
	} else {
		cp.path = C.CString(p.Path)
		defer C.free(unsafe.Pointer(cp.path))
	}
	if p.Progress != nil {
		h := cgo.NewHandle(p.Progress)
		defer h.Delete()
		cp.progress = C.uintptr_t(h)
	}
	return loadModel(&cp)
}

func loadModel(cp *C.ax_model_params) (*Model, error) {
	var cm *C.ax_model
	var e C.ax_error
	if C.ax_model_load(cp, &cm, &e) != 0 {
		return nil, failure(&e)
	}
	m := &Model{c: cm, object: newObject(nil, func() { C.ax_model_free(cm) })}
	closeWhenLost(m, m.object)
	m.describe()
	return m, nil
}

func (m *Model) describe() {
	var i C.ax_model_info
	C.ax_model_describe(m.c, &i)
	m.info = ModelInfo{
		Description: C.GoString(&i.description[0]), FileType: C.GoString(&i.file_type_name[0]),
		VocabSize: int(i.n_vocab), ContextTrain: int(i.n_ctx_train),
		Embedding: int(i.n_embd), EmbeddingOut: int(i.n_embd_out), Layers: int(i.n_layer),
		Heads: int(i.n_head), HeadsKV: int(i.n_head_kv), SlidingWin: int(i.n_swa),
		Params: uint64(i.n_params), SizeBytes: uint64(i.size_bytes),
		HasEncoder: bool(i.has_encoder), HasDecoder: bool(i.has_decoder),
		Recurrent: bool(i.recurrent), Hybrid: bool(i.hybrid), Diffusion: bool(i.diffusion),
	}
	m.vocab = Vocab{
		model: m, Kind: VocabKind(i.vocab_type), Size: int(i.n_vocab),
		BOS: Token(i.bos), EOS: Token(i.eos), EOT: Token(i.eot), NL: Token(i.nl), Pad: Token(i.pad), Sep: Token(i.sep),
		AddBOS: bool(i.add_bos), AddEOS: bool(i.add_eos), Suppressed: suppressed(m.c),
	}
}

// suppressed lists the tokens that the model never wants sampled.
func suppressed(m *C.ax_model) []Token {
	var list *C.int32_t
	n := int(C.ax_suppressed(m, &list))
	return append([]Token(nil), unsafe.Slice((*Token)(list), n)...)
}

// Info describes the model; it stays valid after Close.
func (m *Model) Info() ModelInfo { return m.info }

// Vocab is the model's vocabulary.
func (m *Model) Vocab() *Vocab { return &m.vocab }

// Meta returns a scalar of the GGUF's metadata as text.
func (m *Model) Meta(key string) (string, bool) {
	if m.acquire() != nil {
		return "", false
	}
	defer m.release()
	ckey := C.CString(key)
	defer C.free(unsafe.Pointer(ckey))
	n := C.ax_model_meta(m.c, ckey, nil, 0)
	if n < 0 {
		return "", false
	}
	buf := make([]byte, int(n)+1)
	C.ax_model_meta(m.c, ckey, (*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
	return string(buf[:n]), true
}

// ChatTemplate is the model's own chat template, in Jinja; empty: it has none.
func (m *Model) ChatTemplate() string {
	if m.acquire() != nil {
		return ""
	}
	defer m.release()
	return C.GoString(C.ax_model_chat_template(m.c))
}

// Adapter is a LoRA adapter for one model.
type Adapter struct {
	*object
	c *C.ax_lora
}

// OpenAdapter loads a LoRA adapter from a GGUF file.
func (m *Model) OpenAdapter(path string) (*Adapter, error) {
	if err := m.acquire(); err != nil {
		return nil, err
	}
	defer m.release()
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var cl *C.ax_lora
	var e C.ax_error
	if C.ax_lora_load(m.c, cpath, &cl, &e) != 0 {
		return nil, fmt.Errorf("adapter %s: %w", path, failure(&e))
	}
	a := &Adapter{c: cl, object: newObject(m.object, func() { C.ax_lora_free(cl) })}
	closeWhenLost(a, a.object)
	return a, nil
}
