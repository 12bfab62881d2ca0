package bench

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryRequestIsAskedOnce(t *testing.T) {
	const clients, requests = 4, 10
	var asked [requests]atomic.Int32
	var atOnce, most atomic.Int32
	g := &group{clients: clients, requests: requests, ask: func(_ context.Context, _, i int) (reply, error) {
		asked[i].Add(1)
		most.Store(max(most.Load(), atOnce.Add(1)))
		time.Sleep(time.Millisecond)
		atOnce.Add(-1)
		return reply{tokens: 2, positions: 3, bytes: 4}, nil
	}}
	require.NoError(t, drive(t.Context(), g))
	for i := range asked {
		require.EqualValues(t, 1, asked[i].Load(), "request %d", i)
	}
	require.Len(t, g.load.latencies, requests)
	require.Equal(t, reply{tokens: 20, positions: 30, bytes: 40}, g.load.sum)
	require.LessOrEqual(t, most.Load(), int32(clients))
	require.GreaterOrEqual(t, g.load.elapsed, time.Millisecond)
}

func TestSomeGoOnWhileOthersAsk(t *testing.T) {
	const enough = 20
	var shorts atomic.Int32
	long := &group{clients: 1, requests: 1, ask: func(ctx context.Context, _, _ int) (reply, error) {
		for shorts.Load() < enough && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return reply{}, nil
	}}
	short := &group{clients: 2, ask: func(context.Context, int, int) (reply, error) {
		shorts.Add(1)
		return reply{tokens: 1}, nil
	}}
	require.NoError(t, drive(t.Context(), long, short))
	require.Len(t, long.load.latencies, 1)
	require.GreaterOrEqual(t, len(short.load.latencies), enough)
	require.Equal(t, int(shorts.Load()), short.load.sum.tokens)
}

func TestTheFirstErrorEndsALoad(t *testing.T) {
	broken := errors.New("broken")
	waits := func(ctx context.Context, client, _ int) (reply, error) {
		if client == 0 {
			return reply{}, broken
		}
		<-ctx.Done()
		return reply{}, ctx.Err()
	}
	require.Equal(t, broken, drive(t.Context(), &group{clients: 3, requests: 3, ask: waits}, &group{clients: 1, ask: func(ctx context.Context, _, _ int) (reply, error) {
		<-ctx.Done()
		return reply{}, ctx.Err()
	}}))

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	err := drive(ctx, &group{clients: 2, requests: 1 << 30, ask: func(context.Context, int, int) (reply, error) { return reply{}, nil }})
	require.ErrorIs(t, err, context.Canceled)
}
