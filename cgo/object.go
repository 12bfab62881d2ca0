package llama

import (
	"runtime"
	"sync"
)

// object counts the uses of one C object: one for its owner until Close, one
// for each running call, one for each object made from it. The C object is
// freed when the count reaches zero, so a Close during a call is safe.
type object struct {
	mu     sync.Mutex
	uses   int
	closed bool
	free   func()
	parent *object
}

// newObject registers a C object that free releases. A parent stays alive at
// least as long.
func newObject(parent *object, free func()) *object {
	if parent != nil {
		parent.mu.Lock()
		parent.uses++
		parent.mu.Unlock()
	}
	return &object{uses: 1, free: free, parent: parent}
}

// acquire keeps the object alive for a call; release must follow.
func (o *object) acquire() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	o.uses++
	return nil
}

func (o *object) release() {
	o.mu.Lock()
	o.uses--
	last := o.uses == 0
	o.mu.Unlock()
	if !last {
		return
	}
	o.free()
	if o.parent != nil {
		o.parent.release()
	}
}

// Close frees the C object as soon as no call uses it. It is idempotent and
// never fails; the error is there to satisfy io.Closer.
func (o *object) Close() error {
	o.mu.Lock()
	again := o.closed
	o.closed = true
	o.mu.Unlock()
	if !again {
		o.release()
	}
	return nil
}

// closeWhenLost closes the object should its owner be garbage collected: a
// safety net for programs that forgot to.
func closeWhenLost[T any](owner *T, o *object) {
	runtime.AddCleanup(owner, func(o *object) { _ = o.Close() }, o)
}
