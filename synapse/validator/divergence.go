package validator

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"axon/kernels"
	"axon/synapse"
)

const (
	// leastDeviation is added to a standard deviation before dividing by it.
	leastDeviation = 1e-9
	// maxExcess is the largest excess.
	maxExcess = 10
)

// diverge measures how far each server's distribution of the first token is from
// the mean of all, for those that have one. For each text
//
//	d = √(½ Σ (√p − √mean)²)
//	excess = min(10, (max(0, d − (m + s)) / (s + 1e-9))³)
//
// where p are the masses of first tokens (without the floors, so that they sum up to
// less than 1), m is the mean of the servers' d and s their standard deviation
// (with n − 1: NaN for one server). Divergence and excess are means over the texts.
//
// [kernels.Hellinger] is another distance: it has the rest spread over all tokens.
func diverge(servers []server) {
	var list []server
	for _, s := range servers {
		if s.answer != nil && s.answer.tokens != nil {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return
	}
	texts := len(list[0].answer.tokens)
	for _, s := range list {
		s.Divergence, s.Excess = 0, 0
	}
	for _, distances := range measureTexts(list, texts) {
		limit, deviation := spread(distances)
		for i, s := range list {
			s.Divergence += distances[i] / float64(texts)
			s.Excess += excess(distances[i]-limit, deviation) / float64(texts)
		}
	}
}

// measureTexts gives each server's distance from the mean, text by text. A text is one
// goroutine's, and so the same to the last bit however many there are.
func measureTexts(list []server, texts int) [][]float64 {
	all := make([][]float64, texts)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(texts, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			m := newMeter()
			for text := int(next.Add(1)) - 1; text < texts; text = int(next.Add(1)) - 1 {
				all[text] = m.distances(list, text)
			}
		})
	}
	workers.Wait()
	return all
}

// spread returns the mean and one standard deviation more, and the deviation.
func spread(distances []float64) (limit, deviation float64) {
	m := mean(distances)
	squares := 0.0
	for _, d := range distances {
		squares += (d - m) * (d - m)
	}
	deviation = math.Sqrt(squares / float64(len(distances)-1))
	return m + deviation, deviation
}

func excess(over, deviation float64) float64 {
	multiple := max(over, 0) / (deviation + leastDeviation)
	return min(multiple*multiple*multiple, maxExcess)
}

// meter compares distributions over the network's tokens. It holds three rows of
// them, whatever the number of servers.
type meter struct {
	mean, own row
	roots     []float64 // of the mean's masses
}

func newMeter() *meter {
	return &meter{newRow(), newRow(), make([]float64, synapse.NetworkVocabulary)}
}

// distances are each server's from the mean of all.
func (m *meter) distances(list []server, text int) []float64 {
	m.mean.clear()
	for _, s := range list {
		m.mean.add(s.answer.tokens[text])
	}
	whole := 0.0
	for _, t := range m.mean.tokens {
		m.mean.mass[t] /= float64(len(list))
		whole += m.mean.mass[t]
		m.roots[t] = math.Sqrt(m.mean.mass[t])
	}
	distances := make([]float64, len(list))
	for i, s := range list {
		m.own.clear()
		m.own.add(s.answer.tokens[text])
		distances[i] = m.distance(whole)
	}
	return distances
}

// distance goes through the server's tokens. Of the others the mean alone
// counts: what is left of its whole. Servers that name the same tokens in the same
// order add up in the same order, so that nothing is left for them.
func (m *meter) distance(whole float64) float64 {
	squares, common := 0.0, 0.0
	for _, t := range m.own.tokens {
		root := math.Sqrt(m.own.mass[t]) - m.roots[t]
		squares += root * root
		common += m.mean.mass[t]
	}
	return math.Sqrt((squares + max(whole-common, 0)) / 2)
}

// row is a mass for each token of the network, and those that have one.
type row struct {
	mass   []float64
	tokens []int32
}

func newRow() row { return row{mass: make([]float64, synapse.NetworkVocabulary)} }

func (r *row) clear() {
	for _, t := range r.tokens {
		r.mass[t] = 0
	}
	r.tokens = r.tokens[:0]
}

func (r *row) add(entries []kernels.Entry) {
	for _, e := range entries {
		if e.Value == 0 {
			continue
		}
		if r.mass[e.Index] == 0 {
			r.tokens = append(r.tokens, e.Index)
		}
		r.mass[e.Index] += float64(e.Value)
	}
}
