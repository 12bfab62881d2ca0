package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
)

// childEnv makes a server of the test binary: its value is the folder with the file of
// nonces and that of the calls which reached the model.
const childEnv = "AXON_TEST_SERVER"

var childSeed = []byte(strings.Repeat("s", 32))

// serveUntilKilled prints its address and serves. Each text that reaches the model is
// written down, by its first token, before it is answered.
func serveUntilKilled(folder string) {
	err := func() error {
		key, err := auth.KeyFromSeed(childSeed)
		if err != nil {
			return err
		}
		nonces, err := auth.OpenNonces(filepath.Join(folder, "nonces"), auth.Limits{})
		if err != nil {
			return err
		}
		checker, err := auth.NewChecker(auth.Options{Receiver: key.Public(), Nonces: nonces})
		if err != nil {
			return err
		}
		calls, err := os.OpenFile(filepath.Join(folder, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		answering := modelFunc(func(ctx context.Context, tokens []int32, needs []synapse.Need) error {
			if _, err := fmt.Fprintln(calls, tokens[0]); err != nil {
				return err
			}
			return new(model).Answer(ctx, tokens, needs)
		})
		s, err := server.New(server.Options{Hotkey: key.Public(), Checker: checker, Model: answering})
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		return s.Serve(l)
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// child starts a server in a process of its own and returns its address.
func child(t *testing.T, folder string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+folder)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	err = cmd.Start()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("an emulated test cannot start itself")
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead already
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return cmd, strings.TrimSpace(line)
}

// Killed in the middle of its work and started again, the server takes no request that
// it took before, whether or not it had answered.
func TestNoNonceIsUsedTwiceAcrossKill(t *testing.T) {
	folder := t.TempDir()
	key, err := auth.KeyFromSeed(childSeed)
	require.NoError(t, err)
	first, address := child(t, folder)

	type request struct {
		token   int32
		headers metadata.MD
	}
	var mu sync.Mutex
	var sent []request
	answered := 0
	var clients sync.WaitGroup
	for c := range 4 {
		p := dial(t, address, key.Public(), newKey(t))
		clients.Go(func() {
			for i := range 10_000 {
				r := request{int32(10_000*c + i), p.headers(auth.Forward)}
				mu.Lock()
				sent = append(sent, r)
				mu.Unlock()
				ctx := metadata.NewOutgoingContext(t.Context(), r.headers)
				if _, err := p.client.Forward(ctx, p.request(text(r.token, 2), score())); err != nil {
					return
				}
				mu.Lock()
				answered++
				mu.Unlock()
			}
		})
	}
	until(t, func() bool { mu.Lock(); defer mu.Unlock(); return answered >= 40 })
	require.NoError(t, first.Process.Kill())
	clients.Wait()
	before := callsOf(t, folder)
	require.GreaterOrEqual(t, len(before), answered)

	_, address = child(t, folder)
	p := dial(t, address, key.Public(), newKey(t))
	for _, r := range sent {
		ctx := metadata.NewOutgoingContext(t.Context(), r.headers)
		_, _ = p.client.Forward(ctx, p.request(text(r.token, 2), score()))
	}
	seen := make(map[string]bool)
	for _, token := range callsOf(t, folder) {
		require.False(t, seen[token], "the request with token %s was answered twice", token)
		seen[token] = true
	}
	_, err = p.send(p.request(text(49_000, 2), score()))
	require.NoError(t, err, "new requests are answered")
	require.Contains(t, callsOf(t, folder), "49000")
}

func callsOf(t *testing.T, folder string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "calls"))
	require.NoError(t, err)
	return strings.Fields(string(data))
}
