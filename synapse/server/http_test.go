package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"axon/synapse/server"
	"axon/synapse/wire"
)

func TestMetrics(t *testing.T) {
	engine := prometheus.NewCounter(prometheus.CounterOpts{Name: "axon_engine_tokens_total", Help: "Tokens."})
	engine.Add(5)
	a := start(t, func(o *server.Options) { o.Identifier, o.Collectors = "one", []prometheus.Collector{engine} })
	p := a.peer(t)
	p.ask(texts(2, 3), score(), score())
	requireStatusOf(t, a, p)

	_, body := a.get("/metrics")
	labels := `identifier="one",wallet="` + a.hotkey.Address() + `"`
	for _, line := range []string{
		`axon_is_started{axon_is_started="started"} 1`,
		`axon_is_started{axon_is_started="stopped"} 0`,
		`axon_total_forward_total{` + labels + `} 1`,
		`axon_total_backward_total{` + labels + `} 0`,
		`axon_forward_synapses_total{identifier="one",synapse="TextCrossEntropy",wallet="` + a.hotkey.Address() + `"} 2`,
		`axon_forward_codes_total{code="1",` + labels + `} 2`,
		`axon_forward_hotkeys_total{hotkey="` + p.key.String() + `",` + labels + `} 1`,
		`axon_forward_bytes_total{hotkey="` + p.key.String() + `",` + labels + `}`,
		`axon_forward_latency_bucket{` + labels + `,le="11"} 1`,
		`axon_refusals_total{` + strings.Replace(labels, `",wallet`, `",reason="header",wallet`, 1) + `} 1`,
		`axon_model_texts_total{` + labels + `} 2`,
		`axon_model_tokens_total{` + labels + `} 6`,
		`axon_queue_wait_seconds_count{` + labels + `} 2`,
		`axon_engine_tokens_total 5`,
	} {
		require.Contains(t, body, line)
	}
	code, _ := a.get("/healthy")
	require.Equal(t, 200, code)
	code, _ = a.get("/ready")
	require.Equal(t, 200, code)
	require.NoError(t, a.Shutdown(t.Context()))
	_, body = a.get("/metrics")
	require.Contains(t, body, `axon_is_started{axon_is_started="stopped"} 1`)
}

// requireStatusOf makes a call without headers, which is refused.
func requireStatusOf(t *testing.T, a *axon, p *peer) {
	t.Helper()
	_, err := p.client.Forward(t.Context(), new(wire.TensorMessage))
	require.Error(t, err)
	until(t, func() bool { return metric(a, "axon_refusals_total") == "1" })
}

func TestCollectorsThatClash(t *testing.T) {
	hotkey := newKey(t).Public()
	_, err := server.New(server.Options{
		Hotkey: hotkey, Checker: newChecker(t, hotkey, nil), Model: new(model),
		Collectors: []prometheus.Collector{collectors.NewGoCollector()},
	})
	require.ErrorIs(t, err, server.ErrOptions)
}

// The labels of callers are bounded.
func TestManyCallersAreOther(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Hotkeys = 2 })
	for range 5 {
		a.peer(t).score(1, 2)
	}
	_, body := a.get("/metrics")
	require.Equal(t, 3, strings.Count(body, "axon_forward_hotkeys_total{"))
	require.Contains(t, body, `axon_forward_hotkeys_total{hotkey="other"`)
}

func TestOneLineForEachRequest(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	p.ask(texts(2, 3), score())
	until(t, func() bool { return strings.Count(a.log.String(), "\n") == 1 })
	line := a.log.String()
	for _, part := range []string{
		"level=INFO", "method=/Bittensor/Forward", "peer=127.0.0.1:", "hotkey=" + p.key.String(),
		"synapses=TextCrossEntropy", "shape=2x3", "codes=RETURN_CODE_SUCCESS", " in=", " out=", " wait=", " model=", " time=", " id=",
	} {
		require.Contains(t, line, part)
	}
	for range 50 {
		_ = p.call(nil)
	}
	until(t, func() bool { return strings.Count(a.log.String(), "level=WARN") == 10 })
	require.Contains(t, a.log.String(), "Unauthenticated")
	p.score(1, 2)
	until(t, func() bool { return strings.Count(a.log.String(), "level=INFO") == 2 })
	require.Equal(t, 12, strings.Count(a.log.String(), "\n"), "strangers fill no disk, and silence nobody")
}

func TestProfiler(t *testing.T) {
	w := httptest.NewRecorder()
	server.Profiler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil))
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "goroutine")
}

func TestTransportSecurity(t *testing.T) {
	certificate, pool := selfSigned(t)
	a := start(t, func(o *server.Options) { o.Credentials = credentials.NewServerTLSFromCert(&certificate) })
	conn, err := grpc.NewClient(a.address, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(pool, "")))
	require.NoError(t, err)
	defer conn.Close()
	p := a.peer(t)
	reply, err := wire.NewBittensorClient(conn).Forward(p.signed(t.Context()), p.request(text(1, 2), score()))
	require.NoError(t, err)
	requireCodes(t, reply, success)
	ctx, cancel := context.WithTimeout(p.signed(t.Context()), time.Minute)
	defer cancel()
	_, err = p.client.Forward(ctx, p.request(text(1, 2), score()))
	require.Error(t, err, "a caller without TLS")
	_, err = wire.NewBittensorClient(conn).Forward(t.Context(), new(wire.TensorMessage))
	require.ErrorContains(t, err, "Request signature missing", "TLS proves no hotkey")
}

// selfSigned makes a certificate for loopback.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
