package metagraph

import "errors"

var (
	// ErrFile is returned for a file that is no metagraph, with the line where that shows.
	ErrFile = errors.New("unusable metagraph file")
	// ErrNeuron is returned for a neuron that cannot be written to a file.
	ErrNeuron = errors.New("invalid neuron")
)
