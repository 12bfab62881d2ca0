package bench

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"axon/engine"
	"axon/internal/enginevocab"
	"axon/internal/standard"
	"axon/synapse"
	"axon/synapse/translate"
)

// request is a batch of texts that is asked about.
type request struct {
	batch synapse.Batch
	own   []*ownText // the texts in the model's tokens; none where there is no model at hand
}

// texts makes batches that were never there before, so that nobody finds them in a
// cache: windows of a text, or random tokens. It may be used by many goroutines.
type texts struct {
	corpus []int32 // standard tokens; nil: random ones

	mu   sync.Mutex
	rand *rand.Rand
}

// newTexts takes windows from a text, or random tokens if it is empty.
func newTexts(text string, length int, seed uint64) (*texts, error) {
	t := &texts{rand: rand.New(rand.NewPCG(seed, 1))}
	if text == "" {
		return t, nil
	}
	v, err := standard.Vocab()
	if err != nil {
		return nil, err
	}
	if t.corpus, err = v.Tokenize(text, false, false); err != nil {
		return nil, err
	}
	if len(t.corpus) < 2*length {
		return nil, fmt.Errorf("a text of %d tokens is too short for windows of %d; %d at least", len(t.corpus), length, 2*length)
	}
	return t, nil
}

func (t *texts) batch(count, length int) synapse.Batch {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := synapse.Batch{Texts: count, Length: length}
	for range count {
		b.Tokens = append(b.Tokens, t.window(length)...)
	}
	return b
}

func (t *texts) window(length int) []int32 {
	if t.corpus != nil {
		at := t.rand.IntN(len(t.corpus) - length + 1)
		return t.corpus[at : at+length]
	}
	list := make([]int32, length)
	for i := range list {
		list[i] = t.rand.Int32N(standard.EndOfText)
	}
	return list
}

// reader turns standard tokens into a model's own.
type reader struct {
	pair  *translate.Pair
	start []engine.Token
}

func newReader(m *engine.Model) (*reader, error) {
	std, err := standard.Vocab()
	if err != nil {
		return nil, err
	}
	r := new(reader)
	if v := m.Vocab(); v.AddBOS && v.BOS >= 0 {
		r.start = []engine.Token{v.BOS}
	}
	r.pair, err = translate.NewPair(enginevocab.New(m.Vocab()), enginevocab.New(std))
	return r, err
}

// requests makes so many, ready for the engine as well.
func (r *reader) requests(t *texts, s ServeTest, count int) ([]request, error) {
	list := make([]request, count)
	for i := range list {
		list[i].batch = t.batch(s.Texts, s.Length)
		if r == nil {
			continue
		}
		for n := range s.Texts {
			own, err := r.own(list[i].batch.Text(n))
			if err != nil {
				return nil, err
			}
			list[i].own = append(list[i].own, own)
		}
	}
	return list, nil
}

func (r *reader) own(tokens []int32) (*ownText, error) {
	translated, err := r.pair.Prepare(tokens, translate.Exact)
	if err != nil {
		return nil, err
	}
	return &ownText{append(append([]engine.Token{}, r.start...), translated.Tokens()...), len(r.start)}, nil
}
