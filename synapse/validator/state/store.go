package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// schema is the version of what the file holds.
const schema = "1"

// The buckets, and the keys of the first.
var (
	bucketMeta    = []byte("meta")
	bucketServers = []byte("servers") // uid → Server
	bucketRounds  = []byte("rounds")  // number → Round

	keySchema   = []byte("schema")
	keySettings = []byte("settings")
	keyProgress = []byte("progress")
	keyPairs    = []byte("pairs")
)

// Options say how a state is opened.
type Options struct {
	// Settings must be those that the file was made with. Nil takes them as they are.
	Settings Settings
	// ReadOnly leaves the file as it is. It must exist then.
	ReadOnly bool
	// Keep is how many of the latest rounds are kept, fewer where they have very many
	// replies; 0 means 10,000.
	Keep int
}

// Store is the file. One goroutine uses it at a time.
type Store struct {
	db   *bbolt.DB
	path string
	keep int
	// State is as of the last commit, or as it was read. It is the caller's to change
	// and to commit.
	State State
}

// State is what a validator goes on with.
type State struct {
	Settings Settings
	Progress Progress
	Servers  map[int]*Server // by uid
	Pairs    Pairs           // empty unless pairs are compared
}

// Open opens a state, or makes one. Errors are ErrBusy, ErrSchema, ErrSettings, and those
// of the file system.
func Open(path string, o Options) (*Store, error) {
	if o.Keep == 0 {
		o.Keep = 10_000
	}
	if err := prepare(path, o); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	// A file that is no database may be of any size: bbolt checks its head before mapping it.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: o.ReadOnly})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: another process has %s open; end it, or name another file", ErrBusy, path)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %s is no database: %w", ErrSchema, path, err)
	case err != nil:
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	s := &Store{db: db, path: path, keep: o.Keep}
	if err := s.begin(o); err != nil {
		return nil, errors.Join(fmt.Errorf("state %s: %w", path, err), db.Close())
	}
	return s, nil
}

// prepare makes a file where there is none: beside its place, so that whatever stops it
// leaves nothing there. An empty file counts as none, as it has nothing to lose.
func prepare(path string, o Options) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && (info.Size() > 0 || !info.Mode().IsRegular()):
		return nil
	case err == nil && o.ReadOnly:
		return fmt.Errorf("%w: %s is empty", fs.ErrNotExist, path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return err
		}
	case o.ReadOnly || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	made := filepath.Join(folder, "state")
	db, err := bbolt.Open(made, 0o600, nil)
	if err != nil {
		return err
	}
	if err := errors.Join((&Store{db: db}).create(o.Settings), db.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what somebody else has made meanwhile.
	if err := os.Link(made, path); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(made, path) // on file systems without links
}

// begin reads what is in the file.
func (s *Store) begin(o Options) error {
	if err := s.db.View(s.read); err != nil {
		return err
	}
	if o.Settings == nil {
		return nil
	}
	return s.State.Settings.check(o.Settings)
}

func (s *Store) create(settings Settings) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketServers, bucketRounds} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		return errors.Join(meta.Put(keySchema, []byte(schema)), put(meta, keySettings, settings), put(meta, keyProgress, Progress{}))
	})
}

func (s *Store) read(tx *bbolt.Tx) error {
	meta, servers := tx.Bucket(bucketMeta), tx.Bucket(bucketServers)
	if meta == nil || servers == nil || tx.Bucket(bucketRounds) == nil {
		return fmt.Errorf("%w: parts of it are missing", ErrSchema)
	}
	if got := string(meta.Get(keySchema)); got != schema {
		return fmt.Errorf("%w: it has version %.20q, this axon reads version %q; export it with the axon that wrote it, or name another file", ErrSchema, got, schema)
	}
	s.State = State{Servers: make(map[int]*Server), Pairs: make(Pairs)}
	for _, part := range []struct {
		key  []byte
		into any
	}{{keySettings, &s.State.Settings}, {keyProgress, &s.State.Progress}, {keyPairs, &s.State.Pairs}} {
		if data := meta.Get(part.key); data != nil {
			if err := json.Unmarshal(data, part.into); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrSchema, part.key, err)
			}
		}
	}
	return servers.ForEach(func(key, value []byte) error {
		var server Server
		if err := json.Unmarshal(value, &server); err != nil {
			return fmt.Errorf("%w: server %x: %w", ErrSchema, key, err)
		}
		if server.Average == nil {
			return fmt.Errorf("%w: server %x has no average", ErrSchema, key)
		}
		s.State.Servers[server.UID()] = &server
		return nil
	})
}

// Commit writes the state after a round, with the servers of the round, and the round
// itself. What comes after it, be it the end of the machine, finds all of that or nothing.
func (s *Store) Commit(round *Round) error {
	if round.Number != s.State.Progress.Rounds {
		return fmt.Errorf("%w: round %d, where %d were finished", ErrOrder, round.Number, s.State.Progress.Rounds)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if err := put(meta, keyProgress, s.State.Progress); err != nil {
			return err
		}
		if len(s.State.Pairs) > 0 {
			if err := put(meta, keyPairs, s.State.Pairs); err != nil {
				return err
			}
		}
		return errors.Join(s.putServers(tx.Bucket(bucketServers), round), s.putRound(tx.Bucket(bucketRounds), round))
	})
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCommit, s.path, err)
	}
	return nil
}

// putServers writes those that took part: of others nothing has changed.
func (s *Store) putServers(bucket *bbolt.Bucket, round *Round) error {
	for _, reply := range round.Replies {
		if err := put(bucket, key(reply.UID), s.State.Servers[reply.UID]); err != nil {
			return err
		}
	}
	return nil
}

// mostReplies bounds the replies that are kept, of which one takes some 150 bytes.
const mostReplies = 1_000_000

func (s *Store) putRound(bucket *bbolt.Bucket, round *Round) error {
	if err := put(bucket, key(round.Number), round); err != nil {
		return err
	}
	oldest := key(round.Number - min(s.keep, mostReplies/max(1, len(round.Replies))))
	cursor := bucket.Cursor()
	for k, _ := cursor.First(); k != nil && slices.Compare(k, oldest) <= 0; k, _ = cursor.First() {
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// Rounds are those that are kept, from the oldest on, of the last n; 0 is all. An error
// ends them, and comes with a nil round.
func (s *Store) Rounds(n int) iter.Seq2[*Round, error] {
	return func(yield func(*Round, error) bool) {
		err := s.db.View(func(tx *bbolt.Tx) error {
			cursor := tx.Bucket(bucketRounds).Cursor()
			k, value := cursor.First()
			if n > 0 {
				k, value = cursor.Seek(key(s.State.Progress.Rounds - n + 1))
			}
			for ; k != nil; k, value = cursor.Next() {
				round := new(Round)
				if err := json.Unmarshal(value, round); err != nil {
					return fmt.Errorf("%w: round %x: %w", ErrSchema, k, err)
				}
				if !yield(round, nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(nil, err)
		}
	}
}

// Path is the file's.
func (s *Store) Path() string { return s.path }

// Close lets go of the file.
func (s *Store) Close() error { return s.db.Close() }

// key orders numbers, negative ones as 0.
func key(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(max(n, 0))) }

func put(bucket *bbolt.Bucket, key []byte, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put(key, data)
}
