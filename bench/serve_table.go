package bench

import (
	"fmt"
	"strconv"
)

var serveColumns = []column[ServeRow]{
	{"model", 20, false, func(r ServeRow) string { return r.served() }},
	{"synapse", 19, false, func(r ServeRow) string { return r.Synapse }},
	{"encoding", 8, false, func(r ServeRow) string { return r.Serializer }},
	{"clients × texts × tokens", 24, true, func(r ServeRow) string { return r.asked() }},
	{"requests/s", 10, true, func(r ServeRow) string { return number(r.RequestsPerSec.Median, 2) }},
	{"tokens/s", 16, true, func(r ServeRow) string { return rateText(r.TokensPerSec) }},
	{"p50 / p90 / p99 ms", 20, true, func(r ServeRow) string {
		return fmt.Sprintf("%.0f / %.0f / %.0f", r.Latency.P50, r.Latency.P90, r.Latency.P99)
	}},
	{"p99 in batches", 14, true, func(r ServeRow) string { return r.inBatches() }},
	{"bytes/position", 14, true, func(r ServeRow) string { return number(r.BytesPerPosition, 1) }},
	{"engine tokens/s", 16, true, func(r ServeRow) string {
		return ofOwn(r, func(e *ServeOwn) string { return rateText(e.TokensPerSec) })
	}},
	{"share (min–max)", 19, true, func(r ServeRow) string {
		return ofOwn(r, func(e *ServeOwn) string { return rangeText(e.Share) })
	}},
}

var servePeerColumns = []column[ServeRow]{
	{"peer", 24, false, func(r ServeRow) string { return ofTheirs(r, func(p *ServeTheirs) string { return p.Program }) }},
	{"peer tokens/s", 16, true, func(r ServeRow) string {
		return ofTheirs(r, func(p *ServeTheirs) string { return rateText(p.TokensPerSec) })
	}},
	{"peer bytes/position", 19, true, func(r ServeRow) string {
		return ofTheirs(r, func(p *ServeTheirs) string { return number(p.BytesPerPosition, 1) })
	}},
	{"ratio (min–max)", 19, true, func(r ServeRow) string {
		return ofTheirs(r, func(p *ServeTheirs) string { return rangeText(p.Ratio) })
	}},
}

func ofOwn(r ServeRow, f func(*ServeOwn) string) string {
	if r.Engine == nil {
		return "–"
	}
	return f(r.Engine)
}

func ofTheirs(r ServeRow, f func(*ServeTheirs) string) string {
	if r.Peer == nil {
		return "–"
	}
	return f(r.Peer)
}

// served is the model, or the endpoint of which no model is known.
func (r ServeRow) served() string {
	if r.Endpoint != "" {
		return r.Endpoint
	}
	return r.ModelType
}

func (r ServeRow) asked() string {
	s := fmt.Sprintf("%d × %d × %d", r.Clients, r.Texts, r.Length)
	if r.Generate > 0 {
		s += fmt.Sprintf(" + %d", r.Generate)
	}
	return s
}

func (r ServeRow) inBatches() string {
	if r.BatchMS == 0 {
		return "–"
	}
	return number(r.P99Batches, 2)
}

func rateText(r Rate) string { return fmt.Sprintf("%.1f ± %.1f", r.Median, r.StdDev) }

func rangeText(r Ratio) string { return fmt.Sprintf("%.3f (%.3f–%.3f)", r.Median, r.Min, r.Max) }

