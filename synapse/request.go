package synapse

import (
	"axon/synapse/wire"
)

// maxSynapses is how many synapses a message may have. The reference has no
// limit; without one a message of two bytes a synapse gets a long answer.
const maxSynapses = 16

// maxPositions is how many tensors a synapse may name: each has one.
const maxPositions = 64

// hotkeyLength is the number of characters of a sender's address.
const hotkeyLength = 48

// Request is what a server makes of a message: one item for each synapse, of
// which those without a fault are to be answered.
type Request struct {
	Hotkey       string // as the message has it; whoever signed may be another
	Items        []*Item
	Backward     bool
	RequiresGrad bool
	// Fault is why nothing is answered, where it is not a matter of single synapses.
	Fault *Fault
}

// Item is one synapse of a request. A server sets Answer or Fault.
type Item struct {
	Synapse  Synapse // nil if it could not be read
	Batch    Batch
	Gradient Answer // of a backward request, as it came
	Fault    *Fault
	Answer   *wire.Tensor
	Message  string // free words beside an answer; empty: Success

	asked *wire.Synapse
}

// ParseForward reads a message that asks for answers. Every fault lies in an
// item, or in the request where it is the message's. It allocates a small
// multiple of the message at most.
func ParseForward(m *wire.TensorMessage, l Limits) *Request {
	r := newRequest(m)
	tensors := m.GetTensors()
	switch {
	case len(tensors) == 0:
		r.fail(Faultf(wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST, "Forward request contains 0 tensors, expected 1 tensor in the forward call"))
	case len(tensors) != len(m.GetSynapses()):
		r.fail(countsDiffer())
	}
	for i, item := range r.open() {
		item.parse(tensors[i], l)
		if item.Fault == nil && len(m.GetHotkey()) != hotkeyLength {
			item.Fault = Faultf(wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, "Synapse Check Failed")
		}
		item.known()
		if item.Fault == nil {
			item.Fault = item.Synapse.Check(item.Batch, l)
		}
	}
	return r
}

// ParseBackward reads a message of gradients: first all inputs, then all
// gradients. What is right with it ends as not implemented, since a server that
// only infers has nothing to train. Of the limits those of the batch count.
func ParseBackward(m *wire.TensorMessage, l Limits) *Request {
	r := newRequest(m)
	r.Backward = true
	tensors, n := m.GetTensors(), len(m.GetSynapses())
	switch {
	case len(tensors) == 0:
		r.fail(Faultf(wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST, "Empty Request"))
	case len(tensors) < 2:
		r.fail(Faultf(badRequest, "Backward request contains %d tensors, expected atleast 2 tensor in the backward call", len(tensors)))
	case len(tensors) != 2*n:
		r.fail(countsDiffer())
	}
	for i, item := range r.open() {
		item.parse(tensors[i], l)
		item.parseGradient(tensors[n+i])
		item.known()
		if item.Fault == nil {
			item.Fault = checkBatch(item.Synapse.Task(), item.Batch, l)
		}
		if item.Fault == nil {
			item.Fault = Faultf(wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED, "This server infers: it has nothing to train")
		}
	}
	return r
}

func countsDiffer() *Fault {
	return Faultf(badShape, "Request length doesn't match synape length.") // as the reference spells it
}

func newRequest(m *wire.TensorMessage) *Request {
	r := &Request{Hotkey: m.GetHotkey(), RequiresGrad: m.GetRequiresGrad()}
	if n := len(m.GetSynapses()); n > maxSynapses {
		r.Fault = bound(badRequest, int64(n), "synapses", maxSynapses)
		return r
	}
	for _, s := range m.GetSynapses() {
		// Which are kept until the answer, and four times what they were on the wire.
		if n := len(s.GetTensorPos()); n > maxPositions {
			return &Request{Hotkey: r.Hotkey, Fault: bound(badRequest, int64(n), "tensor positions", maxPositions)}
		}
		r.Items = append(r.Items, &Item{asked: s})
	}
	return r
}

// fail gives a fault to the request and all its items, unless it has one.
func (r *Request) fail(f *Fault) {
	if r.Fault == nil {
		r.Fault = f
	}
	for _, item := range r.Items {
		item.Fault = f
	}
}

// open are the items, none if the message itself is at fault.
func (r *Request) open() []*Item {
	if r.Fault != nil {
		return nil
	}
	return r.Items
}

// parse reads the synapse and the batch of an item.
func (i *Item) parse(t *wire.Tensor, l Limits) {
	task, ok := TaskOf(i.asked.GetSynapseType())
	if !ok {
		return
	}
	var err error
	if i.Synapse, err = task.Parse(i.asked.GetSynapseData()); err != nil {
		i.Fault = Faultf(badRequest, "%v", err)
		return
	}
	i.Batch, i.Fault = parseBatch(task, t, l)
}

// known gives a fault to an item that asks for a task there is not.
func (i *Item) known() {
	if i.Fault == nil && i.Synapse == nil {
		i.Fault = Faultf(wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED, "Not Implemented")
	}
}

// Reply is the answer to a request, from a server of that address. An item that
// has neither answer nor fault counts as failed.
func (r *Request) Reply(hotkey string) *wire.TensorMessage {
	m := &wire.TensorMessage{Version: Version, Hotkey: hotkey, RequiresGrad: r.RequiresGrad, ReturnCode: r.code()}
	for _, i := range r.Items {
		if m.ReturnCode == wire.ReturnCode_RETURN_CODE_SUCCESS {
			m.Tensors = append(m.Tensors, i.tensor())
			m.Synapses = append(m.Synapses, i.reply())
		} else {
			m.Synapses = append(m.Synapses, i.refusal())
		}
	}
	return m
}

// code is the message's: success if there is any, or else that of the first.
func (r *Request) code() wire.ReturnCode {
	for _, i := range r.Items {
		if i.fault() == nil {
			return wire.ReturnCode_RETURN_CODE_SUCCESS
		}
	}
	switch {
	case r.Fault != nil:
		return r.Fault.Code
	case len(r.Items) > 0:
		return r.Items[0].fault().Code
	}
	return wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST
}

func (i *Item) fault() *Fault {
	if i.Fault == nil && i.Answer == nil {
		return Faultf(wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION, "Exception on Server")
	}
	return i.Fault
}

// tensor is the answer, and an empty one in place of none.
func (i *Item) tensor() *wire.Tensor {
	if i.fault() != nil {
		return &wire.Tensor{Version: Version}
	}
	return i.Answer
}

// reply is the synapse, written anew, in a message that has some answer.
func (i *Item) reply() *wire.Synapse {
	s := &wire.Synapse{SynapseType: i.asked.GetSynapseType()}
	if i.Synapse != nil {
		s.SynapseData = i.Synapse.Settings()
	}
	return i.mark(s)
}

// refusal is the synapse as it came, in a message that has no answer.
func (i *Item) refusal() *wire.Synapse {
	return i.mark(&wire.Synapse{
		TensorPos: i.asked.GetTensorPos(), SynapseData: i.asked.GetSynapseData(),
		SynapseType: i.asked.GetSynapseType(), RequiresGrad: i.asked.GetRequiresGrad(),
	})
}

// mark adds what became of the synapse.
func (i *Item) mark(s *wire.Synapse) *wire.Synapse {
	s.ReturnCode, s.Message = wire.ReturnCode_RETURN_CODE_SUCCESS, i.Message
	if f := i.fault(); f != nil {
		s.ReturnCode, s.Message = f.Code, f.Message
	} else if s.Message == "" {
		s.Message = "Success"
	}
	return s
}
