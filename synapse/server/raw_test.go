package server_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"axon/synapse/auth"
	"axon/synapse/wire"
)

// raw is a peer that speaks HTTP/2 frame by frame, and so as no library would.
type raw struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	header bytes.Buffer
	hpack  *hpack.Encoder
	next   uint32

	mu     sync.Mutex
	status map[uint32]string        // grpc-status of streams that were answered with one
	reset  map[uint32]http2.ErrCode // streams that were reset
	done   chan struct{}            // closed when the server has closed the connection
}

// rawPeer connects and greets.
func rawPeer(t *testing.T, address string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	r := &raw{
		t: t, conn: conn, framer: http2.NewFramer(conn, conn), next: 1,
		status: make(map[uint32]string), reset: make(map[uint32]http2.ErrCode), done: make(chan struct{}),
	}
	r.hpack = hpack.NewEncoder(&r.header)
	r.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, r.framer.WriteSettings())
	go r.read()
	t.Cleanup(func() {
		conn.Close()
		<-r.done
	})
	return r
}

func (r *raw) read() {
	defer close(r.done)
	for {
		frame, err := r.framer.ReadFrame()
		if err != nil {
			return
		}
		r.mu.Lock()
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if h.Name == "grpc-status" {
					r.status[f.StreamID] = h.Value
				}
			}
		case *http2.RSTStreamFrame:
			r.reset[f.StreamID] = f.ErrCode
		}
		r.mu.Unlock()
	}
}

// open begins a call with the given headers and leaves its body to come.
func (r *raw) open(path string, headers map[string][]string) uint32 {
	r.t.Helper()
	id := r.next
	r.next += 2
	r.header.Reset()
	write := func(name, value string) {
		require.NoError(r.t, r.hpack.WriteField(hpack.HeaderField{Name: name, Value: value}))
	}
	write(":method", "POST")
	write(":scheme", "http")
	write(":path", path)
	write(":authority", "axon")
	write("content-type", "application/grpc")
	write("te", "trailers")
	for name, values := range headers {
		for _, v := range values {
			write(name, v)
		}
	}
	require.NoError(r.t, r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.header.Bytes(), EndHeaders: true}))
	return id
}

func (r *raw) forward(p *peer) uint32 {
	r.t.Helper()
	return r.open(auth.MethodForward, p.headers(auth.Forward))
}

// statusOf is the status that a call was answered with, if it was.
func (r *raw) statusOf(id uint32) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status[id]
}

func (r *raw) wasReset(id uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.reset[id]
	return ok
}

func (r *raw) refused() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, code := range r.reset {
		if code == http2.ErrCodeRefusedStream {
			n++
		}
	}
	return n
}

// closed reports whether the server has closed the connection.
func (r *raw) closed() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// framed is a message as gRPC sends it: not compressed, and its length.
func framed(t *testing.T, m *wire.TensorMessage) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(data))), data...)
}
