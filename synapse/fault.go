package synapse

import (
	"fmt"

	"axon/synapse/wire"
)

// Fault is why a synapse was not answered: a return code and words for whoever
// asked. It names no secret and repeats nothing that a peer sent at length.
type Fault struct {
	Code    wire.ReturnCode
	Message string
}

// Error is the message.
func (f *Fault) Error() string { return f.Message }

// Faultf makes a fault.
func Faultf(code wire.ReturnCode, format string, args ...any) *Fault {
	return &Fault{code, fmt.Sprintf(format, args...)}
}
