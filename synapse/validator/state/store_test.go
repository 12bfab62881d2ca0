package state_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"axon/synapse/validator"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

var settings = state.Settings{"seed": "1", "task": "TextCausalLMNext"}

func open(t *testing.T, path string, o state.Options) *state.Store {
	t.Helper()
	s, err := state.Open(path, o)
	require.NoError(t, err)
	return s
}

// play does one round with a server whose losses follow from its number.
func play(t *testing.T, s *state.Store) {
	t.Helper()
	st := &s.State
	uid := (st.Progress.Rounds + 1) % 3
	server, _ := st.Server(uid, "5F", "127.0.0.1:1", validator.Next)
	st.Progress.Rounds++
	st.Progress.Texts += 2
	st.Progress.Position = json.RawMessage(`{"index":7}`)
	server.Codes[wire.ReturnCode_RETURN_CODE_SUCCESS]++
	loss := 3 + 1/float64(st.Progress.Rounds)
	rules := validator.Rules{Proper: true}
	stats, err := rules.Score(validator.Next, []validator.Reply{{UID: uid, Answer: &validator.Answer{Losses: []float64{loss}, First: []float64{loss}}}})
	require.NoError(t, err)
	server.Average.Update(stats[0], rules)
	st.Pairs[[2]int{0, 1}] = state.PairSum{Sum: loss, Rounds: st.Progress.Rounds}
	require.NoError(t, s.Commit(&state.Round{
		Number: st.Progress.Rounds, Began: time.Unix(int64(st.Progress.Rounds), 0).UTC(), Took: 0.5, Texts: 2,
		Replies: []state.Reply{{UID: uid, Code: wire.ReturnCode_RETURN_CODE_SUCCESS, Losses: []float32{float32(loss), 2.5}}},
	}))
}

func snapshot(t *testing.T, s *state.Store) string {
	t.Helper()
	data, err := json.Marshal(s.State)
	require.NoError(t, err)
	return string(data)
}

func TestAStateThatWasClosedGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	never := open(t, filepath.Join(t.TempDir(), "other.db"), state.Options{Settings: settings})
	defer never.Close()
	for range 20 {
		s := open(t, path, state.Options{Settings: settings})
		play(t, s)
		play(t, never)
		require.NoError(t, s.Close())
	}
	s := open(t, path, state.Options{ReadOnly: true})
	defer s.Close()
	require.JSONEq(t, snapshot(t, never), snapshot(t, s))
	require.Equal(t, 20, s.State.Progress.Rounds)
	require.Equal(t, 7, s.State.Servers[1].Answered())
}

func TestRoundsAreKeptAndComeInOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), state.Options{Settings: settings, Keep: 8})
	defer s.Close()
	for range 20 {
		play(t, s)
	}
	numbers := func(n int) (list []int) {
		for round, err := range s.Rounds(n) {
			require.NoError(t, err)
			list = append(list, round.Number)
			require.Len(t, s.State.Losses(round), 1)
		}
		return list
	}
	require.Equal(t, []int{13, 14, 15, 16, 17, 18, 19, 20}, numbers(0))
	require.Equal(t, []int{18, 19, 20}, numbers(3))
	for range s.Rounds(0) { // whoever has enough stops
		break
	}
}

// What a hotkey did before another took its uid over is not the other's.
func TestRepliesOfAnEarlierHotkey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), state.Options{Settings: settings})
	defer s.Close()
	for range 9 {
		play(t, s)
	}
	_, fresh := s.State.Server(1, "5F", "127.0.0.1:1", validator.Next)
	require.False(t, fresh)
	known, fresh := s.State.Server(1, "5G", "127.0.0.1:1", validator.Next)
	require.True(t, fresh)
	require.Equal(t, 10, known.Since)
	require.Empty(t, s.State.Pairs)
	seen := map[int]int{}
	for round, err := range s.Rounds(0) {
		require.NoError(t, err)
		for uid := range s.State.Losses(round) {
			seen[uid]++
		}
	}
	require.Equal(t, map[int]int{0: 3, 2: 3}, seen)
}

func TestARoundThatDoesNotFollowIsRefused(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"), state.Options{Settings: settings})
	defer s.Close()
	require.ErrorIs(t, s.Commit(&state.Round{Number: 2}), state.ErrOrder)
}

func TestOtherSettingsAreNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	require.NoError(t, open(t, path, state.Options{Settings: settings}).Close())
	_, err := state.Open(path, state.Options{Settings: state.Settings{"seed": "2", "rule": "proper"}})
	require.ErrorIs(t, err, state.ErrSettings)
	require.ErrorContains(t, err, `seed was "1" and is "2"`)
	require.ErrorContains(t, err, `rule was not set and is "proper"`)
}

func TestTwoDoNotWriteOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path, state.Options{Settings: settings})
	defer s.Close()
	_, err := state.Open(path, state.Options{Settings: settings})
	require.ErrorIs(t, err, state.ErrBusy)
}

func TestWhatIsNoState(t *testing.T) {
	dir := t.TempDir()
	_, err := state.Open(filepath.Join(dir, "missing.db"), state.Options{ReadOnly: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	empty := filepath.Join(dir, "empty.db")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = state.Open(empty, state.Options{ReadOnly: true})
	require.ErrorIs(t, err, os.ErrNotExist, "there is nothing in it")
	require.NoError(t, open(t, empty, state.Options{Settings: settings}).Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
	_, err = state.Open(dir, state.Options{})
	require.Error(t, err)

	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, make([]byte, 1<<16), 0o600))
	_, err = state.Open(garbage, state.Options{})
	require.ErrorIs(t, err, state.ErrSchema)

	for name, spoil := range map[string]func(*bbolt.Tx) error{
		"another version":      func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("2")) },
		"no servers":           func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("servers")) },
		"a server of no sense": func(tx *bbolt.Tx) error { return tx.Bucket([]byte("servers")).Put([]byte("x"), []byte("{}")) },
		"settings of no sense": func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("settings"), []byte("[")) },
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, open(t, path, state.Options{Settings: settings}).Close())
		db, err := bbolt.Open(path, 0o600, nil)
		require.NoError(t, err)
		require.NoError(t, db.Update(spoil))
		require.NoError(t, db.Close())
		_, err = state.Open(path, state.Options{Settings: settings})
		require.ErrorIs(t, err, state.ErrSchema, name)
	}
}
