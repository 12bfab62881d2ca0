package server

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that ours is built on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"axon/synapse/wire"
)

// outgoing is an answer on its way. grpc takes an answer at once, however large, and
// keeps it until the peer lets it be written: whether that has happened it tells only
// the pool that it gives the memory back to. So an answer is its own pool.
type outgoing struct {
	message *wire.TensorMessage
	bytes   int
	gone    chan struct{} // closed when grpc holds nothing of it any more
}

func newOutgoing(m *wire.TensorMessage) *outgoing {
	return &outgoing{message: m, gone: make(chan struct{})}
}

// Get is not called: nothing is taken from this pool.
func (o *outgoing) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

// Put takes the answer's bytes back, once.
func (o *outgoing) Put(*[]byte) { close(o.gone) }

func (o *outgoing) marshal() (mem.BufferSlice, error) {
	data, err := proto.Marshal(o.message)
	if err != nil {
		return nil, err
	}
	o.message, o.bytes = nil, len(data)
	if mem.IsBelowBufferPoolingThreshold(cap(data)) {
		close(o.gone) // what is this small does not come back
	}
	return mem.BufferSlice{mem.NewBuffer(&data, o)}, nil
}

// incoming is a request as it came. grpc would decode it before anybody can look at it.
type incoming struct{ body []byte }

// codec is protobuf's, and knows answers and requests.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal encodes a message.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if o, ok := v.(*outgoing); ok {
		return o.marshal()
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal decodes a message, and leaves a request as it is.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if in, ok := v.(*incoming); ok {
		in.body = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
