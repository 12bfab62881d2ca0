package server

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"axon/synapse/wire"
)

// metrics are the server's figures. Those whose names begin with axon_is_started,
// axon_total, axon_forward and axon_backward are the reference's, with its labels and
// buckets, as its library prints them; it counts hotkeys that a message claims, and ours
// are those that signed it. The others are our own.
type metrics struct {
	registry *prometheus.Registry

	isStarted          *prometheus.GaugeVec
	forward, backward  *methodMetrics
	refusals           *prometheus.CounterVec
	refusedConnections prometheus.Counter
	panics             prometheus.Counter
	wait, model        prometheus.Histogram
	texts, tokens      prometheus.Counter
	full               prometheus.Counter
}

// methodMetrics are those that the reference has once for Forward and once for Backward.
type methodMetrics struct {
	total    prometheus.Counter
	latency  prometheus.Histogram
	synapses *prometheus.CounterVec
	codes    *prometheus.CounterVec
	hotkeys  *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	sent     prometheus.Counter
	names    *names
}

// seconds are the buckets of our own times.
var seconds = []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 12}

func newMetrics(o Options, q *queue, requests, connections func() int) (*metrics, error) {
	r := prometheus.NewRegistry()
	f := factory{r: r, labels: prometheus.Labels{"wallet": o.Hotkey.Address(), "identifier": o.Identifier}}
	m := &metrics{
		registry:           r,
		isStarted:          f.gauges("axon_is_started", "is_started", "axon_is_started"),
		forward:            f.method("forward", o.Hotkeys),
		backward:           f.method("backward", o.Hotkeys),
		refusals:           f.counters("axon_refusals_total", "Calls that were refused before their message was looked at, by reason.", "reason"),
		refusedConnections: f.counter("axon_connections_refused_total", "Connections that were closed at once, being too many."),
		panics:             f.counter("axon_panics_total", "Panics that ended a call and not the process."),
		wait:               f.histogram("axon_queue_wait_seconds", "How long texts waited for room in the model.", seconds),
		model:              f.histogram("axon_model_seconds", "How long texts were in the model.", seconds),
		texts:              f.counter("axon_model_texts_total", "Texts that went through the model."),
		tokens:             f.counter("axon_model_tokens_total", "Standard tokens of texts that went through the model."),
		full:               f.counter("axon_queue_full_total", "Requests for which the queue had no place, or none any more."),
	}
	f.live("axon_queue_requests", "Requests that wait for room in the model.", q.length)
	f.live("axon_model_tokens", "Tokens for which there is no room for others in the model now.", func() int { return q.taken().tokens })
	f.live("axon_answers_bytes", "Bytes of answers that are in the making or on their way.", func() int { return int(q.taken().bytes) })
	f.live("axon_requests", "Requests between their check and their end.", requests)
	f.live("axon_connections", "Connections that are open.", connections)
	f.add(collectors.NewGoCollector())
	f.add(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range o.Collectors {
		f.add(c)
	}
	m.started(false)
	return m, f.err
}

// started sets the state as the reference's enumeration shows it.
func (m *metrics) started(yes bool) {
	states := map[string]bool{"started": yes, "stopped": !yes}
	for name, is := range states {
		value := 0.0
		if is {
			value = 1
		}
		m.isStarted.WithLabelValues(name).Set(value)
	}
}

// answered counts a text that was in the model.
func (m *metrics) answered(tokens int, took time.Duration) {
	m.texts.Inc()
	m.tokens.Add(float64(tokens))
	m.model.Observe(took.Seconds())
}

func (m *metrics) refuse(reason string) { m.refusals.WithLabelValues(reason).Inc() }

// conclude counts a call that was answered.
func (m *methodMetrics) conclude(c *call) {
	m.total.Inc()
	m.latency.Observe(c.answered.Seconds())
	hotkey := m.names.of(c.caller.Hotkey.Address())
	m.hotkeys.WithLabelValues(hotkey).Inc()
	m.bytes.WithLabelValues(hotkey).Add(float64(c.received))
	m.sent.Add(float64(c.sent))
	for _, s := range c.reply.GetSynapses() {
		m.synapses.WithLabelValues(nameOf(s.GetSynapseType())).Inc()
		m.codes.WithLabelValues(codeLabel(s.GetReturnCode())).Inc()
	}
}

// codeLabel is the number, as the reference has it; what no enumeration has never got here.
func codeLabel(code wire.ReturnCode) string { return strconv.Itoa(int(code)) }

// names gives the first so many callers a label of their own: every label costs memory
// for as long as the process lives.
type names struct {
	limit int
	mu    sync.Mutex
	known map[string]bool
}

func (n *names) of(hotkey string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.known[hotkey]:
	case len(n.known) >= n.limit:
		return "other"
	default:
		n.known[hotkey] = true
	}
	return hotkey
}

// factory makes metrics with the labels that all of ours have, and keeps what went wrong.
type factory struct {
	r      *prometheus.Registry
	labels prometheus.Labels
	err    error
}

func (f *factory) add(c prometheus.Collector) {
	if err := f.r.Register(c); err != nil && f.err == nil {
		f.err = fmt.Errorf("%w: metrics: %w", ErrOptions, err)
	}
}

func (f *factory) method(name string, hotkeys int) *methodMetrics {
	blocks := prometheus.LinearBuckets(0, 1, int(blockTime.Seconds()))
	return &methodMetrics{
		total:    f.counter("axon_total_"+name+"_total", "total_"+name),
		latency:  f.histogram("axon_"+name+"_latency", name+"_latency", blocks),
		synapses: f.counters("axon_"+name+"_synapses_total", name+"_synapses", "synapse"),
		codes:    f.counters("axon_"+name+"_codes_total", name+"_codes", "code"),
		hotkeys:  f.counters("axon_"+name+"_hotkeys_total", name+"_hotkeys", "hotkey"),
		bytes:    f.counters("axon_"+name+"_bytes_total", name+"_bytes", "hotkey"),
		sent:     f.counter("axon_"+name+"_sent_bytes_total", "Bytes of answers."),
		names:    &names{limit: hotkeys, known: make(map[string]bool)},
	}
}

func (f *factory) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: f.labels})
	f.add(c)
	return c
}

func (f *factory) counters(name, help, label string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: f.labels}, []string{label})
	f.add(c)
	return c
}

func (f *factory) gauges(name, help, label string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
	f.add(g)
	return g
}

func (f *factory) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets, ConstLabels: f.labels})
	f.add(h)
	return h
}

func (f *factory) live(name, help string, value func() int) {
	f.add(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: f.labels},
		func() float64 { return float64(value()) }))
}
