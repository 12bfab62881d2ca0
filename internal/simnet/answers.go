package simnet

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/wire"
)

// answers makes the bytes that each mind answers to a question with.
func (n *Network) answers(question *wire.TensorMessage) ([][]byte, error) {
	all := make([][]byte, n.options.Minds)
	errs := make([]error, len(all))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for mind := int(next.Add(1)) - 1; mind < len(all); mind = int(next.Add(1)) - 1 {
				all[mind], errs[mind] = n.answer(mind, question)
			}
		})
	}
	workers.Wait()
	return all, cmp.Or(errs...)
}

// limits are wide: the network takes what its caller can ask for.
var limits = synapse.Limits{Texts: 1 << 12, Length: 1 << 16, TopK: synapse.StandardVocabulary, Answer: math.MaxInt32}

// answer is a server's part, from the message to the bytes of the reply.
func (n *Network) answer(mind int, question *wire.TensorMessage) ([]byte, error) {
	request := synapse.ParseForward(question, limits)
	for _, item := range request.Items {
		if item.Fault != nil {
			continue
		}
		needs, finish := item.Synapse.Answer(item.Batch)
		for text, need := range needs {
			if item.Fault = n.meet(mind, item.Batch.Text(text), need); item.Fault != nil {
				break
			}
		}
		if item.Fault != nil {
			continue
		}
		var err error
		if item.Answer, err = finish(); err != nil {
			return nil, err
		}
	}
	return proto.Marshal(request.Reply(n.endpoints[mind].Hotkey.Address()))
}

// meet meets a need about one text.
func (n *Network) meet(mind int, text []int32, need synapse.Need) *synapse.Fault {
	expect := func(last int32, k int) kernels.Sparse { return n.language.expect(mind, n.Knowledge(mind), last, k) }
	switch {
	case need.Next != nil:
		top := expect(text[len(text)-1], need.NextK)
		return faultOf(need.Next(synapse.NewPhrases(top, synapse.StandardVocabulary, n.spelling)))
	case need.Row != nil:
		for pos, last := range text {
			top := expect(last, need.K)
			if need.Order == kernels.ByIndex {
				slices.SortFunc(top.Entries, func(a, b kernels.Entry) int { return cmp.Compare(a.Index, b.Index) })
			}
			if err := need.Row(pos, top); err != nil {
				return faultOf(err)
			}
		}
		return nil
	}
	return synapse.Faultf(wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED, "the simulation has phrases and distributions only")
}

func faultOf(err error) *synapse.Fault {
	if err == nil {
		return nil
	}
	return synapse.Faultf(wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, "%v", err)
}

// longer is which of the tokens goes on in its phrase: one in so many.
const longer = 8

// spelling is a token's phrase: one in eight has a second token, the likeliest to follow.
func (n *Network) spelling(token int32) []int32 {
	if token%longer != 0 {
		return []int32{token}
	}
	return []int32{token, n.language.order(truth, token).token(0)}
}
