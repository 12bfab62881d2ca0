package auth

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
)

// The memory of nonces holds, for each sender, the last nonce of each of its connections,
// that is of each receptor id. It is bounded, so it must forget, and yet nothing that it
// forgets may be accepted again. Forgetting a connection therefore raises a floor that
// only connections above it may cross to become known (again):
//
//   - A receptor id that carries a time is never taken again once a connection of its time
//     or a later one was forgotten. Clients make a new id for a new connection, so what
//     a client does next is above the floor, even after its machine, whose uptime the
//     nonces count, has started anew.
//   - A receptor id without a time comes back with a nonce above all those forgotten.
//
// The floor is the sender's own, so that nobody's floor moves by what others do; and the
// least recently used connection is the one to go. Whole senders, too, are forgotten,
// least recently used first, and raise the floor that every unknown sender starts from.
// A sender can claim a time a little ahead of ours (clockSkew) and no more, so where the
// senders are more than the limit, and some of them hostile, a sender that was forgotten
// waits no longer than that. Where callers are admitted by a metagraph, senders are no
// more than it has neurons.

// connection is what nonces are counted for. The receptor id is hashed, to one length.
type connection struct {
	sender PublicKey
	id     [16]byte
}

// use is one use of a nonce.
type use struct {
	sender PublicKey
	mark
}

// mark is the last nonce of a connection.
type mark struct {
	id    [16]byte
	nonce Nonce
	timed bool
	time  uint64 // of the receptor id, in ticks; zero unless timed
}

func newUse(sender PublicKey, receptor string, nonce Nonce) use {
	sum := sha256.Sum256([]byte(receptor))
	ticks, timed := receptorTime(receptor)
	return use{sender, mark{[16]byte(sum[:16]), nonce, timed, ticks}}
}

func (u use) connection() connection { return connection{u.sender, u.id} }

// floor is what an unknown connection must reach.
type floor struct {
	time  uint64
	nonce Nonce
}

// admits reports whether the mark's connection cannot have been forgotten with this nonce.
func (f floor) admits(m mark) bool {
	if m.timed {
		return m.time >= f.time
	}
	return m.nonce.Compare(f.nonce) >= 0
}

// raise moves the floor above a connection that is forgotten.
func (f *floor) raise(m mark) {
	if m.timed {
		f.lift(floor{time: m.time + 1})
	} else {
		f.lift(floor{nonce: m.nonce.next()})
	}
}

// lift moves the floor to another, where that is higher.
func (f *floor) lift(g floor) {
	f.time = max(f.time, g.time)
	if g.nonce.Compare(f.nonce) > 0 {
		f.nonce = g.nonce
	}
}

// sender is what is known of one.
type sender struct {
	marks []mark // least recently used first
	floor floor
	used  uint64 // the book's count at the last use
}

func (s *sender) find(m mark) int {
	return slices.IndexFunc(s.marks, func(known mark) bool { return known.id == m.id })
}

// book is the memory itself. Its state depends on nothing but the uses it was told of, in
// their order: that is how it comes back from a file.
type book struct {
	limits  Limits
	senders map[PublicKey]*sender
	floor   floor // where unknown senders start
	count   uint64
	marks   int // of all senders
}

func newBook(limits Limits) *book {
	return &book{limits: limits, senders: make(map[PublicKey]*sender)}
}

// fresh reports whether a nonce was never used.
func (b *book) fresh(u use) bool {
	s := b.senders[u.sender]
	if s == nil {
		return b.floor.admits(u.mark)
	}
	if i := s.find(u.mark); i >= 0 {
		return u.nonce.Compare(s.marks[i].nonce) > 0
	}
	return s.floor.admits(u.mark)
}

// remember makes the nonce, and those below it, used.
func (b *book) remember(u use) {
	s := b.touch(u.sender)
	m := u.mark
	if i := s.find(m); i >= 0 {
		if known := s.marks[i].nonce; known.Compare(m.nonce) > 0 {
			m.nonce = known
		}
		s.marks = slices.Delete(s.marks, i, i+1)
		b.marks--
	} else if len(s.marks) >= b.limits.Connections {
		s.floor.raise(s.marks[0])
		s.marks = slices.Delete(s.marks, 0, 1)
		b.marks--
	}
	s.marks = append(s.marks, m)
	b.marks++
}

// raiseFloor lifts the floor of one sender.
func (b *book) raiseFloor(key PublicKey, f floor) { b.touch(key).floor.lift(f) }

// touch finds a sender, or makes room for a new one, and notes that it was used.
func (b *book) touch(key PublicKey) *sender {
	s := b.senders[key]
	if s == nil {
		if len(b.senders) >= b.limits.Senders {
			b.forget()
		}
		s = &sender{floor: b.floor}
		b.senders[key] = s
	}
	b.count++
	s.used = b.count
	return s
}

// forget drops the sender that was used least recently, and raises the floor by all that
// was known of it. A search among all takes about as long as checking a signature.
func (b *book) forget() {
	var oldest PublicKey
	var s *sender
	for key, candidate := range b.senders {
		if s == nil || candidate.used < s.used {
			oldest, s = key, candidate
		}
	}
	b.floor.lift(s.floor)
	for _, m := range s.marks {
		b.floor.raise(m)
	}
	b.marks -= len(s.marks)
	delete(b.senders, oldest)
}

// byUse gives the senders, least recently used first.
func (b *book) byUse() []PublicKey {
	return slices.SortedFunc(maps.Keys(b.senders), func(x, y PublicKey) int {
		return cmp.Compare(b.senders[x].used, b.senders[y].used)
	})
}
