// Package server is the axon: the gRPC service that answers a network's questions.
// It is thin. It checks who calls, waits in line for the model, has each text
// answered, and encodes.
//
// The package knows no engine: what answers is a [Model], one method. Nor does it
// know stake: that is asked of a [Policy]. It opens no port either, and reads no file:
// listeners are given to it.
//
// A call goes through these stages, each bounded in number and in time:
//
//	connection   listener.go   so many in all and of one host; idle ones end
//	stream       tap.go        so many on a connection; those of open services end soon
//	headers      check.go      the signature is checked before the body is read
//	body         call.go       received within a time, of a limited size
//	line         queue.go      by stake; the model has so many tokens at work
//	model        forward.go    synapses with equal inputs share one pass
//	answer       call.go       sent within a time
//
// Health and reflection are open to strangers; what the protocol offers is not.
//
// Start reading at [Server.Serve], and for what becomes of a call at call.go.
//
// client_golang is there for the metrics: it is Prometheus' own library, and what
// callers bring of their own counters is in its terms.
package server
