package auth

import (
	"errors"
	"fmt"
	"sync"
)

// Limits bound a memory of nonces. A zero stands for the default.
type Limits struct {
	Senders     int  // remembered at once; default 8192
	Connections int  // of each sender; default 64
	NoSync      bool // leave it to the system when uses reach the disk: they outlive the process, and not a power cut
}

// Validate lists what is wrong with the limits.
func (l Limits) Validate() error {
	var faults []error
	if l.Senders < 0 {
		faults = append(faults, fmt.Errorf("%w: %d senders", ErrOptions, l.Senders))
	}
	if l.Connections < 0 {
		faults = append(faults, fmt.Errorf("%w: %d connections", ErrOptions, l.Connections))
	}
	return errors.Join(faults...)
}

func (l Limits) withDefaults() Limits {
	if l.Senders == 0 {
		l.Senders = 8192
	}
	if l.Connections == 0 {
		l.Connections = 64
	}
	return l
}

// Nonces remembers which nonces were used. It may be used by many goroutines.
//
// A use is written to the file, and the file to the disk, before it counts; whatever
// then stops the process, no nonce can be used twice. Uses that arrive while others are
// being written share the next write.
type Nonces struct {
	mu      sync.Mutex // guards what follows
	book    *book
	pending []byte // records that are not in the file yet
	queued  uint64 // number of records ever made
	failed  error  // why there are no more; once a write has failed, what the file holds is unknown

	io      sync.Mutex // held while writing; taken before mu
	journal *journal   // nil where nothing outlives the process
	written uint64     // number of records in the file
}

// NewNonces makes a memory that is lost with the process. It is for tests, and for
// servers whose hotkey is as short-lived.
func NewNonces(limits Limits) (*Nonces, error) {
	if err := limits.Validate(); err != nil {
		return nil, err
	}
	return &Nonces{book: newBook(limits.withDefaults())}, nil
}

// OpenNonces makes a memory that lives in a file, and reads what the file holds. One
// process at a time may have a file open, which a second file, ending in .lock, sees to.
func OpenNonces(path string, limits Limits) (*Nonces, error) {
	n, err := NewNonces(limits)
	if err != nil {
		return nil, err
	}
	if n.journal, err = openJournal(path, n.book); err != nil {
		return nil, fmt.Errorf("nonces in %s: %w", path, err)
	}
	return n, nil
}

// Close writes what is left and lets go of the file.
func (n *Nonces) Close() error {
	n.io.Lock()
	defer n.io.Unlock()
	err := n.write()
	n.mu.Lock()
	defer n.mu.Unlock()
	if errors.Is(n.failed, ErrClosed) {
		return nil
	}
	n.failed = ErrClosed
	if n.journal == nil {
		return err
	}
	return errors.Join(err, n.journal.close())
}

// check refuses a nonce that was used.
func (n *Nonces) check(u use) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refuse(u)
}

// use uses a nonce up, or refuses it. When it returns, the use is on the disk.
func (n *Nonces) use(u use) error {
	n.mu.Lock()
	if err := n.refuse(u); err != nil {
		n.mu.Unlock()
		return err
	}
	n.book.remember(u)
	n.queued++
	ticket := n.queued
	if n.journal != nil {
		n.pending = appendRecord(n.pending, record{kind: kindUse, use: u})
	}
	n.mu.Unlock()
	if n.journal == nil {
		return nil
	}
	return n.settle(ticket)
}

// refuse is called with mu held.
func (n *Nonces) refuse(u use) error {
	if n.failed != nil {
		return n.failed
	}
	if !n.book.fresh(u) {
		return &Refusal{ErrReplayed, messageReplayed}
	}
	return nil
}

// settle returns when the record with that number is in the file. Whoever comes first
// writes for all that wait.
func (n *Nonces) settle(ticket uint64) error {
	n.io.Lock()
	defer n.io.Unlock()
	if n.written >= ticket {
		return nil
	}
	return n.write()
}

// write brings all pending records into the file. It is called with io held.
func (n *Nonces) write() error {
	n.mu.Lock()
	batch, upTo, failed := n.pending, n.queued, n.failed
	n.pending = nil
	var snapshot []byte
	if failed == nil && n.journal != nil && n.journal.grown(n.book, len(batch)) {
		snapshot = snapshotOf(n.book) // which has the batch in it
	}
	n.mu.Unlock()

	if failed != nil || n.journal == nil {
		return failed
	}
	var err error
	if snapshot != nil {
		err = n.journal.replace(snapshot)
	} else {
		err = n.journal.append(batch)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrNonceFile, err)
		n.mu.Lock()
		n.failed = err
		n.mu.Unlock()
		return err
	}
	n.written = upTo
	return nil
}
