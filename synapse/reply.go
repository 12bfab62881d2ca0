package synapse

import (
	"strings"

	"axon/synapse/wire"
)

// Result is what became of a synapse that was asked: exactly one of the two is set.
type Result struct {
	Answer Answer
	Fault  *Fault
}

// ParseReply reads a server's message about a batch: one result for each synapse
// that was asked. Where the reference takes a failed message for a success, since
// it has no synapses or no code, this does not.
func ParseReply(m *wire.TensorMessage, b Batch, synapses ...Synapse) []Result {
	results := make([]Result, len(synapses))
	for i, s := range synapses {
		results[i] = parseResult(m, i, len(synapses), b, s)
	}
	return results
}

func parseResult(m *wire.TensorMessage, i, n int, b Batch, s Synapse) Result {
	if m.GetReturnCode() != wire.ReturnCode_RETURN_CODE_SUCCESS {
		return Result{Fault: remoteFault(m, i, n)}
	}
	if len(m.GetTensors()) != n || len(m.GetSynapses()) != n {
		return Result{Fault: Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "Responses dont match synape length")}
	}
	if got := m.GetSynapses()[i]; got.GetReturnCode() != wire.ReturnCode_RETURN_CODE_SUCCESS {
		return Result{Fault: &Fault{failed(got.GetReturnCode()), short(got.GetMessage())}}
	}
	answer, err := s.Decode(b, m.GetTensors()[i])
	if err != nil {
		return Result{Fault: Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION, "Response deserialization exception with error:%v", err)}
	}
	return Result{Answer: answer}
}

// remoteFault is why a failed message has no answer to a synapse: the synapse's
// own code if it has one, or else the message's.
func remoteFault(m *wire.TensorMessage, i, n int) *Fault {
	code, words := m.GetReturnCode(), m.GetMessage()
	if len(m.GetSynapses()) == n {
		own := m.GetSynapses()[i]
		words = own.GetMessage()
		if c := own.GetReturnCode(); c != wire.ReturnCode_RETURN_CODE_SUCCESS && c != wire.ReturnCode_RETURN_CODE_NO_RETURN {
			code = c
		}
	}
	return Faultf(failed(code), "Remote Server Failure: %s", short(words))
}

// failed is a code, or in place of none that of an answer that makes no sense.
func failed(code wire.ReturnCode) wire.ReturnCode {
	if code == wire.ReturnCode_RETURN_CODE_NO_RETURN {
		return wire.ReturnCode_RETURN_CODE_INVALID_RESPONSE
	}
	return code
}

// maxWords is how many bytes of a server's words are kept.
const maxWords = 1 << 10

// short cuts a server's words.
func short(words string) string {
	return strings.ToValidUTF8(words[:min(len(words), maxWords)], "")
}
