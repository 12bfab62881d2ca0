// Package client asks servers of the network: it keeps connections, signs requests,
// sends one question to many endpoints at once, and reads the replies. What the
// reference calls a dendrite, with its receptors, is a [Client] here.
//
// It knows nothing of what is asked: questions and answers are package synapse's. Nor
// does it know which endpoints there are, or which of them to believe.
//
// A server is not trusted. A reply is no larger than what was asked can make it, holds
// no more parts than were asked for, and takes no longer than its time-out; what is wrong
// with one becomes a fault with the return code that the reference's client gives it.
//
// Start reading at [Client.Forward]; connection.go explains why requests to one endpoint
// have several signers.
package client
