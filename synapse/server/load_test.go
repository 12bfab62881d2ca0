package server_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// gate holds the model's answers until it is opened.
type gate struct{ open chan struct{} }

func newGate(a *axon) *gate {
	g := &gate{make(chan struct{})}
	a.model.hold = func(ctx context.Context, _ []int32) error {
		select {
		case <-g.open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g
}

// small lets one text into the model at a time, and two requests wait.
func small(o *server.Options) { o.Tokens, o.Queue = 1, 2 }

func TestFullQueueIsTold(t *testing.T) {
	stakes := make(map[auth.PublicKey]float64)
	a := start(t, small, func(o *server.Options) {
		o.Policy = policy{priority: func(k auth.PublicKey) float64 { return stakes[k] }}
	})
	g := newGate(a)
	poor, rich := newKey(t), newKey(t)
	stakes[poor.Public()], stakes[rich.Public()] = 1, 100
	clients := map[string]*peer{"poor": a.peerOf(t, poor), "rich": a.peerOf(t, rich)}

	replies := make(chan *wire.TensorMessage, 9)
	ask := func(who string, token int32, waiting string) {
		request := clients[who].request(text(token, 2), score())
		ctx := clients[who].signed(t.Context())
		go func() {
			reply, err := clients[who].client.Forward(ctx, request)
			if err == nil {
				replies <- reply
			}
		}()
		until(t, func() bool { return metric(a, "axon_queue_requests") == waiting || len(replies) > 0 })
	}
	ask("poor", 1, "0") // at work
	until(t, func() bool { return a.model.running.Load() == 1 })
	ask("poor", 2, "1")
	ask("poor", 3, "2")
	ask("poor", 4, "2")
	refused := <-replies
	requireCodes(t, refused, full)
	require.Contains(t, refused.GetSynapses()[0].GetMessage(), "2 requests wait, which is the limit")
	ask("rich", 5, "2")
	requireCodes(t, <-replies, full) // number 3 gave way
	close(g.open)
	for range 3 {
		requireCodes(t, <-replies, success)
	}
	require.Equal(t, []int32{1, 5, 2}, a.model.order(), "by stake, then by arrival")
	require.Regexp(t, "2", metric(a, "axon_queue_full_total"))
}

// Who waits too long is told so, and is not asked of the model any more.
func TestTimeoutInTheQueueAndInTheModel(t *testing.T) {
	a := start(t, small, func(o *server.Options) { o.Timeout = 200 * time.Millisecond })
	newGate(a)
	var all sync.WaitGroup
	for range 2 {
		p := a.peer(t)
		all.Go(func() {
			reply, err := p.send(p.request(text(1, 2), score()))
			if err != nil || reply.GetReturnCode() != timeout || reply.GetSynapses()[0].GetMessage() != "Request reached timeout" {
				t.Error(reply, err)
			}
		})
	}
	all.Wait()
	until(t, func() bool { return a.model.running.Load() == 0 })
	require.Equal(t, "0", metric(a, "axon_model_tokens"))
}

func TestCancelledInTheQueue(t *testing.T) {
	a := start(t, small)
	g := newGate(a)
	p := a.peer(t)
	done := make(chan *wire.TensorMessage, 1)
	go func() {
		reply, _ := p.client.Forward(p.signed(t.Context()), p.request(text(1, 2), score()))
		done <- reply
	}()
	until(t, func() bool { return a.model.running.Load() == 1 })
	other := a.peer(t)
	ctx, cancel := context.WithCancel(other.signed(t.Context()))
	request := other.request(text(7, 2), score())
	go func() { _, _ = other.client.Forward(ctx, request) }()
	until(t, func() bool { return metric(a, "axon_queue_requests") == "1" })
	cancel()
	until(t, func() bool { return metric(a, "axon_queue_requests") == "0" })
	close(g.open)
	requireCodes(t, <-done, success)
	require.Equal(t, []int32{1}, a.model.order())
}

func TestTextsOfABatchRunTogetherAsFarAsThereIsRoom(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Tokens = 3 * 64 })
	g := newGate(a)
	p := a.peer(t)
	done := make(chan error, 1)
	go func() {
		reply, err := p.send(p.request(texts(9, 5), score()))
		if err == nil && reply.GetReturnCode() != success {
			err = errors.New(reply.String())
		}
		done <- err
	}()
	until(t, func() bool { return a.model.running.Load() == 3 })
	close(g.open)
	require.NoError(t, <-done)
	require.EqualValues(t, 9, a.model.calls.Load())
	require.LessOrEqual(t, a.model.most.Load(), int64(3))
}