var serveFields = []field[ServeRow]{
	{"build", func(r ServeRow) string { return r.Build }},
	{"llama_cpp", func(r ServeRow) string { return r.LlamaCpp }},
	{"backends", func(r ServeRow) string { return r.Backends }},
	{"test_time", func(r ServeRow) string { return r.Time }},
	{"model_filename", func(r ServeRow) string { return r.ModelFilename }},
	{"model_type", func(r ServeRow) string { return r.ModelType }},
	{"model_size", func(r ServeRow) string { return strconv.FormatUint(r.ModelSize, 10) }},
	{"endpoint", func(r ServeRow) string { return r.Endpoint }},
	{"n_threads", func(r ServeRow) string { return strconv.Itoa(r.Threads) }},
	{"n_ubatch", func(r ServeRow) string { return strconv.Itoa(r.UBatch) }},
	{"flash_attn", func(r ServeRow) string { return r.Flash }},
	{"type_k", func(r ServeRow) string { return r.TypeK }},
	{"type_v", func(r ServeRow) string { return r.TypeV }},
	{"synapse", func(r ServeRow) string { return r.Synapse }},
	{"beside", func(r ServeRow) string { return r.Beside }},
	{"serializer", func(r ServeRow) string { return r.Serializer }},
	{"top_k", func(r ServeRow) string { return strconv.Itoa(r.TopK) }},
	{"texts", func(r ServeRow) string { return strconv.Itoa(r.Texts) }},
	{"length", func(r ServeRow) string { return strconv.Itoa(r.Length) }},
	{"generate", func(r ServeRow) string { return strconv.Itoa(r.Generate) }},
	{"clients", func(r ServeRow) string { return strconv.Itoa(r.Clients) }},
	{"requests", func(r ServeRow) string { return strconv.Itoa(r.Requests) }},
	{"rounds", func(r ServeRow) string { return strconv.Itoa(r.Rounds) }},
	{"requests_per_s", func(r ServeRow) string { return number(r.RequestsPerSec.Median, 6) }},
	{"tokens_per_s", func(r ServeRow) string { return number(r.TokensPerSec.Median, 6) }},
	{"tokens_per_s_stddev", func(r ServeRow) string { return number(r.TokensPerSec.StdDev, 6) }},
	{"p50_ms", func(r ServeRow) string { return number(r.Latency.P50, 3) }},
	{"p90_ms", func(r ServeRow) string { return number(r.Latency.P90, 3) }},
	{"p99_ms", func(r ServeRow) string { return number(r.Latency.P99, 3) }},
	{"max_ms", func(r ServeRow) string { return number(r.Latency.Max, 3) }},
	{"batch_ms", func(r ServeRow) string { return number(r.BatchMS, 3) }},
	{"p99_batches", func(r ServeRow) string { return number(r.P99Batches, 6) }},
	{"bytes_per_position", func(r ServeRow) string { return number(r.BytesPerPosition, 3) }},
	{"tokens_per_batch", func(r ServeRow) string { return number(r.TokensPerBatch, 1) }},
	{"engine_tokens_per_batch", csvOfOwn(func(e *ServeOwn) float64 { return e.TokensPerBatch })},
	{"engine_tokens_per_s", csvOfOwn(func(e *ServeOwn) float64 { return e.TokensPerSec.Median })},
	{"share", csvOfOwn(func(e *ServeOwn) float64 { return e.Share.Median })},
	{"share_min", csvOfOwn(func(e *ServeOwn) float64 { return e.Share.Min })},
	{"share_max", csvOfOwn(func(e *ServeOwn) float64 { return e.Share.Max })},
	{"peer", func(r ServeRow) string {
		if r.Peer == nil {
			return ""
		}
		return r.Peer.Program
	}},
	{"peer_tokens_per_s", csvOfTheirs(func(p *ServeTheirs) float64 { return p.TokensPerSec.Median })},
	{"peer_bytes_per_position", csvOfTheirs(func(p *ServeTheirs) float64 { return p.BytesPerPosition })},
	{"ratio", csvOfTheirs(func(p *ServeTheirs) float64 { return p.Ratio.Median })},
	{"ratio_min", csvOfTheirs(func(p *ServeTheirs) float64 { return p.Ratio.Min })},
	{"ratio_max", csvOfTheirs(func(p *ServeTheirs) float64 { return p.Ratio.Max })},
}

func csvOfOwn(f func(*ServeOwn) float64) func(ServeRow) string {
	return func(r ServeRow) string {
		if r.Engine == nil {
			return ""
		}
		return number(f(r.Engine), 6)
	}
}

func csvOfTheirs(f func(*ServeTheirs) float64) func(ServeRow) string {
	return func(r ServeRow) string {
		if r.Peer == nil {
			return ""
		}
		return number(f(r.Peer), 6)
	}
}
