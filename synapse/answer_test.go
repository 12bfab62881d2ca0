package synapse

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
	"axon/synapse/wire"
)

// ask goes from a question to its answer, by way of bytes.
func ask(t *testing.T, q Synapse, b Batch, meet func(text int, n Need)) Answer {
	t.Helper()
	require.Nil(t, q.Check(b, usualLimits()))
	needs, finish := q.Answer(b)
	require.Len(t, needs, b.Texts)
	for text, n := range needs {
		meet(text, n)
	}
	w, err := finish()
	require.NoError(t, err)
	require.Equal(t, q.Serializers().ForwardResponse, w.GetSerializer())
	answer, err := q.Decode(b, w)
	require.NoError(t, err)
	return answer
}

// someRow is a distribution over the standard tokens that depends on where it is.
func someRow(t *testing.T, k int, order kernels.Order, text, pos int) kernels.Sparse {
	t.Helper()
	logits := make([]float32, StandardVocabulary)
	for i := range logits {
		logits[i] = float32(8 * math.Sin(float64(i*(7*text+pos+1))))
	}
	var s kernels.Scratch
	top, lse, err := kernels.Reduce(nil, logits, k, order, &s)
	require.NoError(t, err)
	return kernels.Sparse{Entries: top, Rest: kernels.LogProbs(top, lse, len(logits), &s)}
}

func TestRowsComeInAnyOrderFromManyGoroutines(t *testing.T) {
	b := batchOfShape(3, 5)
	for _, serializer := range []wire.Serializer{wire.Serializer_SERIALIZER_MSGPACK, wire.Serializer_SERIALIZER_PACKED} {
		q := &TextCausalLM{TopK: 20, Coding: Serializers{ForwardResponse: serializer}}
		var all sync.WaitGroup
		answer := ask(t, q, b, func(text int, n Need) {
			for pos := b.Length - 1; pos >= 0; pos-- {
				row := someRow(t, n.K, n.Order, text, pos)
				all.Go(func() {
					if err := n.Row(pos, row); err != nil {
						t.Error(err)
					}
					clear(row.Entries) // which were not to be kept
				})
			}
			all.Wait()
		}).(*Distributions)
		dense := answer.Tensor().Float32s()
		for row := range b.Texts * b.Length {
			text, pos := row/b.Length, row%b.Length
			got, err := answer.At(text, pos)
			require.NoError(t, err)
			want := someRow(t, q.TopK, kernels.ByIndex, text, pos)
			require.InDelta(t, want.Rest, got.Rest, 2e-3)
			for i, e := range want.Entries {
				require.Equal(t, e.Index, got.Entries[i].Index)
				require.InDelta(t, e.Value, got.Entries[i].Value, 0.3)
				require.InDelta(t, got.Entries[i].Value, dense[row*NetworkVocabulary+int(e.Index)], 1e-5)
			}
			lse, err := kernels.LogSumExp(dense[row*NetworkVocabulary : (row+1)*NetworkVocabulary])
			require.NoError(t, err)
			require.InDelta(t, 0, lse, 1e-4)
		}
	}
}

func TestPackedRowsAreNotTrusted(t *testing.T) {
	b := batchOfShape(1, 2)
	q := &TextCausalLM{TopK: 5, Coding: Serializers{ForwardResponse: wire.Serializer_SERIALIZER_PACKED}}
	needs, finish := q.Answer(b)
	for pos := range b.Length {
		require.NoError(t, needs[0].Row(pos, someRow(t, 5, needs[0].Order, 0, pos)))
	}
	w, err := finish()
	require.NoError(t, err)
	_, err = q.Decode(b, w)
	require.NoError(t, err)

	wrongTopK := &TextCausalLM{TopK: 4, Coding: q.Coding}
	_, err = wrongTopK.Decode(b, w)
	require.ErrorIs(t, err, ErrShape)
	_, err = q.Decode(batchOfShape(2, 1), w)
	require.ErrorIs(t, err, ErrShape)
	w.Shape = []int64{1, 2, 8}
	_, err = wrongTopK.Decode(b, w)
	require.ErrorIs(t, err, ErrDecode, "rows of more entries than were asked for")
	w.Shape = []int64{1, 2, 10}
	w.Buffer[len(w.Buffer)-1]++
	_, err = q.Decode(b, w)
	require.ErrorIs(t, err, ErrDecode)
	_, err = (&TextCausalLM{TopK: 5}).Decode(b, w)
	require.Error(t, err, "who did not ask for it does not take it")
}

func TestAnAnswerIsWhole(t *testing.T) {
	b := batchOfShape(1, 2)
	q := &TextCausalLM{TopK: 5}
	needs, finish := q.Answer(b)
	_, err := finish()
	requireFault(t, err, wire.ReturnCode_RETURN_CODE_EMPTY_RESPONSE)

	row := someRow(t, 5, kernels.Descending, 0, 0)
	require.NoError(t, needs[0].Row(0, row))
	_, err = finish()
	requireFault(t, err, shapeCode)
	require.ErrorContains(t, err, "1 of 2 parts")
	requireFault(t, needs[0].Row(0, row), exception)
	requireFault(t, needs[0].Row(2, row), shapeCode)
	requireFault(t, needs[0].Row(-1, row), shapeCode)
	row.Entries = row.Entries[:4]
	requireFault(t, needs[0].Row(1, row), shapeCode)
}

