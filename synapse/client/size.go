package client

import (
	"math"

	"axon/synapse"
)

const (
	numberSize = 8       // bytes of the widest number that a server may send
	replyRoom  = 1 << 16 // bytes for all that is no number: shapes, settings, words
)

// replySize is how many bytes a reply may have: as many as the answers that were asked
// for can take, and some room.
func replySize(b synapse.Batch, synapses []synapse.Synapse) int64 {
	size := int64(replyRoom)
	for _, s := range synapses {
		_, most := s.Numbers(b)
		if most > (math.MaxInt64-size)/numberSize-int64(len(s.Settings())) {
			return math.MaxInt64
		}
		size += most*numberSize + int64(len(s.Settings()))
	}
	return size
}
