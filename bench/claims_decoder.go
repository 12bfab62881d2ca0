package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"axon/kernels"
	"axon/synapse"
)

// What a validator of the older way has to learn: the distribution of the next standard token
// from a server's hidden state. It is a softmax regression,
//
//	P(token | state) = (1 − unseen) · softmax(W·state)     for the tokens of the training texts
//	                 = unseen / (others)                    for each of the others
//
// fitted by Adam (arXiv:1412.6980) with decaying weights to the cross-entropy. It begins as the frequency of tokens,
// so that it never has to learn what counting tells, and unseen is how much of a text Good and
// Turing expect there (Good, Biometrika 40, 1953: tokens that came once, over all).
//
// gonum is there for its products of matrices, which are what training costs.

const (
	// decoderBatch is how many predictions a step learns from.
	decoderBatch = 256
	// decoderDecay is what weights other than the bias lose in each step, times the learning
	// rate (arXiv:1711.05101). Of 0, 1, 3 and 10 it is the best or second for 7,000 and 25,000
	// predictions, and takes 0.05 to 0.2 nats off the loss.
	decoderDecay = 1
)

// examples are hidden states with the tokens that came after them.
type examples struct {
	width  int
	states []float32 // width numbers each, the last one 1
	tokens []int32
}

func (e *examples) len() int { return len(e.tokens) }

func (e *examples) state(i int) []float32 { return e.states[i*e.width : (i+1)*e.width] }

// first are the first n examples.
func (e *examples) first(n int) *examples {
	return &examples{e.width, e.states[:n*e.width], e.tokens[:n]}
}

// matrix is rows × columns of numbers, which are used again where there are enough.
func matrix(m *blas32.General, rows, columns int) {
	if cap(m.Data) < rows*columns {
		m.Data = make([]float32, rows*columns)
	}
	m.Rows, m.Cols, m.Stride, m.Data = rows, columns, columns, m.Data[:rows*columns]
}

// decoder is a softmax regression.
type decoder struct {
	classes map[int32]int
	unseen  float64
	weights blas32.General // width × classes

	x, z, gradient blas32.General // scratch
	mean, square   []float32      // Adam's moments
	step           int
}

// newDecoder is one that knows the frequencies of tokens.
func newDecoder(e *examples) *decoder {
	counts := map[int32]int{}
	for _, t := range e.tokens {
		counts[t]++
	}
	d := &decoder{classes: make(map[int32]int, len(counts))}
	matrix(&d.weights, e.width, len(counts))
	matrix(&d.gradient, e.width, len(counts))
	once := 0
	for _, t := range sortedKeys(counts) {
		class := len(d.classes)
		d.classes[t] = class
		d.weights.Data[(e.width-1)*len(counts)+class] = float32(math.Log(float64(counts[t]) / float64(e.len())))
		if counts[t] == 1 {
			once++
		}
	}
	d.unseen = min(0.5, max(1, float64(once))/float64(e.len()))
	d.mean, d.square = make([]float32, len(d.weights.Data)), make([]float32, len(d.weights.Data))
	return d
}

