package client

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"axon/synapse"
	"axon/synapse/wire"
)

// bytesCodec leaves messages as they are: a question to many endpoints is marshalled
// once, and a reply is looked at before it is unmarshalled.
type bytesCodec struct{}

// Name is that of the codec whose bytes these are.
func (bytesCodec) Name() string { return "proto" }

// Marshal gives the bytes, which must not be changed while a request is on its way.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a message of type %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal copies the bytes.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	to, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("a message into the type %T", v)
	}
	*to = data.Materialize()
	return nil
}

// unmarshal reads a reply to a number of synapses.
func unmarshal(b []byte, asked int) (*wire.TensorMessage, *synapse.Fault) {
	m := new(wire.TensorMessage)
	err := synapse.CheckParts(b, asked)
	if err == nil {
		err = proto.Unmarshal(b, m)
	}
	switch {
	case errors.Is(err, synapse.ErrLimit):
		return nil, synapse.Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "the reply has more than was asked for: %v", err)
	case err != nil:
		return nil, synapse.Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION, "the reply is no message: %v", err)
	}
	return m, nil
}
