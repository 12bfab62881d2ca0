package metagraph

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"axon/synapse/auth"
)

// checkInterval is how often, at most, a file is looked at for changes.
const checkInterval = time.Second

// Options say how a [File] is kept up to date. The zero value is what most want.
type Options struct {
	// Changed is told of each change: how many neurons there are, or why the file cannot
	// be used, in which case those before it stay. It is called by whoever uses the File
	// at that moment. Nil writes to the default log.
	Changed func(neurons int, err error)
	Now     func() time.Time // nil for the machine's clock
}

// File is a metagraph that follows its file. The first use after a second has passed
// looks at the file's time and size, and reads it again when they differ; other callers
// go on with what was known. A file that is gone or bad leaves the last good one in
// force. It may be used by many goroutines, and needs no closing.
type File struct {
	path    string
	options Options
	current atomic.Pointer[table]
	checked atomic.Int64 // when, in nanoseconds of Unix time

	mu   sync.Mutex // held by the one who looks
	seen state
}

// state is what tells one version of a file from another.
type state struct {
	modified time.Time
	size     int64
	info     os.FileInfo // for which file it is: one moved into place may have the old times
	missing  string      // why it could not be looked at
}

func (s state) same(t state) bool {
	return s.missing == t.missing && s.size == t.size && s.modified.Equal(t.modified) &&
		(s.info == nil) == (t.info == nil) && (s.info == nil || os.SameFile(s.info, t.info))
}

// Open reads a metagraph from a file, which it then follows.
func Open(path string) (*File, error) { return OpenWith(path, Options{}) }

// OpenWith is [Open] with options.
func OpenWith(path string, o Options) (*File, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &File{path: path, options: o}
	if o.Changed == nil {
		f.options.Changed = f.log
	}
	f.checked.Store(o.Now().UnixNano())
	f.seen = look(path)
	t, err := read(path)
	if err != nil {
		return nil, err
	}
	f.current.Store(t)
	return f, nil
}

// Neurons lists all, by uid. The list is the caller's.
func (f *File) Neurons() []Neuron { return slices.Clone(f.table().neurons) }

// Find gives the neuron of a hotkey.
func (f *File) Find(hotkey auth.PublicKey) (Neuron, bool) {
	t := f.table()
	i, ok := t.byHotkey[hotkey]
	if !ok {
		return Neuron{}, false
	}
	return t.neurons[i], true
}

// Stake is what a hotkey has, and whether it is registered at all.
func (f *File) Stake(hotkey auth.PublicKey) (stake float64, registered bool) {
	n, ok := f.Find(hotkey)
	return n.Stake, ok
}

// table is what is in force, after a look at the file where one is due.
func (f *File) table() *table {
	now := f.options.Now().UnixNano()
	if passed := now - f.checked.Load(); (passed >= int64(checkInterval) || passed < 0) && f.mu.TryLock() {
		f.refresh(now)
		f.mu.Unlock()
	}
	return f.current.Load()
}

// refresh is called with mu held.
func (f *File) refresh(now int64) {
	f.checked.Store(now)
	// Looked at before it is read: what is written meanwhile is a change for the next time.
	state := look(f.path)
	if state.same(f.seen) {
		return
	}
	f.seen = state
	t, err := read(f.path)
	if err != nil {
		f.options.Changed(len(f.current.Load().neurons), err)
		return
	}
	f.current.Store(t)
	f.options.Changed(len(t.neurons), nil)
}

func (f *File) log(neurons int, err error) {
	if err != nil {
		slog.Error("the metagraph file changed and cannot be used; the neurons before it stay", "neurons", neurons, "error", err)
		return
	}
	slog.Info("the metagraph file changed", "file", f.path, "neurons", neurons)
}

func look(path string) state {
	info, err := os.Stat(path)
	if err != nil {
		return state{missing: err.Error()}
	}
	return state{modified: info.ModTime(), size: info.Size(), info: info}
}

func read(path string) (*table, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read metagraph: %w", err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrFile, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read metagraph: %w", err)
	}
	defer func() { _ = file.Close() }()
	neurons, err := Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return newTable(neurons), nil
}
