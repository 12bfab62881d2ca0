package server

import (
	"context"
	"errors"

	"axon/synapse"
	"axon/synapse/wire"
)

// What a server of the reference says.
const (
	messageTimeout   = "Request reached timeout"
	messageException = "Exception on Server"
	messageCheck     = "Synapse Check Failed"
)

// told are the errors whose words are for the caller, and the codes that go with them.
var told = []struct {
	err  error
	code wire.ReturnCode
}{
	{errFull, wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL},
	{ErrBusy, wire.ReturnCode_RETURN_CODE_NUCLEUS_FULL},
	{ErrTooLong, wire.ReturnCode_RETURN_CODE_REQUEST_SHAPE_EXCEPTION},
	{ErrInvalid, wire.ReturnCode_RETURN_CODE_INVALID_REQUEST},
	{ErrUnsupported, wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED},
}

// faultOf is what an item's caller learns of an error. Of the server's own faults
// that is nothing.
func faultOf(err error) *synapse.Fault {
	var fault *synapse.Fault
	if errors.As(err, &fault) {
		return fault
	}
	for _, t := range told {
		if errors.Is(err, t.err) {
			return &synapse.Fault{Code: t.code, Message: err.Error()}
		}
	}
	if ended(err) {
		return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_TIMEOUT, Message: messageTimeout}
	}
	return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, Message: messageException}
}

// faultOfEncoding is the same for an answer that could not be encoded.
func faultOfEncoding(err error) *synapse.Fault {
	if fault := faultOf(err); fault.Message != messageException {
		return fault
	}
	return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION, Message: messageException}
}

// refusedTask is the fault of an item that the policy does not let its caller ask.
func refusedTask(err error) *synapse.Fault {
	return synapse.Faultf(wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, "%s: %v", messageCheck, err)
}

// ended reports whether the time was up, or the caller had gone.
func ended(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// mayBeOfOne reports whether an error with which several items failed together may be the
// fault of one of them.
func mayBeOfOne(err error) bool {
	return err != nil && !ended(err) && !errors.Is(err, errFull) && !errors.Is(err, ErrBusy)
}

// note counts and logs what the caller is not told.
func (s *Server) note(err error) {
	if errors.Is(err, errFull) {
		s.metrics.full.Inc()
	}
	if faultOf(err).Message == messageException && !errors.Is(err, errPanic) {
		s.options.Logger.Error("a request could not be answered", "error", err)
	}
}
