package simnet

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"axon/kernels"
	"axon/synapse"
)

// The masses of what may follow fall as those of words do (Zipf's law): with these
// exponent and offset the entropy is 4.6 nats, near what models of some millions of
// parameters lose.
const (
	zipfExponent = 1.35
	zipfOffset   = 1.5
)

// language is the law of texts: what follows a token depends on it alone. All tokens have
// the same masses behind them, each in an order of its own.
type language struct {
	seed uint64
	mass []float64 // by rank; they sum up to 1
	upTo []float64 // sums of them
}

func newLanguage(seed uint64) *language {
	l := &language{seed: seed, mass: make([]float64, synapse.StandardVocabulary), upTo: make([]float64, synapse.StandardVocabulary)}
	total := 0.0
	for r := range l.mass {
		l.mass[r] = math.Pow(float64(r)+zipfOffset, -zipfExponent)
		total += l.mass[r]
	}
	sum := 0.0
	for r := range l.mass {
		l.mass[r] /= total
		sum += l.mass[r]
		l.upTo[r] = sum
	}
	return l
}

// truth is the mind of the language itself; servers' are 0 and above.
const truth = -1

// order is the order in which a mind has what follows a token.
func (l *language) order(mind int, last int32) order {
	r := rand.New(rand.NewPCG(l.seed, uint64(mind)<<32^uint64(last))) //nolint:gosec // any bits will do
	o := order{first: r.Int64N(synapse.StandardVocabulary)}
	for o.factor%primes[0] == 0 || o.factor%primes[1] == 0 {
		o.factor = r.Int64N(synapse.StandardVocabulary)
	}
	o.inverse = inverse(o.factor)
	return o
}

// window draws a text.
func (l *language) window(chance *rand.Rand, length int) []int32 {
	tokens := make([]int32, length)
	last := chance.Int32N(synapse.StandardVocabulary)
	for i := range tokens {
		rank, _ := slices.BinarySearch(l.upTo, chance.Float64())
		last = l.order(truth, last).token(min(rank, len(l.upTo)-1))
		tokens[i] = last
	}
	return tokens
}

// expect is what a mind with so much knowledge expects behind a token: the k likeliest, in
// descending order, as far as they are among the first k of the truth or of its own.
func (l *language) expect(mind int, knowledge float64, last int32, k int) kernels.Sparse {
	own, facts := l.order(mind, last), l.order(truth, last)
	top := make([]kernels.Entry, 0, 2*k)
	for r := range k {
		token := facts.token(r)
		top = append(top, kernels.Entry{Index: token, Value: l.mixed(knowledge, r, own.rank(token))})
		if token = own.token(r); facts.rank(token) >= k {
			top = append(top, kernels.Entry{Index: token, Value: l.mixed(knowledge, facts.rank(token), r)})
		}
	}
	slices.SortFunc(top, func(a, b kernels.Entry) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Index, b.Index))
	})
	top = top[:k]
	rest := 1.0
	for _, e := range top {
		rest -= math.Exp(float64(e.Value))
	}
	return kernels.Sparse{Entries: top, Rest: float32(math.Log(max(rest, 1e-9)))}
}

// mixed is the log-probability of what has these ranks in truth and in the mind's own order.
func (l *language) mixed(knowledge float64, facts, own int) float32 {
	return float32(math.Log(knowledge*l.mass[facts] + (1-knowledge)*l.mass[own]))
}

// primes are those whose product is the number of standard tokens.
var primes = [2]int64{29, 1733}

// order is a permutation of the standard tokens without a table: multiplication by a number
// that has no prime in common with theirs.
type order struct{ factor, inverse, first int64 }

func (o order) token(rank int) int32 {
	return int32((o.first + o.factor*int64(rank)) % synapse.StandardVocabulary) //nolint:gosec // a token
}

func (o order) rank(token int32) int {
	return int((int64(token) - o.first + synapse.StandardVocabulary) * o.inverse % synapse.StandardVocabulary)
}

// inverse is that of a factor modulo the number of tokens, by Euler's theorem.
func inverse(factor int64) int64 {
	product := int64(1)
	for e := (primes[0]-1)*(primes[1]-1) - 1; e > 0; e >>= 1 {
		if e&1 == 1 {
			product = product * factor % synapse.StandardVocabulary
		}
		factor = factor * factor % synapse.StandardVocabulary
	}
	return product
}
