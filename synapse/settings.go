package synapse

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"axon/synapse/wire"
)

// marshal writes settings, fields in the order of their numbers, as the
// reference does.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // none of the settings has text, the one thing that cannot be written
		panic(err)
	}
	return b
}

// unmarshal reads settings. What the message does not know is left out.
func unmarshal(settings []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(settings, m); err != nil {
		return fmt.Errorf("%w: settings of %d bytes: %w", ErrDecode, len(settings), err)
	}
	return nil
}

// int32Of is the nearest number that fits a field.
func int32Of(n int) int32 { return int32(max(math.MinInt32, min(n, math.MaxInt32))) }

// codedSettings are settings that name all four serializers.
type codedSettings interface {
	GetForwardRequestSerializerType() wire.Serializer
	GetForwardResponseSerializerType() wire.Serializer
	GetBackwardRequestSerializerType() wire.Serializer
	GetBackwardResponseSerializerType() wire.Serializer
}

func codingOf(m codedSettings) Serializers {
	return Serializers{
		ForwardRequest: m.GetForwardRequestSerializerType(), ForwardResponse: m.GetForwardResponseSerializerType(),
		BackwardRequest: m.GetBackwardRequestSerializerType(), BackwardResponse: m.GetBackwardResponseSerializerType(),
	}
}
