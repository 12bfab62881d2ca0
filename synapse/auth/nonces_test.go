package auth

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func openNonces(t testing.TB, path string, limits Limits) *Nonces {
	t.Helper()
	n, err := OpenNonces(path, limits)
	require.NoError(t, err)
	return n
}

// randomUse draws from few senders, connections and nonces, so that they meet again.
func randomUse(r *rand.Rand) use {
	sender := PublicKey{byte(1 + r.IntN(6))}
	receptor := strconv.Itoa(r.IntN(5)) // without a time
	if r.IntN(2) == 0 {
		receptor = fmt.Sprintf("%08x-1cec-11ee-b0dc-e29ce36fec1a", r.IntN(12))
	}
	return newUse(sender, receptor, NonceOf(uint64(r.IntN(40))))
}

// However much must be forgotten, and however often the file is opened anew, nothing is
// accepted twice; and what comes back is what was there.
func TestNothingIsAcceptedTwice(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		path := filepath.Join(t.TempDir(), "nonces")
		limits := Limits{Senders: 3, Connections: 2, NoSync: true}
		n := openNonces(t, path, limits)
		used := make(map[use]bool)
		for range 1000 {
			u := randomUse(r)
			err := n.use(u)
			if err == nil {
				require.False(t, used[u], "seed %d: accepted twice", seed)
				used[u] = true
			} else {
				require.ErrorIs(t, err, ErrReplayed)
			}
			require.ErrorIs(t, n.check(u), ErrReplayed)
			if r.IntN(50) == 0 {
				before := snapshotOf(n.book)
				require.NoError(t, n.Close())
				n = openNonces(t, path, limits)
				require.True(t, bytes.Equal(before, snapshotOf(n.book)), "seed %d", seed)
			}
			require.LessOrEqual(t, len(n.book.senders), 3)
			require.LessOrEqual(t, n.book.marks, 6)
		}
		require.Greater(t, len(used), 20)
		require.NoError(t, n.Close())
	}
}

// A client whose machine started anew counts from zero again, over a new connection.
func TestNewConnectionsOfForgottenSendersAreAccepted(t *testing.T) {
	n, err := NewNonces(Limits{Senders: 2, Connections: 2})
	require.NoError(t, err)
	now := time.Now()
	for i := range 100 {
		sender := PublicKey{byte(1 + i%5)}
		receptor := NewReceptorID(now.Add(time.Duration(i) * time.Second))
		require.NoError(t, n.use(newUse(sender, receptor, NonceOf(uint64(1000-i)))))
		require.NoError(t, n.use(newUse(sender, receptor, NonceOf(uint64(1001-i)))))
	}
}

// What one sender does moves no floor of another's, while both are known.
func TestSendersDoNotDisturbEachOther(t *testing.T) {
	n, err := NewNonces(Limits{Senders: 2, Connections: 2})
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, n.use(newUse(PublicKey{1}, fmt.Sprint(i), NonceOf(1<<60+uint64(i)))))
	}
	require.NoError(t, n.use(newUse(PublicKey{2}, "a", NonceOf(1))))
	require.NoError(t, n.use(newUse(PublicKey{2}, "b", NonceOf(1))))
}

func TestFileIsOpenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nonces")
	n := openNonces(t, path, Limits{})
	_, err := OpenNonces(path, Limits{})
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, n.use(newUse(PublicKey{1}, "a", NonceOf(1))))
	require.NoError(t, n.Close())
	require.NoError(t, n.Close())
	require.ErrorIs(t, n.use(newUse(PublicKey{1}, "a", NonceOf(2))), ErrClosed)
	n = openNonces(t, path, Limits{})
	require.ErrorIs(t, n.use(newUse(PublicKey{1}, "a", NonceOf(1))), ErrReplayed)
	require.NoError(t, n.Close())
}

func TestFileStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nonces")
	n := openNonces(t, path, Limits{NoSync: true})
	for i := range uint64(3 * growth) {
		require.NoError(t, n.use(newUse(PublicKey{1}, "a", NonceOf(i+1))))
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64((growth+100)*recordSize))
	require.NoError(t, n.Close())
	n = openNonces(t, path, Limits{})
	require.ErrorIs(t, n.check(newUse(PublicKey{1}, "a", NonceOf(3*growth))), ErrReplayed)
	require.NoError(t, n.check(newUse(PublicKey{1}, "a", NonceOf(3*growth+1))))
	require.NoError(t, n.Close())
}

func TestManyAtOnceShareWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nonces")
	n := openNonces(t, path, Limits{})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range uint64(20) {
				if err := n.use(newUse(PublicKey{byte(g + 1)}, "a", NonceOf(i+1))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, len(fileHeader)+(1+8*20)*recordSize, len(data), "all is written before use returns")
	require.NoError(t, n.Close())
}

