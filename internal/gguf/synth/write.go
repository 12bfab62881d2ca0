package synth

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"

	"axon/internal/gguf"
)

// blockElements is how many numbers one random stream makes, about: whole rows.
// Changing it changes the weights that a seed gives.
const blockElements = 1 << 18

// Write makes the model that spec describes and puts it at path, as gguf.Write
// does. quantize makes the types that Native does not; without it (nil) only
// file types made of f32, f16, bf16, q8_0 and q4_0 can be written. progress may be nil.
func Write(ctx context.Context, path string, spec Spec, quantize QuantizeFunc, progress gguf.Progress) error {
	m, err := Model(ctx, spec, quantize)
	if err != nil {
		return err
	}
	return gguf.Write(ctx, path, m, progress)
}

// Model returns the model that spec describes; its weights are drawn while it is written.
func Model(ctx context.Context, spec Spec, quantize QuantizeFunc) (*gguf.Model, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	spec = spec.withDefaults()
	if slices.Contains(unsupported, spec.Type.String()) {
		return nil, fmt.Errorf("%w: %v cannot be made from random weights", gguf.ErrTensor, spec.Type)
	}
	mix := mixture{spec, func(t gguf.Type) bool { return quantize != nil || native[t] != nil }}
	m := &gguf.Model{KVs: spec.keys()}
	for _, t := range spec.tensors() {
		typ := mix.typeOf(t)
		if !mix.can(typ) {
			return nil, fmt.Errorf("%w: %v needs ggml's quantisation of %v", gguf.ErrTensor, spec.Type, typ)
		}
		p := painter{seed: spec.Seed, tensor: t, typ: typ, quantize: quantize}
		m.Tensors = append(m.Tensors, gguf.Source{
			Name: t.name, Dims: t.dims, Type: typ,
			Write: func(w io.Writer) error { return p.write(ctx, w) },
		})
	}
	return m, nil
}

// painter makes one tensor, block by block.
type painter struct {
	seed     uint64
	tensor   tensor
	typ      gguf.Type
	quantize QuantizeFunc
}

// made is one finished block.
type made struct {
	bytes []byte
	err   error
}

// write paints blocks on all processors and writes them in their order.
func (p painter) write(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The queue holds the blocks under way in order; its room bounds the memory.
	queue := make(chan chan made, runtime.GOMAXPROCS(0))
	go p.paintAll(ctx, queue)
	for block := range queue {
		m := <-block
		if m.err != nil {
			return m.err
		}
		if _, err := w.Write(m.bytes); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p painter) paintAll(ctx context.Context, queue chan<- chan made) {
	defer close(queue)
	for i := range p.blocks() {
		block := make(chan made, 1)
		select {
		case queue <- block:
			go func() { block <- p.paint(i) }()
		case <-ctx.Done():
			return
		}
	}
}

// rows returns the rows of a block; a vector is one row.
func (p painter) rows() int64 { return max(1, blockElements/p.tensor.dims[0]) }

func (p painter) blocks() int {
	rows := p.tensor.elements() / p.tensor.dims[0]
	return int((rows + p.rows() - 1) / p.rows())
}

func (p painter) paint(block int) made {
	perRow := p.tensor.dims[0]
	rows := min(p.rows(), p.tensor.elements()/perRow-int64(block)*p.rows())
	x := make([]float32, rows*perRow)
	p.draw(x, block)
	out := make([]byte, p.typ.RowSize(rows*perRow))
	convert := Native
	if native[p.typ] == nil {
		convert = p.quantize
	}
	if err := convert(p.typ, x, int(perRow), out); err != nil {
		return made{err: fmt.Errorf("quantise to %v: %w", p.typ, err)}
	}
	return made{bytes: out}
}

func (p painter) draw(x []float32, block int) {
	s := newStream(p.seed, p.tensor.name, block)
	switch p.tensor.fill {
	case gauss:
		s.normal(x, p.tensor.deviation)
		if p.tensor.centred {
			centre(x, int(p.tensor.dims[0]))
		}
	case ones:
		for i := range x {
			x[i] = 1
		}
	case plusMinus:
		s.signs(x)
	case zero: // it is already
	}
}

// centre takes the mean of each row from it.
func centre(x []float32, perRow int) {
	for ; len(x) > 0; x = x[perRow:] {
		sum := float32(0)
		for _, v := range x[:perRow] {
			sum += v
		}
		mean := sum / float32(perRow)
		for i := range x[:perRow] {
			x[i] -= mean
		}
	}
}