func requireFault(t *testing.T, err error, code wire.ReturnCode) {
	t.Helper()
	var fault *Fault
	require.True(t, errors.As(err, &fault), "%v", err)
	require.Equal(t, code, fault.Code)
}

func TestHiddenStatesStandInTheMiddle(t *testing.T) {
	b := batchOfShape(2, 3)
	q := &TextLastHiddenState{Mask: []int32{-1}}
	meet := func(width int) func(int, Need) {
		return func(text int, n Need) {
			for pos := range b.Length {
				state := make([]float32, width)
				state[0], state[width-1] = float32(10*text+pos+1), -1
				require.NoError(t, n.Hidden(pos, state))
			}
		}
	}
	h := ask(t, q, b, meet(65)).(*HiddenStates)
	require.Equal(t, []int{2, 3, NetworkDimension}, h.Tensor().Shape)
	for text := range b.Texts {
		state := h.At(text, 2)
		require.Zero(t, state[478])
		require.Equal(t, float32(10*text+3), state[479], "⌊(1024−65)/2⌋ zeros on the left")
		require.Equal(t, float32(-1), state[479+64])
		require.Zero(t, state[479+65])
		require.Zero(t, h.At(text, 1)[479], "not asked for")
	}
	ask(t, q, b, meet(NetworkDimension))

	needs, _ := q.Answer(b)
	err := needs[0].Hidden(0, make([]float32, 2048))
	requireFault(t, err, shapeCode)
	require.ErrorContains(t, err, "2048 numbers exceeds the network's 1024")
}

func TestCrossEntropyTakesFourBytesAToken(t *testing.T) {
	b := batchOfShape(2, 4)
	p := ask(t, &TextCrossEntropy{}, b, func(text int, n Need) {
		n.LogProb(0, -99) // of which there is none
		n.LogProb(4, -99)
		for pos := 3; pos > 0; pos-- {
			n.LogProb(pos, float32(-10*text-pos))
		}
	}).(*LogProbs)
	require.Equal(t, []float32{-11, -12, -13}, p.Text(1))
	require.Equal(t, []int{2, 3}, p.Tensor().Shape)
	require.Len(t, p.Tensor().Data, 4*6)

	for _, bad := range []float32{1, float32(math.NaN())} {
		w, err := Encode(NewFloat32([]float32{-1, bad}, 1, 2), 0)
		require.NoError(t, err)
		_, err = (&TextCrossEntropy{}).Decode(batchOfShape(1, 3), w)
		require.ErrorIs(t, err, ErrDecode)
	}
}

func TestPhrasesOfEachText(t *testing.T) {
	b := batchOfShape(2, 3)
	q := &TextCausalLMNext{TopK: 2}
	n := ask(t, q, b, func(text int, n Need) {
		require.Equal(t, 2, n.NextK)
		require.Error(t, n.Next(Phrases{List: make([]Phrase, 1)}), "a vocabulary of one")
		list := []Phrase{{0.5, []int32{int32(text), 50256}}, {0.25, nil}}
		require.NoError(t, n.Next(Phrases{List: list, Floor: 1e-6}))
	}).(*NextPhrases)
	require.Equal(t, []int32{1, 50256}, n.Texts[1].List[0].Tokens)
	require.Equal(t, []float32{0.5, 1, 50256, 0.25, -100, -100, 1e-6, -100, -100}, n.Tensor().Float32s()[9:])

	// So many phrases without tokens that a receiver would find the answer too short.
	n = ask(t, q, b, func(_ int, n Need) {
		require.NoError(t, n.Next(Phrases{List: []Phrase{{Prob: 0.5}, {Prob: 0.25}}, Floor: 1e-6}))
	}).(*NextPhrases)
	require.Len(t, n.Texts, 2)
}

func TestSequencesAreCutAndFilledUp(t *testing.T) {
	b := batchOfShape(2, 2)
	q := seq2Seq.Default().(*TextSeq2Seq)
	q.NumToGenerate, q.NumReturnSequences = 4, 2
	generated := [][]int32{{1, 2, 3, 4, 5, 6}, {1, 2, 50256}, {7, 8, 9}, {7, 8}}
	s := ask(t, q, b, func(text int, n Need) {
		require.Equal(t, 4, n.Generation.MaxLength)
		for i := 1; i >= 0; i-- {
			require.NoError(t, n.Generated(i, generated[2*text+i]))
		}
		requireFault(t, n.Generated(2, nil), shapeCode)
	}).(*Sequences)
	require.Equal(t, []int64{1, 2, 3, 4}, s.At(0, 0))
	require.Equal(t, []int64{1, 2, 50256, 50256}, s.At(0, 1), "came to its end")
	require.Equal(t, []int64{7, 8, 9, 0}, s.At(1, 0))
	require.Equal(t, []int64{7, 8, 0, 0}, s.At(1, 1))
	require.Equal(t, 4, s.Len())

	q.NumToGenerate = 1
	needs, _ := q.Answer(batchOfShape(1, 9))
	require.Equal(t, 10, needs[0].Generation.MaxLength, "at least one token")
}
