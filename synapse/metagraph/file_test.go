package metagraph

import (
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/synapse/auth"
)

// someNeurons makes n of them, with stake 10 × uid.
func someNeurons(n int) []Neuron {
	list := make([]Neuron, n)
	for i := range list {
		list[i] = Neuron{
			UID: i, Hotkey: auth.PublicKey{byte(i + 1), byte(i >> 8), 7}, IP: netip.MustParseAddr("203.0.113.7"),
			Port: uint16(8091 + i), Stake: float64(10 * i),
		}
	}
	return list
}

// clock is one that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// change is what a File reported.
type change struct {
	neurons int
	err     error
}

// follow opens a file of three neurons with a clock and a list of changes.
func follow(t *testing.T) (path string, f *File, c *clock, changes *[]change) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "metagraph.csv")
	require.NoError(t, Write(path, someNeurons(3)))
	c = &clock{now: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)}
	changes = new([]change)
	f, err := OpenWith(path, Options{Now: c.Now, Changed: func(n int, err error) { *changes = append(*changes, change{n, err}) }})
	require.NoError(t, err)
	return path, f, c, changes
}

func TestFileTellsWhoIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metagraph.csv")
	list := someNeurons(3)
	require.NoError(t, Write(path, list))
	f, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, list, f.Neurons())

	n, ok := f.Find(list[2].Hotkey)
	require.True(t, ok)
	require.Equal(t, list[2], n)
	stake, registered := f.Stake(list[1].Hotkey)
	require.True(t, registered)
	require.Equal(t, 10.0, stake)
	_, registered = f.Stake(auth.PublicKey{99})
	require.False(t, registered)

	f.Neurons()[0].Stake = 1e9
	require.Zero(t, f.Neurons()[0].Stake, "the list is the caller's own")
}

func TestFileFollowsChanges(t *testing.T) {
	path, f, c, changes := follow(t)
	require.NoError(t, Write(path, someNeurons(5)))
	c.advance(checkInterval - 1)
	require.Len(t, f.Neurons(), 3, "it is looked at once a second")
	c.advance(1)
	require.Len(t, f.Neurons(), 5)
	require.Equal(t, []change{{5, nil}}, *changes)

	c.advance(time.Hour)
	require.Len(t, f.Neurons(), 5)
	require.Len(t, *changes, 1, "nothing changed")
}

// A clock that is set back must not stop the looking for as long.
func TestFileFollowsChangesThoughTheClockIsSetBack(t *testing.T) {
	path, f, c, _ := follow(t)
	require.NoError(t, Write(path, someNeurons(5)))
	c.advance(-time.Hour)
	require.Len(t, f.Neurons(), 5)
}

func TestFileOfTheSameSizeAndTimeIsNoticedWhenMovedIntoPlace(t *testing.T) {
	path, f, c, _ := follow(t)
	info, err := os.Stat(path)
	require.NoError(t, err)
	other := someNeurons(3)
	other[2].Stake = 21
	require.NoError(t, Write(path, other))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, info.Size(), after.Size())
	c.advance(checkInterval)
	require.Equal(t, 21.0, f.Neurons()[2].Stake)
}

func TestFileThatTurnsBadLeavesTheLastGoodOne(t *testing.T) {
	path, f, c, changes := follow(t)
	require.NoError(t, os.WriteFile(path, []byte("uid,hotkey,coldkey,ip,port,stake\n0,x,,,,1\n"), 0o600))
	for range 3 {
		c.advance(checkInterval)
		require.Len(t, f.Neurons(), 3)
	}
	require.Len(t, *changes, 1, "it is reported once")
	require.ErrorIs(t, (*changes)[0].err, ErrFile)
	require.ErrorContains(t, (*changes)[0].err, "line 2")
	require.ErrorContains(t, (*changes)[0].err, path)

	require.NoError(t, os.Remove(path))
	for range 3 {
		c.advance(checkInterval)
		require.Len(t, f.Neurons(), 3)
	}
	require.Len(t, *changes, 2)
	require.ErrorIs(t, (*changes)[1].err, os.ErrNotExist)

	require.NoError(t, Write(path, someNeurons(1)))
	c.advance(checkInterval)
	require.Len(t, f.Neurons(), 1)
	require.Equal(t, change{1, nil}, (*changes)[2])
}

// Everybody sees one file or the other, whole, while it is being replaced.
func TestFileIsReadByManyWhileItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metagraph.csv")
	small, large := someNeurons(3), someNeurons(200)
	require.NoError(t, Write(path, small))
	c := &clock{now: time.Now()}
	f, err := OpenWith(path, Options{Now: c.Now, Changed: func(int, error) {}})
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				c.advance(checkInterval)
				n := len(f.Neurons())
				if n != len(small) && n != len(large) {
					t.Errorf("%d neurons", n)
				}
			}
		})
	}
	for i := range 20 {
		list := [][]Neuron{large, small}[i%2]
		require.NoError(t, Write(path, list))
	}
	group.Wait()
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	folder := t.TempDir()
	_, err := Open(filepath.Join(folder, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(folder)
	require.ErrorIs(t, err, ErrFile)
}
