package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/standard"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/metagraph"
	"axon/synapse/wire"
)

// isolateServe gives axon serve a home of its own, for hotkeys and nonces.
func isolateServe(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	return home
}

// listenSomewhere takes an address.
func listenSomewhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// running is axon serve as a process of its own.
type running struct {
	t       *testing.T
	command *exec.Cmd
	screen  string
	logged  *strings.Builder // complete once the process has ended
	read    chan struct{}    // closed when nothing more comes

	address, metrics string
	hotkey           auth.PublicKey
}

// startServe starts the command on free ports and waits until it has shown its screen.
func startServe(t *testing.T, flags ...string) *running {
	t.Helper()
	r := &running{t: t, logged: &strings.Builder{}, read: make(chan struct{})}
	r.command = axonCommand(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--threads", "1"}, flags...)...)
	r.command.Stderr = r.logged
	out, err := r.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.command.Start())
	t.Cleanup(func() { _ = r.command.Process.Kill() })
	lines := bufio.NewReader(out)
	for !strings.Contains(r.screen, "\nask it") {
		line, err := lines.ReadString('\n')
		require.NoError(t, err, "%s%s", r.screen, r.logged)
		r.screen += line
	}
	go func() {
		defer close(r.read)
		_, _ = io.Copy(io.Discard, lines)
	}()
	r.address = r.find(`listening +(\S+),`)
	r.metrics = r.find(`metrics +(http://\S+)/metrics`)
	r.hotkey, err = auth.ParseHotkey(r.find(`hotkey +(\w+)`))
	require.NoError(t, err)
	return r
}

func (r *running) find(pattern string) string {
	r.t.Helper()
	found := regexp.MustCompile(`(?m)^` + pattern).FindStringSubmatch(r.screen)
	require.NotNil(r.t, found, "%s in %s", pattern, r.screen)
	return found[1]
}

func (r *running) signal(s os.Signal) { require.NoError(r.t, r.command.Process.Signal(s)) }

// ended waits for the process and returns its exit code.
func (r *running) ended() int {
	r.t.Helper()
	<-r.read
	_ = r.command.Wait() // the code says it
	return r.command.ProcessState.ExitCode()
}

// get reads a page beside the service.
func (r *running) get(path string) (code int, text string) {
	r.t.Helper()
	response, err := http.Get(r.metrics + path)
	require.NoError(r.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	return response.StatusCode, string(body)
}

// becomes waits until /ready has a status.
func (r *running) becomes(status int) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		code, _ := r.get("/ready")
		return code == status
	}, time.Minute, 10*time.Millisecond)
}

func (r *running) endpoint() client.Endpoint {
	return client.Endpoint{Address: r.address, Hotkey: r.hotkey}
}

// ask asks all synapses about a text.
func (r *running) ask(key *auth.Key, o client.Options, synapses ...synapse.Synapse) client.Reply {
	r.t.Helper()
	o.Key, o.Timeout = key, time.Minute
	return newDendrite(r.t, o).Forward(context.Background(), r.endpoint(), shortBatch(r.t), synapses...)
}

