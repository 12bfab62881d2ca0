// Package synapse is the protocol's nouns: tensors and how they are serialised.
// The synapses themselves are to come. It knows neither the engine nor the network.
//
// Start reading at [Tensor] and [Decode].
package synapse