// journalOf is a file with some records, and the uses in it.
func journalOf(count int) ([]byte, []use) {
	data := snapshotOf(newBook(Limits{}.withDefaults()))
	uses := make([]use, count)
	for i := range uses {
		uses[i] = newUse(PublicKey{byte(i + 1)}, "a", NonceOf(uint64(i)+1))
		data = appendRecord(data, record{kindUse, uses[i]})
	}
	return data, uses
}

func TestWritingWasCutOff(t *testing.T) {
	data, uses := journalOf(3)
	for size := len(data) - recordSize; size <= len(data); size++ {
		for _, tail := range [][]byte{nil, make([]byte, len(data)-size), bytes.Repeat([]byte{0xff}, 3*recordSize)} {
			path := filepath.Join(t.TempDir(), "nonces")
			require.NoError(t, os.WriteFile(path, append(bytes.Clone(data[:size]), tail...), 0o600))
			n := openNonces(t, path, Limits{NoSync: true})
			require.ErrorIs(t, n.check(uses[0]), ErrReplayed)
			require.ErrorIs(t, n.check(uses[1]), ErrReplayed)
			if size < len(data) && !bytes.Equal(data[size:], tail) {
				require.NoError(t, n.check(uses[2]))
			}
			require.NoError(t, n.use(newUse(PublicKey{9}, "a", NonceOf(1))))
			require.NoError(t, n.Close())
			n = openNonces(t, path, Limits{NoSync: true})
			require.ErrorIs(t, n.check(newUse(PublicKey{9}, "a", NonceOf(1))), ErrReplayed)
			require.NoError(t, n.Close())
		}
	}
}

func TestDamagedFilesAreNotUsed(t *testing.T) {
	good, _ := journalOf(3)
	for name, data := range map[string][]byte{
		"empty":       {},
		"other file":  bytes.Repeat([]byte("x"), 500),
		"newer":       []byte("axon nonces 2\n"),
		"bit flipped": append(append(bytes.Clone(good[:200]), good[200]^1), good[201:]...),
	} {
		path := filepath.Join(t.TempDir(), "nonces")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := OpenNonces(path, Limits{})
		require.ErrorIs(t, err, ErrNonceFile, name)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, len(data), len(after), "%s: it is left as it was", name)
	}
}

func TestNothingIsAcceptedOnceWritingFailed(t *testing.T) {
	n := openNonces(t, filepath.Join(t.TempDir(), "nonces"), Limits{})
	require.NoError(t, n.journal.file.Close())
	for i := range uint64(3) {
		err := n.use(newUse(PublicKey{1}, "a", NonceOf(i)))
		require.ErrorIs(t, err, ErrNonceFile)
		var refusal *Refusal
		require.False(t, errors.As(err, &refusal), "it is not the caller's fault")
	}
	require.Error(t, n.Close())
}

const killedFile = "AXON_TEST_NONCES"

// A server that is killed while it works has written down all that it let in.
func TestKilled(t *testing.T) {
	if path := os.Getenv(killedFile); path != "" {
		acceptUntilKilled(path)
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	for round := range 3 {
		path := filepath.Join(t.TempDir(), "nonces")
		last := killAfter(t, path, 100+1500*round)
		n := openNonces(t, path, Limits{})
		for g, nonce := range last {
			require.ErrorIs(t, n.check(newUse(PublicKey{byte(g + 1)}, "a", NonceOf(nonce))), ErrReplayed)
			require.NoError(t, n.check(newUse(PublicKey{byte(g + 1)}, "a", NonceOf(nonce+2))), "no more than the one under way is lost")
		}
		require.NoError(t, n.Close())
	}
}

// acceptUntilKilled uses nonces up in four goroutines and prints each that was accepted.
func acceptUntilKilled(path string) {
	n, err := OpenNonces(path, Limits{NoSync: true})
	if err != nil {
		panic(err)
	}
	for g := range 4 {
		go func() {
			for i := uint64(1); ; i++ {
				if err := n.use(newUse(PublicKey{byte(g + 1)}, "a", NonceOf(i))); err != nil {
					panic(err)
				}
				_, _ = fmt.Fprintf(os.Stdout, "accepted %d %d\n", g, i)
			}
		}()
	}
	select {}
}

// killAfter kills the process after so many lines, and gives the last nonces it printed.
func killAfter(t *testing.T, path string, lines int) map[int]uint64 {
	command := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	command.Env = append(os.Environ(), killedFile+"="+path)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	last := make(map[int]uint64)
	scanner := bufio.NewScanner(out)
	for count := 0; scanner.Scan(); count++ {
		var g int
		var nonce uint64
		if _, err := fmt.Sscanf(scanner.Text(), "accepted %d %d", &g, &nonce); err == nil {
			last[g] = max(last[g], nonce)
		}
		if count == lines {
			require.NoError(t, command.Process.Kill())
		}
	}
	require.Error(t, command.Wait())
	require.NotEmpty(t, last)
	return last
}