func newDendrite(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func shortBatch(t *testing.T) synapse.Batch {
	t.Helper()
	std, err := standard.Vocab()
	require.NoError(t, err)
	tokens, err := std.Tokenize("The function returns the", false, false)
	require.NoError(t, err)
	return synapse.Batch{Texts: 1, Length: len(tokens), Tokens: tokens}
}

func newHotkey(t *testing.T) *auth.Key {
	t.Helper()
	key, err := auth.NewKey()
	require.NoError(t, err)
	return key
}

// everyTask is each question with its default settings, made small.
func everyTask() []synapse.Synapse {
	return []synapse.Synapse{
		&synapse.TextLastHiddenState{}, &synapse.TextCausalLM{TopK: 8}, &synapse.TextCausalLMNext{TopK: 8}, &synapse.TextCrossEntropy{},
	}
}

// The first command of somebody new: no flag about models, keys or networks.
func TestServeAnswersFromTheStart(t *testing.T) {
	home := isolateServe(t)
	r := startServe(t)
	require.Contains(t, r.screen, "made just now")
	require.Contains(t, r.screen, "whoever signs with any hotkey")
	require.FileExists(t, filepath.Join(home, ".bittensor", "wallets", "default", "hotkeys", "default"))
	r.becomes(http.StatusOK)

	key := newHotkey(t)
	for i, result := range r.ask(key, client.Options{}, everyTask()...).Results {
		require.Nil(t, result.Fault, "%s: %v", everyTask()[i].Task().Name, result.Fault)
	}
	generate := synapse.Tasks()[2].Default()
	require.Equal(t, "TextSeq2Seq", generate.Task().Name)
	require.Nil(t, r.ask(key, client.Options{}, generate).Fault())

	_, text := r.get("/metrics")
	require.Contains(t, text, "\naxon_is_started{axon_is_started=\"started\"} 1\n")
	require.Contains(t, text, "hotkey=\""+key.String()+"\"")
	require.Regexp(t, `\naxon_engine_tokens_total [1-9]`, text)
	require.Regexp(t, `\naxon_engine_memory_bytes\{buffer="CPU[^"]*",purpose="context"\} [1-9]`, text)

	r.hotkey = newHotkey(t).Public() // the next request is for somebody else
	require.NotNil(t, r.ask(key, client.Options{}, generate).Fault())
	requireDocumentedMetrics(t, r)

	// What the screen says to type works, in another terminal of the same user.
	typed := exec.CommandContext(t.Context(), "sh", "-c", `axon() { "$0" "$@"; }; `+r.find(`ask it +(.*)`), r.command.Path)
	typed.Env = r.command.Env
	said, err := typed.CombinedOutput()
	require.NoError(t, err, string(said))
	require.Contains(t, string(said), "The function returns")

	r.signal(syscall.SIGTERM)
	require.Zero(t, r.ended(), r.logged)
	require.Contains(t, r.logged.String(), "msg=stopped")
	require.Equal(t, 4, strings.Count(r.logged.String(), "msg=request"), "a line for each request: %s", r.logged)

	again := startServe(t)
	require.Equal(t, r.find(`hotkey +(\w+)`), again.hotkey.Address())
	require.NotContains(t, again.screen, "made just now")
	again.signal(os.Interrupt)
	require.Zero(t, again.ended(), again.logged)
}

// requireDocumentedMetrics looks for all metrics that the page about serving names.
func requireDocumentedMetrics(t *testing.T, r *running) {
	t.Helper()
	_, text := r.get("/metrics")
	names := regexp.MustCompile(`axon_[a-z_]+[a-z]`).FindAllString(packaged(t, "../docs/serving.md"), -1)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		require.Contains(t, text, "\n# TYPE "+name+" ")
	}
}

func TestServeFollowsTheMetagraph(t *testing.T) {
	isolateServe(t)
	path := filepath.Join(t.TempDir(), "metagraph.csv")
	rich, poor := newHotkey(t), newHotkey(t)
	neurons := []metagraph.Neuron{{UID: 0, Hotkey: rich.Public(), Stake: 50}}
	require.NoError(t, metagraph.Write(path, neurons))
	r := startServe(t, "--metagraph", path, "--min-stake", "10", "--min-stake-for", "TextCausalLM=100")
	require.Contains(t, r.screen, "1 hotkey of the metagraph, with a stake of 10 or more")

	fault := r.ask(poor, client.Options{}, &synapse.TextCrossEntropy{}).Fault()
	require.NotNil(t, fault)
	require.Equal(t, wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED, fault.Code)
	require.Contains(t, fault.Message, "is not registered")

	results := r.ask(rich, client.Options{}, &synapse.TextCrossEntropy{}, &synapse.TextCausalLM{TopK: 8}).Results
	require.Nil(t, results[0].Fault)
	require.NotNil(t, results[1].Fault)
	require.Contains(t, results[1].Fault.Message, "is below the minimum 100 for TEXT_CAUSAL_LM")

	require.NoError(t, metagraph.Write(path, append(neurons, metagraph.Neuron{UID: 1, Hotkey: poor.Public(), Stake: 9})))
	require.Eventually(t, func() bool {
		fault := r.ask(poor, client.Options{}, &synapse.TextCrossEntropy{}).Fault()
		return fault != nil && strings.Contains(fault.Message, "stake 9 of hotkey")
	}, time.Minute, 100*time.Millisecond)
	require.NoError(t, metagraph.Write(path, append(neurons, metagraph.Neuron{UID: 1, Hotkey: poor.Public(), Stake: 10})))
	require.Eventually(t, func() bool { return r.ask(poor, client.Options{}, &synapse.TextCrossEntropy{}).Fault() == nil },
		time.Minute, 100*time.Millisecond)
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.ended(), r.logged)
}

