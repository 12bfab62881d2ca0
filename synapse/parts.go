package synapse

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of a message that there are several of.
const (
	fieldTensors  = 5
	fieldSynapses = 9
)

// CheckParts refuses a message of more than so many tensors or synapses before it is
// decoded: an empty one takes two bytes on the wire and hundreds in memory. Errors wrap
// ErrLimit where they are too many, and ErrDecode where the bytes are no message.
func CheckParts(message []byte, most int) error {
	var tensors, synapses int
	for len(message) > 0 {
		field, _, n := protowire.ConsumeField(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrDecode, protowire.ParseError(n))
		}
		switch field {
		case fieldTensors:
			tensors++
		case fieldSynapses:
			synapses++
		}
		message = message[n:]
	}
	if max(tensors, synapses) > most {
		return fmt.Errorf("%w: %d synapses and %d tensors exceed %d of each", ErrLimit, synapses, tensors, most)
	}
	return nil
}