// What will be generated takes room, too: who asks for much in few words leaves some to others.
func TestGeneratedTextsTakeTheirRoom(t *testing.T) {
	a := start(t)
	open := make(chan struct{})
	a.model.hold = func(ctx context.Context, tokens []int32) error {
		if tokens[0] == 7 { // the other's
			return nil
		}
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p := a.peer(t)
	q := generate()
	q.DoSample, q.NumReturnSequences, q.NumToGenerate = true, 8, 1000
	request := p.request(texts(4, 2), q)
	ctx := p.signed(t.Context())
	done := make(chan *wire.TensorMessage, 1)
	go func() {
		reply, _ := p.client.Forward(ctx, request)
		done <- reply
	}()
	until(t, func() bool { return metric(a, "axon_queue_requests") == "1" && a.model.running.Load() == 1 })
	requireCodes(t, a.peer(t).score(7, 8), success)
	close(open)
	requireCodes(t, <-done, success)
}

func TestRequestsAreCounted(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Requests = 1 })
	g := newGate(a)
	p := a.peer(t)
	done := make(chan error, 1)
	go func() { done <- p.tryScore() }()
	until(t, func() bool { return a.model.running.Load() == 1 })
	requireStatus(t, a.peer(t).tryScore(), codes.ResourceExhausted, "1 requests are at work, which is the limit")
	close(g.open)
	require.NoError(t, <-done)
}

// Readiness goes first, then no more calls are taken, and everything accepted is answered.
func TestShutdownUnderLoad(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Tokens, o.Drain = 4*64, 2*time.Second })
	a.model.hold = func(context.Context, []int32) error {
		time.Sleep(5 * time.Millisecond)
		return nil
	}
	var answered, wrong atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		p := a.peer(t)
		clients.Go(func() {
			for {
				reply, err := p.client.Forward(p.signed(context.Background()), p.request(texts(2, 8), score()))
				switch {
				case status.Code(err) == codes.Unavailable:
					return // the door is closed
				case err != nil || reply.GetReturnCode() != success:
					wrong.Add(1)
					return
				}
				answered.Add(1)
			}
		})
	}
	health := dialHealth(t, a.address)
	until(t, func() bool { return answered.Load() > 50 })
	before := answered.Load()
	over := make(chan error, 1)
	go func() { over <- a.Shutdown(context.Background()) }()
	until(t, func() bool { return !a.Ready() })
	code, _ := a.get("/ready")
	require.Equal(t, 503, code)
	h, err := health.Check(t.Context(), new(grpc_health_v1.HealthCheckRequest))
	require.NoError(t, err, "calls are still taken")
	require.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, h.GetStatus())
	require.NoError(t, <-over)
	clients.Wait()
	require.Zero(t, wrong.Load())
	require.Greater(t, answered.Load(), before)
	require.EqualValues(t, 2*answered.Load(), a.model.calls.Load(), "each request that reached the model was answered")
	_, err = net.Dial("tcp", a.address)
	require.Error(t, err)
	require.NoError(t, a.Shutdown(context.Background()), "once more is once too often, and harmless")
}

func dialHealth(t *testing.T, address string) grpc_health_v1.HealthClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

// A second call, or the end of the context, cuts off what does not end by itself.
func TestShutdownIsForced(t *testing.T) {
	for name, force := range map[string]func(a *axon, cancel context.CancelFunc) error{
		"again":   func(a *axon, _ context.CancelFunc) error { return a.Shutdown(context.Background()) },
		"context": func(_ *axon, cancel context.CancelFunc) error { cancel(); return server.ErrForced },
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			newGate(a)
			p := a.peer(t)
			call := make(chan error, 1)
			go func() { call <- p.tryScore() }()
			until(t, func() bool { return a.model.running.Load() == 1 })
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			over := make(chan error, 1)
			go func() { over <- a.Shutdown(ctx) }()
			until(t, func() bool { return !a.Ready() })
			require.ErrorIs(t, force(a, cancel), server.ErrForced)
			require.ErrorIs(t, <-over, server.ErrForced)
			require.Error(t, <-call)
			require.Zero(t, a.model.running.Load(), "nothing uses the model any more")
		})
	}
}

func TestAnswersAreBounded(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Answers = 1 << 20 })
	reply := a.peer(t).ask(texts(8, 128), &synapse.TextCausalLM{TopK: 256})
	requireCodes(t, reply, badRequest)
	require.Contains(t, reply.GetSynapses()[0].GetMessage(), "4194304 bytes exceed the limit 1048576")
	require.Zero(t, a.model.calls.Load())
	requireCodes(t, a.peer(t).ask(texts(8, 128), &synapse.TextCausalLM{TopK: 32}), success)
}
