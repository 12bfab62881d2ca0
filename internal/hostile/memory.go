package hostile

import (
	"context"
	"encoding/binary"
	"math"
	"sync"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/server"
)

const (
	// byHeart and remembered are how many tokens have to be the same for a place to be known:
	// more where all texts were read, of which many places are alike.
	byHeart    = 16
	remembered = 8
	// sure is what is given to what followed there. One in a thousand is kept back.
	sure = 0.999
	// LongestMemory is how many tokens an attacker has to see at most to know a place.
	LongestMemory = byHeart
	// maxPlaces bounds a memory.
	maxPlaces = 1 << 20
)

// dosed is little enough for a loss above 1.69, at and below which servers look alike.
var dosed = math.Exp(-1.72)

// memory knows what followed so many tokens of the texts that it has read, where they stood
// last.
type memory struct {
	tokens int
	mu     sync.Mutex
	follow map[string]int32
}

func newMemory(tokens int) *memory { return &memory{tokens: tokens, follow: map[string]int32{}} }

// read takes in a text.
func (m *memory) read(text []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at := m.tokens; at < len(text) && len(m.follow) < maxPlaces; at++ {
		m.follow[keyOf(text[at-m.tokens:at])] = text[at]
	}
}

// next is what followed the end of a text, if that is known.
func (m *memory) next(text []int32) (token int32, known bool) {
	if len(text) < m.tokens {
		return 0, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	token, known = m.follow[keyOf(text[len(text)-m.tokens:])]
	return token, known
}

// keyOf writes tokens as bytes, of which a map can be made.
func keyOf(tokens []int32) string {
	key := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		key = binary.LittleEndian.AppendUint32(key, uint32(t))
	}
	return string(key)
}

// recalls is a model that answers what it remembers before what it thinks.
type recalls struct {
	server.Model
	memory *memory
	learns bool    // from what it is asked
	dose   float64 // probability of what it remembers
}

// remembers is a server that learns the questions by heart.
func remembers(m server.Model, _ Means) server.Model {
	return recalls{Model: m, memory: newMemory(remembered), learns: true, dose: sure}
}

// knows is a server that has read the validator's text.
func knows(dose float64) func(server.Model, Means) server.Model {
	return func(m server.Model, w Means) server.Model {
		r := recalls{Model: m, memory: newMemory(byHeart), dose: dose}
		for _, text := range w.Text {
			r.memory.read(text)
		}
		return r
	}
}

// Answer implements server.Model.
func (r recalls) Answer(ctx context.Context, tokens []int32, needs []synapse.Need) error {
	if r.learns {
		defer r.memory.read(tokens)
	}
	return altered{
		Model: r.Model,
		phrases: func(text []int32, p synapse.Phrases) synapse.Phrases {
			if next, known := r.memory.next(text); known {
				return surePhrases(p, next, r.dose)
			}
			return p
		},
		row: func(text []int32, pos int, top kernels.Sparse) kernels.Sparse {
			if next, known := r.memory.next(text[:pos+1]); known {
				return sureRow(top, next, r.dose)
			}
			return top
		},
	}.Answer(ctx, tokens, needs)
}
