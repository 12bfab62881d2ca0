package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func tokens(n int) load { return load{tokens: n} }

// plain is room of the usual kind.
func plain(n int) room { return room{load: tokens(n)} }

func enter(t *testing.T, q *queue, p *place, cost load) error {
	t.Helper()
	_, err := q.enter(t.Context(), p, cost)
	return err
}

// waits enters in the background and returns where the outcome will be.
func waits(ctx context.Context, t *testing.T, q *queue, p *place, cost load) chan error {
	t.Helper()
	before := q.length()
	done := make(chan error, 1)
	go func() {
		_, err := q.enter(ctx, p, cost)
		done <- err
	}()
	require.Eventually(t, func() bool { return q.length() != before || len(done) > 0 }, time.Minute, 50*time.Microsecond)
	return done
}

func TestQueueOrdersByPriorityThenArrival(t *testing.T) {
	q := newQueue(tokens(10), 10)
	require.NoError(t, enter(t, q, q.place(0), tokens(10)))
	var order []string
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range []struct {
		name     string
		priority float64
	}{{"late and poor", 1}, {"rich", 9}, {"poor", 1}, {"richer", 10}, {"poorest", 0}} {
		p := q.place(c.priority)
		before := q.length()
		all.Go(func() {
			if enter(t, q, p, tokens(10)) == nil {
				mu.Lock()
				order = append(order, c.name)
				mu.Unlock()
				q.leave(plain(10))
			}
		})
		require.Eventually(t, func() bool { return q.length() == before+1 }, time.Minute, 50*time.Microsecond)
	}
	q.leave(plain(10))
	all.Wait()
	require.Equal(t, []string{"richer", "rich", "late and poor", "poor", "poorest"}, order)
}

// Whoever is first in line gets the room, even where somebody behind would fit.
func TestLongTextsGetTheirTurn(t *testing.T) {
	q := newQueue(tokens(10), 10)
	require.NoError(t, enter(t, q, q.place(0), tokens(6)))
	long := waits(t.Context(), t, q, q.place(0), tokens(8))
	short := waits(t.Context(), t, q, q.place(0), tokens(2))
	require.Equal(t, 2, q.length())
	q.leave(plain(6))
	require.NoError(t, <-long)
	require.NoError(t, <-short)
	q.leave(plain(8))
	q.leave(plain(2))
	require.NoError(t, enter(t, q, q.place(0), tokens(99)), "what is longer than all the room has all of it")
	require.Equal(t, tokens(10), q.taken())
}

func TestFullQueue(t *testing.T) {
	q := newQueue(tokens(1), 2)
	require.NoError(t, enter(t, q, q.place(0), tokens(1)))
	first := waits(t.Context(), t, q, q.place(5), tokens(1))
	second := waits(t.Context(), t, q, q.place(4), tokens(1))
	require.ErrorIs(t, enter(t, q, q.place(4), tokens(1)), errFull, "the same stake, and later")
	third := make(chan error, 1)
	go func() { third <- enter(t, q, q.place(6), tokens(1)) }()
	require.ErrorIs(t, <-second, errFull, "the last in line gives way")
	q.leave(plain(1))
	require.NoError(t, <-third)
	q.leave(plain(1))
	require.NoError(t, <-first)
}

// A request whose first text was let in is not sent away any more.
func TestWhoHasStartedStays(t *testing.T) {
	q := newQueue(tokens(2), 1)
	started := q.place(0)
	require.NoError(t, enter(t, q, started, tokens(2)))
	second := waits(t.Context(), t, q, started, tokens(2))
	rich := waits(t.Context(), t, q, q.place(9), tokens(2))
	require.Equal(t, 2, q.length())
	require.ErrorIs(t, enter(t, q, q.place(8), tokens(2)), errFull)
	q.leave(plain(2))
	require.NoError(t, <-rich)
	q.leave(plain(2))
	require.NoError(t, <-second)
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	q := newQueue(tokens(4), 4)
	require.NoError(t, enter(t, q, q.place(0), tokens(3)))
	ctx, cancel := context.WithCancel(t.Context())
	big := waits(ctx, t, q, q.place(0), tokens(4))
	small := waits(t.Context(), t, q, q.place(0), tokens(1))
	cancel()
	require.ErrorIs(t, <-big, context.Canceled)
	require.NoError(t, <-small, "it fits beside the first, now that nobody is before it")
	require.Zero(t, q.length())
}

// Short texts go past long ones, into the part of the room that is theirs, and long ones
// lose nothing by it.
func TestShortTextsDoNotWaitForLongOnes(t *testing.T) {
	q := newQueue(tokens(4096), 9)
	require.NoError(t, enter(t, q, q.place(0), tokens(4096)), "a long text has all but the express part")
	require.Equal(t, tokens(3584), q.taken())
	long := waits(t.Context(), t, q, q.place(0), tokens(1024))
	var short []room
	for range 4 {
		r, err := q.enter(t.Context(), q.place(0), tokens(128))
		require.NoError(t, err)
		short = append(short, r)
	}
	more := waits(t.Context(), t, q, q.place(0), tokens(128))
	rich := waits(t.Context(), t, q, q.place(1), tokens(128))
	q.leave(short[0])
	require.NoError(t, <-rich, "among the short, too, stake counts")
	q.leave(short[1])
	require.NoError(t, <-more)
	require.Equal(t, 1, q.length())
	q.leave(plain(3584))
	require.NoError(t, <-long)
	require.Equal(t, tokens(1024+4*128), q.taken())
}

func TestMemoryIsRoomToo(t *testing.T) {
	q := newQueue(load{tokens: 10, bytes: 100}, 4)
	require.NoError(t, enter(t, q, q.place(0), load{1, 80}))
	next := waits(t.Context(), t, q, q.place(0), load{1, 30})
	q.leave(plain(1))
	require.Equal(t, 1, q.length(), "tokens are free, bytes are not")
	q.leave(room{load: load{bytes: 80}})
	require.NoError(t, <-next)
}

// Whatever happens, no more is at work than there is room for, and at the end all of the
// room is free again.
func TestQueueUnderChaos(t *testing.T) {
	const capacity, limit = 4096, 8 // of which some is for short texts
	q := newQueue(load{capacity, capacity}, limit)
	var mu sync.Mutex
	working := 0
	work := func(p *place, r *rand.Rand) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(300))*time.Microsecond)
		defer cancel()
		cost := load{1 + r.IntN(capacity)>>r.IntN(8), 1 + int64(r.IntN(capacity))}
		given, err := q.enter(ctx, p, cost)
		if err != nil {
			return err
		}
		defer q.leave(given)
		mu.Lock()
		working += given.tokens
		over := working > capacity
		mu.Unlock()
		time.Sleep(time.Duration(r.IntN(50)) * time.Microsecond)
		mu.Lock()
		working -= given.tokens
		mu.Unlock()
		if over {
			return fmt.Errorf("%d tokens are more than %d", working, capacity)
		}
		return nil
	}
	var all sync.WaitGroup
	for seed := range uint64(32) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, seed))
			for range 100 {
				p := q.place(float64(r.IntN(4)))
				for range 1 + r.IntN(3) {
					if err := work(p, r); err != nil && !errors.Is(err, errFull) && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, q.length())
	require.Equal(t, load{}, q.taken())
}
