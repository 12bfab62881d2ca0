package client

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
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

// The fields of a message that there are several of.
const (
	fieldTensors  = 5
	fieldSynapses = 9
)

// unmarshal reads a reply to a number of synapses. Its parts are counted first: an empty
// one takes two bytes on the wire and hundreds in memory.
func unmarshal(b []byte, asked int) (*wire.TensorMessage, *synapse.Fault) {
	unreadable := func(err error) (*wire.TensorMessage, *synapse.Fault) {
		return nil, synapse.Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION, "the reply is no message: %v", err)
	}
	var tensors, answers int
	for rest := b; len(rest) > 0; {
		field, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			return unreadable(protowire.ParseError(n))
		}
		switch field {
		case fieldTensors:
			tensors++
		case fieldSynapses:
			answers++
		}
		rest = rest[n:]
	}
	if max(tensors, answers) > asked {
		return nil, synapse.Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION,
			"a reply of %d synapses and %d tensors exceeds the %d asked for", answers, tensors, asked)
	}
	m := new(wire.TensorMessage)
	if err := proto.Unmarshal(b, m); err != nil {
		return unreadable(err)
	}
	return m, nil
}
