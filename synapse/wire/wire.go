// Package wire is the network's protobuf and gRPC, generated from
// bittensor.proto, which is wire-compatible with release 3.7.0.
package wire

//go:generate go run -C _generate .
