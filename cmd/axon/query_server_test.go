package main

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// queryWorld is a server of a made-up model, and a wallet whose hotkey is the server's.
type queryWorld struct {
	address, wallets string
	hotkey           auth.PublicKey
	texts            atomic.Int64 // that the model was asked about
}

// newQueryWorld starts a server on loopback that is gone when the test is over.
func newQueryWorld(t *testing.T) *queryWorld {
	t.Helper()
	w := &queryWorld{wallets: t.TempDir()}
	key := newQueryKey(t, w.wallets)
	w.hotkey = key.Public()
	nonces, err := auth.NewNonces(auth.Limits{})
	require.NoError(t, err)
	checker, err := auth.NewChecker(auth.Options{Receiver: w.hotkey, Nonces: nonces})
	require.NoError(t, err)
	s, err := server.New(server.Options{Hotkey: w.hotkey, Checker: checker, Model: w, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w.address = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	require.Eventually(t, s.Ready, time.Minute, time.Millisecond)
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown(context.Background()))
		require.NoError(t, <-done)
	})
	return w
}

// newQueryKey puts the default hotkey into a folder of wallets.
func newQueryKey(t *testing.T, wallets string) *auth.Key {
	t.Helper()
	key, err := auth.NewKey()
	require.NoError(t, err)
	path, err := auth.HotkeyPath(wallets, "default", "default")
	require.NoError(t, err)
	require.NoError(t, auth.WriteKeyFile(path, key))
	return key
}

// query runs axon query against the world's server; blanks separate the words of line.
func (w *queryWorld) query(t *testing.T, line string, more ...string) outcome {
	t.Helper()
	return w.ask(t, line+" --endpoint "+w.address, more...)
}

// ask is query without an endpoint.
func (w *queryWorld) ask(t *testing.T, line string, more ...string) outcome {
	t.Helper()
	args := append([]string{"query"}, strings.Fields(line)...)
	return runAxon(t, append(append(args, "--wallets", w.wallets), more...)...)
}

// Answer gives the text's own next token a half, and others a little; the token at
// position p has the log-probability −p.
func (w *queryWorld) Answer(_ context.Context, tokens []int32, needs []synapse.Need) error {
	w.texts.Add(1)
	for _, need := range needs {
		for pos := range tokens {
			if err := answerPosition(need, tokens, pos); err != nil {
				return err
			}
		}
		if need.Next != nil {
			if err := need.Next(madeUpPhrases(need.NextK)); err != nil {
				return err
			}
		}
		if need.Generated != nil {
			for n := range need.Generation.Sequences {
				continued := append(slices.Clone(tokens), int32(262+n), 198, 1332) // " the" or "er", a new line, " test"
				if err := need.Generated(n, continued); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func answerPosition(need synapse.Need, tokens []int32, pos int) error {
	if need.LogProb != nil && pos > 0 {
		need.LogProb(pos, -float32(pos))
	}
	if need.Hidden != nil {
		if err := need.Hidden(pos, []float32{3, 4, 0, 0.5 * float32(pos)}); err != nil {
			return err
		}
	}
	if need.Row != nil {
		return need.Row(pos, madeUpRow(tokens[min(pos+1, len(tokens)-1)], need.K, need.Order))
	}
	return nil
}

// madeUpRow is k entries of which one token has a half, and the others a quarter in all.
func madeUpRow(token int32, k int, order kernels.Order) kernels.Sparse {
	row := kernels.Sparse{Entries: []kernels.Entry{{Index: token, Value: float32(math.Log(0.5))}}, Rest: float32(math.Log(0.25))}
	for id := int32(0); len(row.Entries) < k; id++ {
		if id != token {
			row.Entries = append(row.Entries, kernels.Entry{Index: id, Value: float32(math.Log(0.25 / float64(k-1)))})
		}
	}
	if order == kernels.ByIndex {
		slices.SortFunc(row.Entries, func(a, b kernels.Entry) int { return int(a.Index - b.Index) })
	}
	return row
}

func madeUpPhrases(k int) synapse.Phrases {
	p := synapse.Phrases{Floor: 1e-5}
	for i := range k {
		p.List = append(p.List, synapse.Phrase{Prob: float32(math.Pow(2, -float64(i+1))), Tokens: []int32{262, int32(1000 + i)}})
	}
	return p
}

// oldServer answers as a server of release 3.7.0 that does not know the packed form, with
// words that a terminal would obey. It checks no signatures.
type oldServer struct {
	wire.UnimplementedBittensorServer
	model *queryWorld
}

func (s *oldServer) Forward(ctx context.Context, m *wire.TensorMessage) (*wire.TensorMessage, error) {
	r := synapse.ParseForward(m, anything)
	for _, item := range r.Items {
		if item.Synapse.Serializers().ForwardResponse == wire.Serializer_SERIALIZER_PACKED {
			item.Fault = &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION, Message: "no \x1b[31mserializer\nof this kind"}
			continue
		}
		needs, finish := item.Synapse.Answer(item.Batch)
		for i, need := range needs {
			if err := s.model.Answer(ctx, item.Batch.Text(i), []synapse.Need{need}); err != nil {
				return nil, err
			}
		}
		var err error
		if item.Answer, err = finish(); err != nil {
			return nil, err
		}
	}
	return r.Reply("an old server"), nil
}

func startOldServer(t *testing.T, model *queryWorld) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := grpc.NewServer()
	wire.RegisterBittensorServer(g, &oldServer{model: model})
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	t.Cleanup(func() {
		g.GracefulStop()
		<-done
	})
	return l.Addr().String()
}
