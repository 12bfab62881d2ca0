package synapse

import (
	"math"

	"axon/synapse/wire"
)

// What the protocol takes for granted.
const (
	// StandardVocabulary is the number of tokens of the standard tokenizer, GPT-2's.
	StandardVocabulary = 50257
	// NetworkVocabulary is how many tokens a receiver takes the standard tokenizer
	// to have: one more, which stands for nothing and is in no text.
	NetworkVocabulary = StandardVocabulary + 1
	// NetworkDimension is the width of hidden states.
	NetworkDimension = 1024
)

// exactHalf is how far ids go through float16 unharmed: what arrives as 2048 may
// have been 2049.
const exactHalf = 2048

// words of the codes that refuse most.
const (
	badShape   = wire.ReturnCode_RETURN_CODE_REQUEST_SHAPE_EXCEPTION
	badRequest = wire.ReturnCode_RETURN_CODE_INVALID_REQUEST
)

// checkBatch refuses a batch that is no rectangle of standard tokens, or too
// large. The reference's server calls every refusal an unknown exception; here
// sizes get the code of shapes, and all else that of invalid requests.
func checkBatch(t *Task, b Batch, l Limits) *Fault {
	if b.Texts < 1 || b.Length < 1 || product(b.Texts, b.Length) != int64(len(b.Tokens)) {
		return noRectangle(t, []int{b.Texts, b.Length})
	}
	if f := bound(badShape, int64(b.Texts), "texts", int64(l.Texts)); f != nil {
		return f
	}
	if f := bound(badShape, int64(b.Length), "tokens of a text", int64(l.Length)); f != nil {
		return f
	}
	for i, id := range b.Tokens {
		if id < 0 || id >= StandardVocabulary {
			return notAToken(i, b.Length, int64(id))
		}
	}
	return nil
}

func notAToken(i, length int, id int64) *Fault {
	return Faultf(badRequest, "token %d of text %d is %d, the standard tokenizer has 0 to %d", i%length, i/length, id, StandardVocabulary-1)
}

// checkTopK refuses a number of entries that a row does not have or that exceeds
// the limit. For what no row has the reference fails as it encodes its answer.
func checkTopK(k int, l Limits) *Fault {
	if k < 0 || k > StandardVocabulary {
		return Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION,
			"topk %d is not among 1 to %d, the standard tokens", k, StandardVocabulary)
	}
	if k == 0 {
		return Faultf(badRequest, "topk 0 asks for nothing, 1 is the least")
	}
	return bound(badRequest, int64(k), "entries a position", int64(l.TopK))
}

// checkAnswer refuses a question whose answer has more numbers than the limit.
func checkAnswer(q Synapse, b Batch, l Limits) *Fault {
	least, _ := q.Numbers(b)
	return bound(badRequest, least, "numbers of an answer", l.Answer)
}

// bound refuses n of something above a limit, with both numbers.
func bound(code wire.ReturnCode, n int64, what string, limit int64) *Fault {
	if n <= limit {
		return nil
	}
	return Faultf(code, "%d %s exceed the limit %d", n, what, limit)
}

// product multiplies sizes, with 0 for what is negative, and stays at the largest int64.
func product(sizes ...int) int64 {
	n := int64(1)
	for _, s := range sizes {
		if s <= 0 {
			return 0
		}
	}
	for _, s := range sizes {
		if n > math.MaxInt64/int64(s) {
			return math.MaxInt64
		}
		n *= int64(s)
	}
	return n
}

// firstFault is the first that is one.
func firstFault(faults ...*Fault) *Fault {
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}

// checkCoding refuses serializers that there are not. answer says which ones the
// synapse's answer has besides MSGPACK.
func (c Serializers) checkCoding(answer ...wire.Serializer) *Fault {
	if s := c.ForwardRequest; s != wire.Serializer_SERIALIZER_MSGPACK && s != wire.Serializer_SERIALIZER_CMPPACK {
		return Faultf(wire.ReturnCode_RETURN_CODE_REQUEST_DESERIALIZATION_EXCEPTION,
			"there is no serializer %d for a request", s)
	}
	for _, s := range append(answer, wire.Serializer_SERIALIZER_MSGPACK, wire.Serializer_SERIALIZER_CMPPACK) {
		if c.ForwardResponse == s {
			return nil
		}
	}
	return Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION,
		"there is no serializer %d for the answer of this synapse", c.ForwardResponse)
}

// checkIDs refuses to send token ids through float16, which changes them: those
// of the batch, and those of the answer if it has any. A server that is told to
// serve them all the same does.
func (c Serializers) checkIDs(b Batch, inAnswer bool) *Fault {
	if inAnswer && c.ForwardResponse == wire.Serializer_SERIALIZER_CMPPACK {
		return Faultf(badRequest, "CMPPACK rounds the token ids of the answer beyond %d, ask for MSGPACK", exactHalf)
	}
	if c.ForwardRequest != wire.Serializer_SERIALIZER_CMPPACK {
		return nil
	}
	for _, id := range b.Tokens {
		if id >= exactHalf {
			return Faultf(badRequest, "CMPPACK rounds token ids from %d on, such as %d: send MSGPACK", exactHalf, id)
		}
	}
	return nil
}
