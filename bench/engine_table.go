package bench

import (
	"fmt"
	"slices"
	"strconv"
)

// EngineTable is the table of tests of the engine; with peer the md form has
// columns for the comparison.
func EngineTable(peer bool) Table[Row] {
	t := Table[Row]{columns: columns, fields: csvFields}
	if peer {
		t.columns = slices.Concat(columns, peerColumns)
	}
	return t
}

var columns = []column[Row]{
	{"model", 30, false, func(r Row) string { return r.ModelType }},
	{"size", 10, true, func(r Row) string { return bytesText(r.ModelSize) }},
	{"params", 10, true, func(r Row) string { return countText(r.ModelParams) }},
	{"backend", 10, false, func(r Row) string { return r.Backends }},
	{"threads", 7, true, func(r Row) string { return strconv.Itoa(r.Threads) }},
	{"test", 18, true, func(r Row) string { return r.Name }},
	{"t/s", 18, true, func(r Row) string { return speedText(r.Speed) }},
}

var peerColumns = []column[Row]{
	{"peer", 24, false, func(r Row) string { return ofPeer(r, func(p *PeerSpeed) string { return p.Program }) }},
	{"peer t/s", 18, true, func(r Row) string { return ofPeer(r, func(p *PeerSpeed) string { return speedText(p.Speed) }) }},
	{"ratio (min–max)", 19, true, func(r Row) string { return ofPeer(r, ratioText) }},
}

func ofPeer(r Row, f func(*PeerSpeed) string) string {
	if r.Peer == nil {
		return "–"
	}
	return f(r.Peer)
}

func speedText(s Speed) string { return fmt.Sprintf("%.2f ± %.2f", s.AvgTS, s.StdDevTS) }

func ratioText(p *PeerSpeed) string {
	return fmt.Sprintf("%.3f (%.3f–%.3f)", p.Ratio.Median, p.Ratio.Min, p.Ratio.Max)
}

func bytesText(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

func countText(n uint64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.2f M", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f B", float64(n)/1e9)
}

var csvFields = []field[Row]{
	{"build", func(r Row) string { return r.Build }},
	{"llama_cpp", func(r Row) string { return r.LlamaCpp }},
	{"backends", func(r Row) string { return r.Backends }},
	{"model_filename", func(r Row) string { return r.ModelFilename }},
	{"model_type", func(r Row) string { return r.ModelType }},
	{"model_size", func(r Row) string { return strconv.FormatUint(r.ModelSize, 10) }},
	{"model_n_params", func(r Row) string { return strconv.FormatUint(r.ModelParams, 10) }},
	{"n_batch", func(r Row) string { return strconv.Itoa(r.Batch) }},
	{"n_ubatch", func(r Row) string { return strconv.Itoa(r.UBatch) }},
	{"n_threads", func(r Row) string { return strconv.Itoa(r.Threads) }},
	{"type_k", func(r Row) string { return r.TypeK }},
	{"type_v", func(r Row) string { return r.TypeV }},
	{"n_gpu_layers", func(r Row) string { return strconv.Itoa(r.GPULayers) }},
	{"no_kv_offload", func(r Row) string { return strconv.FormatBool(r.NoKVOffload) }},
	{"flash_attn", func(r Row) string { return r.Flash }},
	{"n_prompt", func(r Row) string { return strconv.Itoa(r.Prompt) }},
	{"n_gen", func(r Row) string { return strconv.Itoa(r.Gen) }},
	{"n_depth", func(r Row) string { return strconv.Itoa(r.Depth) }},
	{"n_parallel", func(r Row) string { return strconv.Itoa(r.Parallel) }},
	{"test", func(r Row) string { return r.Name }},
	{"test_time", func(r Row) string { return r.Time }},
	{"avg_ns", func(r Row) string { return number(r.AvgNS, 0) }},
	{"stddev_ns", func(r Row) string { return number(r.StdDevNS, 0) }},
	{"avg_ts", func(r Row) string { return number(r.AvgTS, 6) }},
	{"stddev_ts", func(r Row) string { return number(r.StdDevTS, 6) }},
	{"peer", csvOfPeer(func(p *PeerSpeed) string { return p.Program })},
	{"peer_avg_ts", csvOfPeer(func(p *PeerSpeed) string { return number(p.AvgTS, 6) })},
	{"peer_stddev_ts", csvOfPeer(func(p *PeerSpeed) string { return number(p.StdDevTS, 6) })},
	{"ratio", csvOfPeer(func(p *PeerSpeed) string { return number(p.Ratio.Median, 6) })},
	{"ratio_min", csvOfPeer(func(p *PeerSpeed) string { return number(p.Ratio.Min, 6) })},
	{"ratio_max", csvOfPeer(func(p *PeerSpeed) string { return number(p.Ratio.Max, 6) })},
}

func csvOfPeer(f func(*PeerSpeed) string) func(Row) string {
	return func(r Row) string {
		if r.Peer == nil {
			return ""
		}
		return f(r.Peer)
	}
}
