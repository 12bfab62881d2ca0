package synapse

// Missing is a synapse for which the reference's client has stand-ins: what it
// hands out, besides a code, in place of an answer or a gradient that did not
// come. They follow the shape of the request's tensor, which may be one that no
// batch has. A client of ours has a [Result] instead.
type Missing interface {
	MissingAnswer(request []int) Tensor
	MissingGradient(request []int) Tensor
}

// noNumbers is a tensor of no numbers, of the shape [0].
func noNumbers() Tensor { return NewFloat32(nil, 0) }

// zeros is a tensor of zeros.
func zeros(shape ...int) Tensor {
	n, _ := Elements(shape)
	return Tensor{DType: Float32, Shape: shape, Data: make([]byte, 4*n)}
}

// zerosAt is zeros at every position of a request, nothing if it has none.
func zerosAt(request []int, width int) Tensor {
	if len(request) < 2 {
		return noNumbers()
	}
	return zeros(request[0], request[1], width)
}

// MissingAnswer is zero: [texts, length, 1024].
func (q *TextLastHiddenState) MissingAnswer(request []int) Tensor {
	return zerosAt(request, NetworkDimension)
}

// MissingGradient is the same.
func (q *TextLastHiddenState) MissingGradient(request []int) Tensor {
	return q.MissingAnswer(request)
}

// MissingAnswer is zero: [texts, length, 50258].
func (q *TextCausalLM) MissingAnswer(request []int) Tensor {
	return zerosAt(request, NetworkVocabulary)
}

// MissingGradient is the same.
func (q *TextCausalLM) MissingGradient(request []int) Tensor {
	return q.MissingAnswer(request)
}

// MissingAnswer has phrases of probability 0 and token 2: [texts, topk+1, 2].
func (q *TextCausalLMNext) MissingAnswer(request []int) Tensor {
	return (&NextPhrases{q.missing(request)}).Tensor()
}

// missing are the phrases for each text of a request.
func (q *TextCausalLMNext) missing(request []int) []Phrases {
	if len(request) == 0 {
		return nil
	}
	texts := make([]Phrases, request[0])
	for i := range texts {
		texts[i].List = make([]Phrase, q.TopK)
		for j := range texts[i].List {
			texts[i].List[j].Tokens = []int32{2}
		}
	}
	return texts
}

// MissingGradient is zero: [texts, topk+1, 2].
func (q *TextCausalLMNext) MissingGradient(request []int) Tensor {
	if len(request) == 0 || request[0] == 0 {
		return noNumbers()
	}
	return zeros(request[0], q.TopK+1, 2)
}

// MissingAnswer is zero: [texts, NumToGenerate].
func (q *TextSeq2Seq) MissingAnswer(request []int) Tensor {
	if len(request) == 0 || request[0] == 0 {
		return noNumbers()
	}
	return zeros(request[0], q.NumToGenerate)
}

// MissingGradient has no numbers.
func (q *TextSeq2Seq) MissingGradient([]int) Tensor { return noNumbers() }