// The first signal takes readiness away and lets calls end; the second does not wait.
func TestServeIsForcedByTheSecondSignal(t *testing.T) {
	isolateServe(t)
	r := startServe(t, "--drain-delay", "1h", "--log-format", "json")
	r.becomes(http.StatusOK)
	r.signal(syscall.SIGTERM)
	r.becomes(http.StatusServiceUnavailable)
	code, _ := r.get("/healthy")
	require.Equal(t, http.StatusOK, code)
	require.Nil(t, r.ask(newHotkey(t), client.Options{}, &synapse.TextCrossEntropy{}).Fault(), "calls are still taken")

	r.signal(syscall.SIGTERM)
	require.Equal(t, 1, r.ended())
	lines := strings.Split(strings.TrimSpace(r.logged.String()), "\n")
	require.True(t, strings.HasPrefix(lines[len(lines)-1], "axon: "), r.logged)
	for _, line := range lines[:len(lines)-1] {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

// Whoever was let in when the signal came is answered; the others learn that nobody is there.
func TestServeAnswersAllThatItTookBeforeItStops(t *testing.T) {
	isolateServe(t)
	r := startServe(t)
	batch := shortBatch(t)
	var answered atomic.Int32
	enough := make(chan struct{})
	var group sync.WaitGroup
	for range 8 {
		dendrite := newDendrite(t, client.Options{Key: newHotkey(t), Timeout: time.Minute, Backoff: -1})
		group.Go(func() {
			for {
				fault := dendrite.Forward(context.Background(), r.endpoint(), batch, &synapse.TextCausalLM{TopK: 512}).Fault()
				if fault != nil {
					if fault.Code != wire.ReturnCode_RETURN_CODE_UNAVAILABLE {
						t.Errorf("%v: %s", fault.Code, fault.Message)
					}
					return
				}
				if answered.Add(1) == 40 {
					close(enough)
				}
			}
		})
	}
	<-enough
	r.signal(syscall.SIGTERM)
	group.Wait()
	require.Zero(t, r.ended(), r.logged)
	require.Equal(t, int(answered.Load()), strings.Count(r.logged.String(), "codes="), "whatever reached the model reached its caller")
	require.Equal(t, int(answered.Load()), strings.Count(r.logged.String(), "codes=RETURN_CODE_SUCCESS"))
}

func TestServeWithTLS(t *testing.T) {
	isolateServe(t)
	certificate, key, pool := selfSigned(t)
	r := startServe(t, "--tls-cert", certificate, "--tls-key", key)
	require.Contains(t, r.screen, "with TLS")
	require.Nil(t, r.ask(newHotkey(t), client.Options{TLS: &tls.Config{RootCAs: pool}}, &synapse.TextCrossEntropy{}).Fault())
	require.NotNil(t, r.ask(newHotkey(t), client.Options{}, &synapse.TextCrossEntropy{}).Fault(), "without TLS")
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.ended(), r.logged)
}

// selfSigned makes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T) (certificate, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
		return path
	}
	parsed, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", raw), write("key.pem", "PRIVATE KEY", rawKey), pool
}

// Two servers under one hotkey would let a request be used twice.
func TestServeOncePerHotkey(t *testing.T) {
	isolateServe(t)
	r := startServe(t)
	o := runAxon(t, "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "")
	require.Equal(t, 1, o.code)
	requireOneLine(t, o)
	require.Contains(t, o.stderr, "two servers need two hotkeys")
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.ended(), r.logged)
}

// A hotkey's public half is all that a server needs.
func TestServeWithoutASecret(t *testing.T) {
	isolateServe(t)
	public := filepath.Join(t.TempDir(), "public")
	require.NoError(t, os.WriteFile(public, []byte(testPublic), 0o600))
	profiler := "--pprof-listen=127.0.0.1:0"
	r := startServe(t, "--key-file", public, profiler, "--nonces", filepath.Join(t.TempDir(), "nonces"))
	require.Equal(t, testAddress, r.hotkey.Address())
	require.Nil(t, r.ask(newHotkey(t), client.Options{}, &synapse.TextCrossEntropy{}).Fault())
	response, err := http.Get(r.find(`profiler +(\S+)`))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	r.signal(syscall.SIGTERM)
	require.Zero(t, r.ended(), r.logged)
}
