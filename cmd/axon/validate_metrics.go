package main

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"axon/synapse/validator"
	"axon/synapse/validator/state"
)

// validatorMetrics show what is known of servers.
type validatorMetrics struct {
	rounds, texts, took                             prometheus.Gauge
	loss, lossError, params, weight, time, diverges *prometheus.GaugeVec
	replies                                         *prometheus.CounterVec
	registry                                        *prometheus.Registry
	address                                         net.Addr
}

func newValidatorMetrics(address net.Addr) *validatorMetrics {
	m := &validatorMetrics{registry: prometheus.NewRegistry(), address: address}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "axon_validator_" + name, Help: help})
		m.registry.MustRegister(g)
		return g
	}
	perServer := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "axon_validator_server_" + name, Help: help}, []string{"uid", "hotkey"})
		m.registry.MustRegister(g)
		return g
	}
	m.rounds = gauge("rounds", "Rounds that were finished, in all runs.")
	m.texts = gauge("texts", "Texts that were asked about, in all runs.")
	m.took = gauge("round_seconds", "Time that the latest round took.")
	m.loss = perServer("loss_nats", "Averaged cross-entropy per token.")
	m.lossError = perServer("loss_error_nats", "Standard error of it.")
	m.params = perServer("effective_parameters", "Parameters of a model that loses as much, by the scaling law.")
	m.weight = perServer("weight_ratio", "Weight, of 1 for all together.")
	m.time = perServer("response_seconds", "Averaged time until the reply.")
	m.diverges = perServer("divergence_ratio", "Averaged Hellinger distance from the mean of all, 0 to 1.")
	m.replies = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "axon_validator_replies_total", Help: "Replies of servers, by return code."}, []string{"code"})
	m.registry.MustRegister(m.replies)
	return m
}

// openMetrics serves them where --metrics-listen says.
func (v *validation) openMetrics() error {
	address := v.c.String("metrics-listen")
	if address == "" {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--metrics-listen: %w", err)
	}
	v.metrics, v.failed = newValidatorMetrics(l.Addr()), make(chan error, 1)
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(v.metrics.registry, promhttp.HandlerOpts{}))
	v.onClose(serveHTTP(l, mux, v.failed))
	return nil
}

// set shows a state after a round; without a listener there is nothing to do.
func (m *validatorMetrics) set(st *state.State, weights []validator.Weight, round *state.Round) {
	if m == nil {
		return
	}
	m.rounds.Set(float64(st.Progress.Rounds))
	m.texts.Set(float64(st.Progress.Texts))
	m.took.Set(round.Took)
	for _, reply := range round.Replies {
		m.replies.WithLabelValues(codeName(reply.Code)).Inc()
	}
	share := make(map[int]float64, len(weights))
	for _, w := range weights {
		share[w.UID] = float64(w.Value)
	}
	for _, all := range []*prometheus.GaugeVec{m.loss, m.lossError, m.params, m.weight, m.time, m.diverges} {
		all.Reset() // of servers that had another hotkey
	}
	for uid, s := range st.Servers {
		labels := []string{strconv.Itoa(uid), s.Hotkey}
		setKnown(m.loss, labels, s.Average.Worth.Loss)
		setKnown(m.lossError, labels, s.Average.Tally.Error())
		setKnown(m.params, labels, validator.EffectiveParams(s.Average.Worth.Loss))
		setKnown(m.weight, labels, share[uid])
		setKnown(m.time, labels, s.Average.ResponseTime)
		setKnown(m.diverges, labels, s.Average.Divergence)
	}
}

// setKnown leaves out what is not known.
func setKnown(g *prometheus.GaugeVec, labels []string, value float64) {
	if !math.IsNaN(value) {
		g.WithLabelValues(labels...).Set(value)
	}
}
