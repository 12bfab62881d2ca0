package engine

import (
	"fmt"
	"strconv"

	llama "axon/cgo"
	"axon/internal/system"
)

// cellOverhead is what llama.cpp keeps for a KV cell besides keys and values.
const cellOverhead = 64 // bytes

// checkFit refuses a context that the model's heads or the machine's memory
// cannot hold: llama.cpp would compute nonsense, or be killed by the system.
func (m *Model) checkFit(p llama.ContextParams) error {
	k, v := m.headSize("key_length"), m.headSize("value_length")
	for _, c := range []struct {
		flag string
		t    llama.TensorType
		head int64
	}{{"--cache-type-k", p.TypeK, k}, {"--cache-type-v", p.TypeV, v}} {
		if c.t.RowSize(c.head) < 0 {
			return fmt.Errorf("%w: %s %s stores whole blocks, and %s has heads of %d; use f16", ErrUnsupported, c.flag, c.t, m.name, c.head)
		}
	}
	need := uint64(p.Context)*m.cellBytes(p, k, v) + 8*uint64(p.Rows)*uint64(m.Info().VocabSize)
	if free := system.Look().Memory.Free(); free > 0 && need > free {
		return fmt.Errorf("%w: a context of %d tokens for %s needs %d MiB of memory and %d MiB are free; lower --ctx-size", ErrTooLong, p.Context, m.name, need>>20, free>>20)
	}
	return nil
}

// cellBytes is the size of a KV cell in RAM. Where most of the cache is
// elsewhere or smaller than its cells say — on a GPU, with sliding windows, in
// recurrent models — only what is certain counts.
func (m *Model) cellBytes(p llama.ContextParams, k, v int64) uint64 {
	i := m.Info()
	if i.SlidingWin > 0 || i.Recurrent || i.Hybrid || p.OffloadKQV && hasGPU() {
		return cellOverhead
	}
	heads := int64(i.HeadsKV)
	return cellOverhead + uint64(i.Layers)*uint64(p.TypeK.RowSize(k*heads)+p.TypeV.RowSize(v*heads))
}

// headSize is the width of a head's keys or values.
func (m *Model) headSize(key string) int64 {
	if s, ok := m.Meta(m.arch() + ".attention." + key); ok {
		if n, err := strconv.ParseInt(s, 10, 32); err == nil && n > 0 {
			return n
		}
	}
	i := m.Info()
	return int64(i.Embedding / max(i.Heads, 1))
}

func hasGPU() bool {
	for _, d := range llama.Devices() {
		if d.Type == llama.GPU || d.Type == llama.IntegratedGPU {
			return true
		}
	}
	return false
}
