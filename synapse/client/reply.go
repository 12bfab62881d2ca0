package client

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/wire"
)

// Reply is what became of a question to one endpoint.
type Reply struct {
	Endpoint Endpoint
	Results  []synapse.Result // one for each synapse; where there was no reply, all with the same fault
	Duration time.Duration    // from sending to having read; of what was never sent, zero
	BytesOut int              // of the messages, without headers
	BytesIn  int
}

// Fault is the first fault among the results, or nil when all were answered.
func (r Reply) Fault() *synapse.Fault {
	for _, result := range r.Results {
		if result.Fault != nil {
			return result.Fault
		}
	}
	return nil
}

// fail gives all results the same fault.
func (r *Reply) fail(f *synapse.Fault, synapses int) {
	r.Results = make([]synapse.Result, synapses)
	for i := range r.Results {
		r.Results[i].Fault = f
	}
}

// faultOf gives the error of a call the return code that the reference's client gives it.
func faultOf(err error) *synapse.Fault {
	words := err.Error()
	if s, ok := status.FromError(err); ok {
		words = s.Message()
	}
	words = printable(words)
	switch code := codeOf(err); code {
	case codes.DeadlineExceeded:
		return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_TIMEOUT, Message: words}
	case codes.Unavailable:
		return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_UNAVAILABLE, Message: words}
	case codes.Unauthenticated:
		return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_UNAUTHENTICATED, Message: words}
	default: // which the reference's codes do not tell apart
		return &synapse.Fault{Code: wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, Message: code.String() + ": " + words}
	}
}

func codeOf(err error) codes.Code {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return status.Code(err)
}

// maxMessage bounds the words of a server that are repeated.
const maxMessage = 1000 // bytes

// printable is a text of somebody else's, cut to a bearable length, without anything that
// a terminal would obey.
func printable(text string) string {
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
