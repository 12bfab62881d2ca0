// Package interop tries axon's server with clients of other people's making: gRPC's
// own packages for JavaScript, and grpcurl. They come through the registries' ordinary
// clients; make interop runs them.
package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/internal/nucleus"
	"axon/internal/standard"
	"axon/models"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/translate"
	"axon/synapse/wire"
)

// env switches these tests on: they need node, npm and what those fetch.
const env = "AXON_INTEROP"

func TestMain(m *testing.M) {
	if os.Getenv(env) == "" {
		println("skipped: make interop sets " + env + " and runs clients of other people's making")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// axon is a server with the built-in model on loopback.
type axon struct {
	address string
	hotkey  auth.PublicKey
}

func serve(t *testing.T) axon {
	t.Helper()
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	e, err := engine.New(m, engine.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	n, err := nucleus.New(e, translate.Exact)
	require.NoError(t, err)

	key, err := auth.NewKey()
	require.NoError(t, err)
	nonces, err := auth.NewNonces(auth.Limits{})
	require.NoError(t, err)
	checker, err := auth.NewChecker(auth.Options{Receiver: key.Public(), Nonces: nonces})
	require.NoError(t, err)
	s, err := server.New(server.Options{
		Hotkey: key.Public(), Checker: checker, Model: n, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.NoError(t, <-done)
	})
	return axon{l.Addr().String(), key.Public()}
}

// run runs a program and returns what it prints.
func run(t *testing.T, dir, stdin string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if err != nil {
		t.Logf("%s: %v\n%s", cmd, err, errs.String())
	}
	return out.String() + errs.String(), err
}

// reply is what client.mjs prints.
type reply struct {
	Status   int
	Details  string
	Code     wire.ReturnCode
	Codes    []wire.ReturnCode
	Messages []string
	Shape    [][]int
	Numbers  []float32
}

func TestAClientInJavaScript(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("_node")))
	_, err := run(t, dir, "", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	require.NoError(t, err)
	a := serve(t)
	client, err := auth.NewKey()
	require.NoError(t, err)
	signer, err := auth.NewSigner(client)
	require.NoError(t, err)
	headers, err := signer.Headers(a.hotkey, auth.FormatV2, auth.Forward)
	require.NoError(t, err)
	proto, err := filepath.Abs("../../synapse/wire/bittensor.proto")
	require.NoError(t, err)

	const topk = 16
	std, err := standard.Vocab()
	require.NoError(t, err)
	tokens, err := std.Tokenize("If the file does not exist,", false, false)
	require.NoError(t, err)
	call := func(headers map[string]string) reply {
		job, err := json.Marshal(map[string]any{
			"proto": proto, "address": a.address, "headers": headers, "hotkey": client.Public().Address(),
			"tokens": [][]int32{tokens, tokens}, "topk": topk,
		})
		require.NoError(t, err)
		out, err := run(t, dir, string(job), "node", "client.mjs")
		require.NoError(t, err)
		var r reply
		require.NoError(t, json.Unmarshal([]byte(out), &r), out)
		return r
	}

	r := call(headers)
	require.Equal(t, 0, r.Status, r.Details)
	require.Equal(t, wire.ReturnCode_RETURN_CODE_SUCCESS, r.Code, r.Messages)
	require.Equal(t, []wire.ReturnCode{wire.ReturnCode_RETURN_CODE_SUCCESS}, r.Codes)
	require.Equal(t, [][]int{{2, len(tokens), 2 * topk}}, r.Shape)
	for row := range 2 * len(tokens) {
		numbers := r.Numbers[row*2*topk : (row+1)*2*topk]
		sum := float32(0)
		for i, p := range numbers[:topk] {
			sum += p
			require.True(t, p > 0 && (i == 0 || p <= numbers[i-1]), "probabilities descend: %v", numbers[:topk])
			require.Equal(t, float32(int(numbers[topk+i])), numbers[topk+i], "ids are whole")
			require.Less(t, numbers[topk+i], float32(50257))
		}
		require.LessOrEqual(t, sum, float32(1.0001))
	}

	const unauthenticated = 16
	again := call(headers)
	require.Equal(t, unauthenticated, again.Status, "the same headers again are a replay: %+v", again)
	require.Equal(t, unauthenticated, call(map[string]string{}).Status)
}

func TestGrpcurl(t *testing.T) {
	curl := filepath.Join(t.TempDir(), "grpcurl")
	_, err := run(t, "_grpcurl", "", "go", "build", "-o", curl, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	require.NoError(t, err)
	a := serve(t)

	out, err := run(t, "", "", curl, "-plaintext", a.address, "list")
	require.NoError(t, err)
	require.Contains(t, strings.Fields(out), "Bittensor")
	out, err = run(t, "", "", curl, "-plaintext", a.address, "describe", "Bittensor.Forward")
	require.NoError(t, err)
	require.Contains(t, out, "rpc Forward ( .TensorMessage ) returns ( .TensorMessage )")
	out, err = run(t, "", "", curl, "-plaintext", a.address, "grpc.health.v1.Health/Check")
	require.NoError(t, err)
	require.Contains(t, out, "SERVING")
	out, err = run(t, "", "", curl, "-plaintext", "-d", "{}", a.address, "Bittensor/Forward")
	require.Error(t, err)
	require.Contains(t, out, "Unauthenticated")

	client, err := auth.NewKey()
	require.NoError(t, err)
	signer, err := auth.NewSigner(client)
	require.NoError(t, err)
	headers, err := signer.Headers(a.hotkey, auth.FormatV2, auth.Forward)
	require.NoError(t, err)
	args := []string{"-plaintext"}
	for name, value := range headers {
		args = append(args, "-H", name+": "+value)
	}
	out, err = run(t, "", "", curl, append(args, "-d", `{"version": 370, "synapses": [{"synapse_type": "SYNAPSE_TYPE_TEXT_CAUSAL_LM"}]}`, a.address, "Bittensor/Forward")...)
	require.NoError(t, err)
	require.Contains(t, out, "EMPTY_REQUEST")
}
