package bench

import (
	"time"

	"axon/engine"
)

// Row is the result of one test; the names in JSON are llama-bench's where it
// has them.
type Row struct {
	Build         string `json:"build"`
	LlamaCpp      string `json:"llama_cpp"`
	Backends      string `json:"backends"`
	ModelFilename string `json:"model_filename"`
	ModelType     string `json:"model_type"`
	ModelSize     uint64 `json:"model_size"` // bytes
	ModelParams   uint64 `json:"model_n_params"`
	Batch         int    `json:"n_batch"`
	UBatch        int    `json:"n_ubatch"`
	Threads       int    `json:"n_threads"`
	TypeK         string `json:"type_k"`
	TypeV         string `json:"type_v"`
	GPULayers     int    `json:"n_gpu_layers"`
	NoKVOffload   bool   `json:"no_kv_offload"`
	Flash         string `json:"flash_attn"`
	Prompt        int    `json:"n_prompt"`
	Gen           int    `json:"n_gen"`
	Depth         int    `json:"n_depth"`
	Parallel      int    `json:"n_parallel"`
	Name          string `json:"test"`
	Time          string `json:"test_time"`
	Speed
	Peer *PeerSpeed `json:"peer,omitempty"`
}

// PeerSpeed is the other program's part of a row.
type PeerSpeed struct {
	Program string `json:"program"`
	Speed
	Ratio Ratio `json:"ratio"` // ours over theirs, round by round
}

// NewRow puts a test's samples into a row. What describes the build is for
// the caller to add.
func NewRow(m *engine.Model, c Config, t Test, peer Runner, s Samples, now time.Time) Row {
	info := m.Info()
	r := Row{
		ModelFilename: m.Name(), ModelType: info.Description, ModelSize: info.SizeBytes, ModelParams: info.Params,
		Batch: c.Batch, UBatch: c.UBatch, Threads: c.Threads, TypeK: c.TypeK, TypeV: c.TypeV,
		GPULayers: c.GPULayers, NoKVOffload: c.NoKVOffload, Flash: c.Flash,
		Prompt: t.Prompt, Gen: t.Gen, Depth: t.Depth, Parallel: t.parallel(),
		Name: t.Name(), Time: now.UTC().Format(time.RFC3339),
		Speed: newSpeed(t.Tokens(), s.Ours),
	}
	if peer != nil {
		theirs := newSpeed(t.Tokens(), s.Peer)
		r.Peer = &PeerSpeed{peer.Name(), theirs, newRatio(r.SamplesTS, theirs.SamplesTS)}
	}
	return r
}
