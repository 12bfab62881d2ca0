package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/server"
	"axon/synapse/wire"
)

// soon are times that a test waits out.
func soon(o *server.Options) {
	o.Handshake, o.Receive = time.Second, time.Second
}

const deadlineExceeded = "4"

func TestPrefaceByteByByte(t *testing.T) {
	a := start(t, soon)
	conn, err := net.Dial("tcp", a.address)
	require.NoError(t, err)
	defer conn.Close()
	go func() {
		for _, b := range []byte(http2.ClientPreface) {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	until(t, func() bool { return hungUp(conn) })
}

// hungUp reports whether the other side has closed the connection.
func hungUp(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := conn.Read(make([]byte, 1<<10))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func TestBodyByteByByte(t *testing.T) {
	a := start(t, soon)
	p := a.peer(t)
	r := rawPeer(t, a.address)
	id := r.forward(p)
	body := framed(t, p.request(text(1, 2), score()))
	go func() {
		for _, b := range body {
			if r.framer.WriteData(id, false, []byte{b}) != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	until(t, func() bool { return r.statusOf(id) == deadlineExceeded })
	until(t, func() bool { return strings.Contains(a.log.String(), "took longer to arrive") })
	require.Zero(t, a.model.calls.Load())
	require.NoError(t, p.tryScore())
}

// Headers that never end, and connections on which nothing is asked.
func TestIdleConnectionsAreClosed(t *testing.T) {
	server.SetIdleGrace(t, 50*time.Millisecond)
	a := start(t, soon, func(o *server.Options) { o.Idle = 100 * time.Millisecond })
	r := rawPeer(t, a.address)
	require.NoError(t, r.framer.WriteRawFrame(http2.FrameHeaders, 0, 1, []byte{0x83}))
	until(t, r.closed)
}

func TestThousandStreams(t *testing.T) {
	a := start(t, soon, func(o *server.Options) { o.Streams, o.Receive = 8, 2*time.Second })
	p := a.peer(t)
	r := rawPeer(t, a.address)
	var ids []uint32
	for range 1000 {
		ids = append(ids, r.forward(p))
	}
	require.NoError(t, p.tryScore(), "others are served meanwhile")
	// Of those that were taken, some overtook others, whose nonces then were too small.
	until(t, func() bool {
		answered := 0
		for _, id := range ids {
			if r.statusOf(id) != "" {
				answered++
			}
		}
		return r.refused() > 0 && answered+r.refused() == 1000
	})
	require.EqualValues(t, 1, a.model.calls.Load())
}

func TestConnectionsAreCounted(t *testing.T) {
	a := start(t, func(o *server.Options) { o.PerHost = 2 })
	first, second := rawPeer(t, a.address), rawPeer(t, a.address)
	until(t, func() bool { return connections(a) == "2" })
	third, err := net.Dial("tcp", a.address)
	require.NoError(t, err)
	defer third.Close()
	until(t, func() bool { return hungUp(third) })
	require.False(t, first.closed() || second.closed())

	first.conn.Close()
	until(t, func() bool { return connections(a) == "1" })
	require.NoError(t, a.peer(t).tryScore())
	_, metrics := a.get("/metrics")
	require.Regexp(t, `axon_connections_refused_total\{.*\} 1\n`, metrics)
}

func connections(a *axon) string { return metric(a, "axon_connections") }

// metric is the value of the first metric of a name.
func metric(a *axon, name string) string {
	_, body := a.get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name+"{"); ok {
			_, value, _ := strings.Cut(rest, "} ")
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestCallerVanishes(t *testing.T) {
	for name, vanish := range map[string]func(r *raw, id uint32){
		"cancels":       func(r *raw, id uint32) { _ = r.framer.WriteRSTStream(id, http2.ErrCodeCancel) },
		"is cut off":    func(r *raw, _ uint32) { r.conn.Close() },
		"says goodbye":  func(r *raw, _ uint32) { _ = r.framer.WriteGoAway(0, http2.ErrCodeNo, nil); r.conn.Close() },
		"sends rubbish": func(r *raw, _ uint32) { _, _ = r.conn.Write([]byte(strings.Repeat("rubbish", 100))) },
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			a.model.hold = func(ctx context.Context, _ []int32) error {
				<-ctx.Done()
				return ctx.Err()
			}
			p := a.peer(t)
			r := rawPeer(t, a.address)
			id := r.forward(p)
			require.NoError(t, r.framer.WriteData(id, true, framed(t, p.request(texts(3, 4), score()))))
			until(t, func() bool { return a.model.running.Load() == 3 })
			vanish(r, id)
			until(t, func() bool { return a.model.running.Load() == 0 })
			require.EqualValues(t, 3, a.model.ended.Load())
		})
	}
}

func TestCallersDeadlineEndsTheModel(t *testing.T) {
	a := start(t)
	a.model.hold = func(ctx context.Context, _ []int32) error {
		<-ctx.Done()
		return ctx.Err()
	}
	p := a.peer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := p.client.Forward(p.signed(ctx), p.request(text(1, 2), score()))
	requireStatus(t, err, codes.DeadlineExceeded)
	until(t, func() bool { return a.model.ended.Load() == 1 })
}

// An answer that nobody fetches costs its connection, and what it held is free again.
func TestUnreadAnswer(t *testing.T) {
	a := start(t, func(o *server.Options) { o.Send = 200 * time.Millisecond })
	p := a.peer(t)
	r := rawPeer(t, a.address) // it grants no more than the first 64 KiB
	id := r.forward(p)
	require.NoError(t, r.framer.WriteData(id, true, framed(t, p.request(texts(4, 64), &synapse.TextCausalLM{TopK: 512}))))
	until(t, r.closed)
	until(t, func() bool { return metric(a, "axon_answers_bytes") == "0" })
	require.Regexp(t, `axon_refusals_total\{.*reason="unread".*\} 1\n`, func() string { _, m := a.get("/metrics"); return m }())
}

// Health watches would go on for ever; they do not keep a draining server alive.
func TestOpenServicesEndWithTheServer(t *testing.T) {
	a := start(t)
	conn, err := grpc.NewClient(a.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(t.Context(), new(grpc_health_v1.HealthCheckRequest))
	require.NoError(t, err)
	h, err := watch.Recv()
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, h.GetStatus())
	require.NoError(t, a.Shutdown(t.Context()))
}

func TestLongHeaders(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	h := p.headers(auth.Forward)
	h.Set("x-padding", strings.Repeat("x", 12<<10)) // one frame
	require.Error(t, p.call(h), "grpc's client is told the limit, and keeps it")
	r := rawPeer(t, a.address)
	id := r.open(auth.MethodForward, h)
	until(t, func() bool { return r.wasReset(id) || r.closed() })
	require.Zero(t, a.model.calls.Load())
}

func TestPingsWithoutEnd(t *testing.T) {
	a := start(t)
	r := rawPeer(t, a.address)
	for i := range byte(100) {
		if r.framer.WritePing(false, [8]byte{i}) != nil {
			break
		}
	}
	until(t, r.closed)
}

// However a path is spelt, nobody gets past the check.
func TestOtherSpellingsOfPaths(t *testing.T) {
	a := start(t)
	p := a.peer(t)
	body := framed(t, p.request(text(1, 2), score()))
	for _, path := range []string{
		auth.MethodForward, "Bittensor/Forward", "//Bittensor/Forward", "/Bittensor/Forward/", "/Bittensor//Forward",
		"/bittensor/forward", "/Bittensor/Forward?", "/Bittensor/%46orward", "/Bittensor/", "/", "*",
	} {
		r := rawPeer(t, a.address)
		id := r.open(path, nil)
		_ = r.framer.WriteData(id, true, body)
		until(t, func() bool { return r.statusOf(id) != "" || r.wasReset(id) || r.closed() })
		require.NotEqual(t, "0", r.statusOf(id), path)
	}
	require.Zero(t, a.model.calls.Load())
}

// Whoever fetches nothing can hold a part of the memory for answers, and others are answered.
func TestUnreadAnswersLeaveRoomForOthers(t *testing.T) {
	const answer = 4 * 64 * 512 * 2 * 8 // bytes, as memory counts them
	a := start(t, func(o *server.Options) { o.Send, o.Answers = time.Minute, 4*answer })
	question := &synapse.TextCausalLM{TopK: 512}
	greedy := a.peer(t)
	r := rawPeer(t, a.address)
	for range 4 {
		id := r.forward(greedy)
		require.NoError(t, r.framer.WriteData(id, true, framed(t, greedy.request(texts(4, 64), question))))
	}
	until(t, func() bool { return metric(a, "axon_answers_bytes") == fmt.Sprint(float64(answer)) })
	reply := greedy.ask(texts(4, 64), question)
	require.Equal(t, wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL, reply.GetReturnCode())
	require.Contains(t, reply.GetSynapses()[0].GetMessage(), "exceed the limit")
	require.Equal(t, wire.ReturnCode_RETURN_CODE_SUCCESS, a.peer(t).ask(texts(4, 64), question).GetReturnCode())
}
