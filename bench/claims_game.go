package bench

import "math"

// game is what servers are worth together, as the network had it before it scored each of them
// alone: a set of servers is worth the loss of the mean of their distributions, the less the
// better, and an empty set that of a uniform guess. Copies of one server take part like
// everybody else.
type game struct {
	others [][]float64 // probabilities of what came, by each of the unlike servers
	copied []float64   // and by the one of which there are copies
	copies int         // beside the one itself
	empty  float64     // the worth of no server, −nats
}

// players is how many there are.
func (g *game) players() int { return len(g.others) + 1 + g.copies }

// values are the worth of every set: of the others those whose bits are set, and so many of
// the copied one.
func (g *game) values() [][]float64 {
	v := make([][]float64, 1<<len(g.others))
	sums := make([]float64, len(g.copied))
	for set := range v {
		clear(sums)
		size := 0
		for i, probs := range g.others {
			if set>>i&1 == 0 {
				continue
			}
			size++
			for j, p := range probs {
				sums[j] += p
			}
		}
		v[set] = make([]float64, g.copies+2)
		for k := range v[set] {
			v[set][k] = g.value(sums, k, size+k)
		}
	}
	return v
}

// value is the worth of servers that gave these sums, with k of the copied one beside them.
func (g *game) value(sums []float64, k, size int) float64 {
	if size == 0 {
		return g.empty
	}
	loss := 0.0
	for j, s := range sums {
		loss -= math.Log((s+float64(k)*g.copied[j])/float64(size) + 1e-40)
	}
	return -loss / float64(len(sums))
}

// removal is what is lost without a server: the others in their order, then a copied one. It
// is negative where all do better without.
func (g *game) removal(v [][]float64) []float64 {
	all := len(v) - 1
	worth := make([]float64, 0, len(g.others)+1)
	for i := range g.others {
		worth = append(worth, v[all][g.copies+1]-v[all&^(1<<i)][g.copies+1])
	}
	return append(worth, v[all][g.copies+1]-v[all][g.copies])
}

// shapley is what a server adds on average over all orders in which the servers may come
// (Shapley 1953), for the others in their order, then a copied one.
func (g *game) shapley(v [][]float64) []float64 {
	worth := make([]float64, len(g.others)+1)
	n := g.players()
	for set := range v {
		size := 0
		for i := range g.others {
			size += set >> i & 1
		}
		for k := range g.copies + 2 {
			for i := range g.others {
				if set>>i&1 == 0 {
					worth[i] += choose(g.copies+1, k) * orders(size+k, n) * (v[set|1<<i][k] - v[set][k])
				}
			}
			if k <= g.copies { // the one that comes is none of those k
				worth[len(g.others)] += choose(g.copies, k) * orders(size+k, n) * (v[set][k+1] - v[set][k])
			}
		}
	}
	return worth
}

// orders is the part of all orders of n in which a given set of some comes first, and then a
// given one: size!·(n − size − 1)!/n!.
func orders(size, n int) float64 { return 1 / (float64(n) * choose(n-1, size)) }

func choose(n, k int) float64 {
	c := 1.0
	for i := range k {
		c *= float64(n-i) / float64(i+1)
	}
	return c
}