func sortedKeys(m map[int32]int) []int32 {
	keys := make([]int32, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// logits are those of some examples, one row each.
func (d *decoder) logits(e *examples, places []int) blas32.General {
	matrix(&d.x, len(places), e.width)
	for i, p := range places {
		copy(d.x.Data[i*e.width:], e.state(p))
	}
	matrix(&d.z, len(places), d.weights.Cols)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, d.x, d.weights, 0, d.z)
	return d.z
}

// learn takes one step on examples whose tokens it knows.
func (d *decoder) learn(e *examples, places []int, rate float32) error {
	z := d.logits(e, places)
	for i, p := range places {
		row := z.Data[i*z.Stride : (i+1)*z.Stride]
		if err := kernels.Softmax(row, row); err != nil {
			return fmt.Errorf("the decoder does not converge: %w", err)
		}
		row[d.classes[e.tokens[p]]]--
	}
	blas32.Gemm(blas.Trans, blas.NoTrans, 1/float32(len(places)), d.x, z, 0, d.gradient)
	d.adam(rate)
	return nil
}

func (d *decoder) adam(rate float32) {
	const decay1, decay2, least = 0.9, 0.999, 1e-8
	d.step++
	bias := (d.weights.Rows - 1) * d.weights.Cols
	rate *= float32(math.Sqrt(1-math.Pow(decay2, float64(d.step))) / (1 - math.Pow(decay1, float64(d.step))))
	for i, g := range d.gradient.Data {
		m := decay1*d.mean[i] + (1-decay1)*g
		s := decay2*d.square[i] + (1-decay2)*g*g
		d.mean[i], d.square[i] = m, s
		change := m / (float32(math.Sqrt(float64(s))) + least)
		if i < bias {
			change += decoderDecay * d.weights.Data[i]
		}
		d.weights.Data[i] -= rate * change
	}
}

// epoch goes through the examples once, in random order.
func (d *decoder) epoch(e *examples, rnd *rand.Rand, rate float32) error {
	for places := range slices.Chunk(rnd.Perm(e.len()), decoderBatch) {
		if err := d.learn(e, places, rate); err != nil {
			return err
		}
	}
	return nil
}

// losses are those of examples, in nats. They may hold tokens that were not there to learn.
func (d *decoder) losses(e *examples) ([]float64, error) {
	seen, unseen := -math.Log(1-d.unseen), -math.Log(d.unseen)+math.Log(float64(synapse.StandardVocabulary-len(d.classes)))
	all := make([]int, e.len())
	for i := range all {
		all[i] = i
	}
	losses := make([]float64, 0, e.len())
	for places := range slices.Chunk(all, decoderBatch) {
		z := d.logits(e, places)
		for i, p := range places {
			class, known := d.classes[e.tokens[p]]
			if !known {
				losses = append(losses, unseen)
				continue
			}
			loss, err := kernels.CrossEntropy(z.Data[i*z.Stride:(i+1)*z.Stride], class)
			if err != nil {
				return nil, err
			}
			losses = append(losses, seen+loss)
		}
	}
	return losses, nil
}

// training is how a decoder was fitted.
type training struct {
	Rate   float32 `json:"learning_rate"`
	Epochs int     `json:"epochs"` // that the best weights took
}

// train fits a decoder. The learning rate is the one of several that does best on the
// validation examples after an epoch; it is halved when an epoch brings nothing, and the
// weights that were best there are kept.
func train(e, validation *examples, epochs int, seed func() *rand.Rand) (*decoder, training, error) {
	rate, err := bestRate(e, validation, seed)
	if err != nil {
		return nil, training{}, err
	}
	d, t := newDecoder(e), training{Rate: rate}
	best, err := d.meanLoss(validation)
	if err != nil {
		return nil, t, err
	}
	kept, rnd := slices.Clone(d.weights.Data), seed()
	for n, failures := 1, 0; n <= epochs && failures < 2; n++ {
		if err := d.epoch(e, rnd, rate); err != nil {
			return nil, t, err
		}
		loss, err := d.meanLoss(validation)
		if err != nil {
			return nil, t, err
		}
		if loss < best-1e-3 {
			best, t.Epochs = loss, n
			copy(kept, d.weights.Data)
			continue
		}
		failures++
		rate /= 2
		copy(d.weights.Data, kept)
	}
	copy(d.weights.Data, kept)
	return d, t, nil
}

func bestRate(e, validation *examples, seed func() *rand.Rand) (float32, error) {
	few, check := e.first(min(e.len(), 16*decoderBatch)), validation.first(min(validation.len(), 4*decoderBatch))
	best, least := float32(0), math.Inf(1)
	for _, rate := range []float32{0.003, 0.01, 0.03, 0.1} {
		d := newDecoder(few)
		if err := d.epoch(few, seed(), rate); err != nil {
			continue // too large a rate
		}
		loss, err := d.meanLoss(check)
		if err == nil && loss < least {
			best, least = rate, loss
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("%w: no learning rate converges", ErrClaims)
	}
	return best, nil
}

func (d *decoder) meanLoss(e *examples) (float64, error) {
	losses, err := d.losses(e)
	return Mean(losses), err
}
