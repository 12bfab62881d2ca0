package server

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"
)

// door counts connections, in all and by host, and turns away those that are too many.
// They are closed at once, not left waiting: whoever holds connections open keeps
// nobody out but those of the same host, until all are taken.
type door struct {
	limit, perHost int
	idle           time.Duration
	refused        func()

	mu    sync.Mutex
	total int
	hosts map[netip.Prefix]int
}

func newDoor(o Options, refused func()) *door {
	return &door{limit: o.Connections, perHost: o.PerHost, idle: o.Idle + idleGrace, refused: refused, hosts: make(map[netip.Prefix]int)}
}

func (d *door) enter(host netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total >= d.limit || d.hosts[host] >= d.perHost {
		return false
	}
	d.total++
	d.hosts[host]++
	return true
}

func (d *door) leave(host netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if d.hosts[host]--; d.hosts[host] == 0 {
		delete(d.hosts, host)
	}
}

func (d *door) open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}

// hostOf is what counts as one host: an address, or with version 6 the 64 bits that one
// customer is given. Connections that have no such address count as one host.
func hostOf(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	addr := ap.Addr().Unmap()
	if addr.Is4() {
		return netip.PrefixFrom(addr, 32)
	}
	prefix, _ := addr.WithZone("").Prefix(64) // in range
	return prefix
}

// listener gives connections that the door let in.
type listener struct {
	net.Listener
	door *door
}

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if host := hostOf(c.RemoteAddr()); l.door.enter(host) {
			return newConn(c, l.door, host), nil
		}
		l.door.refused()
		_ = c.Close() // it was never used
	}
}

// idleGrace is how much longer than grpc we wait before we close an idle connection:
// grpc says good-bye first, and does not see that calls are over whose answers are
// never fetched.
var idleGrace = 30 * time.Second

// conn is a connection, and what is known about it.
type conn struct {
	net.Conn
	proven   atomic.Bool   // its last check proved a caller
	checking chan struct{} // held while a check of it waits or runs, unless it is proven
	closed   func() error

	mu    sync.Mutex
	calls int
	ended bool
	idle  *time.Timer // runs while there are no calls
	limit time.Duration
}

func newConn(raw net.Conn, d *door, host netip.Prefix) *conn {
	c := &conn{Conn: raw, checking: make(chan struct{}, 1), limit: d.idle}
	c.closed = sync.OnceValue(func() error {
		d.leave(host)
		return raw.Close()
	})
	c.mu.Lock() // which Close takes, however soon
	defer c.mu.Unlock()
	c.idle = time.AfterFunc(d.idle, func() { _ = c.Close() })
	return c
}

// Close ends the connection and everything on it.
func (c *conn) Close() error {
	c.mu.Lock()
	c.ended = true
	c.idle.Stop()
	c.mu.Unlock()
	return c.closed()
}

// begin and end surround each call.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.idle.Stop()
}

func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls--; c.calls == 0 && !c.ended {
		c.idle.Reset(c.limit)
	}
}

// RemoteAddr is the peer's, and leads back to the connection: an address is all that
// grpc tells a call about where it came from.
func (c *conn) RemoteAddr() net.Addr { return connAddr{c.Conn.RemoteAddr(), c} }

type connAddr struct {
	net.Addr
	conn *conn
}

// connOf is the connection that a call came over.
func connOf(ctx context.Context) *conn {
	p, _ := peer.FromContext(ctx) // grpc's server sets it for every call
	return p.Addr.(connAddr).conn // all our listeners give these
}
