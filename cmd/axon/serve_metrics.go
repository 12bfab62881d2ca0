package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"axon/engine"
	"axon/internal/nucleus"
)

// engineMetrics show what the engine has done and is doing, and where its memory lies.
type engineMetrics struct {
	engine  *engine.Engine
	nucleus *nucleus.Nucleus
}

// engineFigure is one of the engine's numbers.
type engineFigure struct {
	what  *prometheus.Desc
	kind  prometheus.ValueType
	value func(engine.Stats) int64
}

func figure(name, help string, kind prometheus.ValueType, value func(engine.Stats) int64) engineFigure {
	return engineFigure{prometheus.NewDesc("axon_engine_"+name, help, nil, nil), kind, value}
}

var engineFigures = []engineFigure{
	figure("batches_total", "Physical batches that were computed.", prometheus.CounterValue, func(s engine.Stats) int64 { return s.Steps }),
	figure("tokens_total", "The model's tokens that were computed.", prometheus.CounterValue, func(s engine.Stats) int64 { return s.Tokens }),
	figure("rows_total", "Rows of logits that were handed out.", prometheus.CounterValue, func(s engine.Stats) int64 { return s.Rows }),
	figure("reused_tokens_total", "Tokens that were taken from the KV cache instead.", prometheus.CounterValue, func(s engine.Stats) int64 { return s.Reused }),
	figure("requests_total", "Requests of the engine that ended, well or not.", prometheus.CounterValue, func(s engine.Stats) int64 { return s.Finished }),
	figure("cancelled_total", "Those of them that were cancelled.", prometheus.CounterValue, func(s engine.Stats) int64 { return s.Cancelled }),
	figure("active", "Requests that the engine works on.", prometheus.GaugeValue, func(s engine.Stats) int64 { return s.Active }),
	figure("waiting", "Requests that wait for cells of the KV cache.", prometheus.GaugeValue, func(s engine.Stats) int64 { return s.Waiting }),
	figure("cells", "Cells of the KV cache that are taken or remembered.", prometheus.GaugeValue, func(s engine.Stats) int64 { return s.Cells }),
}

var (
	engineCells  = prometheus.NewDesc("axon_engine_cells_limit", "Cells of the KV cache.", nil, nil)
	engineMemory = prometheus.NewDesc("axon_engine_memory_bytes", "Native memory, by buffer and purpose.", []string{"buffer", "purpose"}, nil)
	modelPasses  = prometheus.NewDesc("axon_model_passes_total", "Runs of the model for distributions; again: those that a translation asked for on top of the first.", []string{"again"}, nil)
)

// Describe lists the figures.
func (m engineMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, f := range engineFigures {
		to <- f.what
	}
	to <- engineCells
	to <- engineMemory
	to <- modelPasses
}

// Collect reads them.
func (m engineMetrics) Collect(to chan<- prometheus.Metric) {
	stats := m.engine.Stats()
	for _, f := range engineFigures {
		to <- prometheus.MustNewConstMetric(f.what, f.kind, float64(f.value(stats)))
	}
	to <- prometheus.MustNewConstMetric(engineCells, prometheus.GaugeValue, float64(m.engine.Limits().Context))
	all, again := m.nucleus.Passes()
	to <- prometheus.MustNewConstMetric(modelPasses, prometheus.CounterValue, float64(all-again), "no")
	to <- prometheus.MustNewConstMetric(modelPasses, prometheus.CounterValue, float64(again), "yes")
	for _, buffer := range m.engine.Memory() {
		for purpose, bytes := range map[string]uint64{"model": buffer.Model, "context": buffer.Context, "compute": buffer.Compute} {
			to <- prometheus.MustNewConstMetric(engineMemory, prometheus.GaugeValue, float64(bytes), buffer.Buffer, purpose)
		}
	}
}
