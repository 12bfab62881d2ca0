package synapse

import (
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"axon/internal/conformance"
	"axon/kernels"
	"axon/synapse/wire"
)

type messageCase struct {
	Name        string             `json:"name"`
	Op          string             `json:"op"`
	Inputs      *conformance.Array `json:"inputs"`
	Synapses    []recordedSynapse  `json:"synapses"`
	Request     *conformance.Blob  `json:"request"`
	Fields      *recordedFields    `json:"request_fields"`
	Model       []recordedOutput   `json:"server_model"`
	Response    *conformance.Blob  `json:"response"`
	Client      []recordedResult   `json:"client"`
	ClientCodes []wire.ReturnCode  `json:"client_codes"`
	Gradients   []recordedTensor   `json:"gradients"`
	Received    []recordedTensor   `json:"server_gradients"`

	ClientOutputs []struct {
		Shape []int `json:"shape"`
	} `json:"client_outputs"`
}

type recordedFields struct {
	Synapses []recordedSynapse `json:"synapses"`
}

// recordedSynapse is a synapse with its settings.
type recordedSynapse struct {
	Type wire.SynapseType `json:"synapse_type"`
	Data string           `json:"synapse_data_hex"`
}

// recordedOutput is what the serving function returned.
type recordedOutput struct {
	recordedTensor
	Kind   string             `json:"kind"`
	Tensor *conformance.Array `json:"tensor"`
}

// recordedResult is what the client hands out for a synapse.
type recordedResult struct {
	Code      wire.ReturnCode    `json:"code"`
	Message   string             `json:"message"`
	Shape     []int              `json:"shape"`
	Tensor    *conformance.Array `json:"tensor"`
	RowMax    *conformance.Array `json:"row_max_16"`
	RowMaxAt  *conformance.Array `json:"row_max_16_index"`
	RowMin    *conformance.Array `json:"row_min"`
	LogSumExp *conformance.Array `json:"row_logsumexp"`
}

const (
	success      = wire.ReturnCode_RETURN_CODE_SUCCESS
	notServed    = wire.ReturnCode_RETURN_CODE_NOT_IMPLEMENTED
	exception    = wire.ReturnCode_RETURN_CODE_UNKNOWN_EXCEPTION
	emptyRequest = wire.ReturnCode_RETURN_CODE_EMPTY_REQUEST
	notEncoded   = wire.ReturnCode_RETURN_CODE_RESPONSE_SERIALIZATION_EXCEPTION
	notDecoded   = wire.ReturnCode_RETURN_CODE_RESPONSE_DESERIALIZATION_EXCEPTION
)

func TestMessagesAreTheReferences(t *testing.T) {
	folder := conformance.Open(t, "b_messages")
	checks := map[string]func(*testing.T, conformance.Folder, messageCase){
		"forward": requireExchange, "backward": requireBackward,
		"server_forward": requireServed, "server_backward": requireBackwardReply,
		"client_reply": requireReply,
	}
	for _, c := range conformance.Cases[messageCase](folder) {
		t.Run(c.Op+" "+c.Name, func(t *testing.T) {
			check, ok := checks[c.Op]
			require.True(t, ok, "unknown operation %q", c.Op)
			check(t, folder, c)
		})
	}
}

func readMessage(t *testing.T, folder conformance.Folder, b *conformance.Blob) *wire.TensorMessage {
	t.Helper()
	var m wire.TensorMessage
	require.NoError(t, proto.Unmarshal(folder.Blob(*b), &m))
	return &m
}

func requireBytes(t *testing.T, folder conformance.Folder, want *conformance.Blob, got *wire.TensorMessage) {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, folder.Blob(*want), raw)
}

// synapses are those that the case asks.
func (c messageCase) synapses(t *testing.T, folder conformance.Folder) []Synapse {
	t.Helper()
	var list []Synapse
	if c.Request != nil {
		for _, s := range readMessage(t, folder, c.Request).GetSynapses() {
			list = append(list, parsed(t, s.GetSynapseType(), s.GetSynapseData()))
		}
		return list
	}
	recorded := c.Synapses
	if c.Fields != nil {
		recorded = c.Fields.Synapses
	}
	for _, s := range recorded {
		list = append(list, parsed(t, s.Type, unhex(t, s.Data)))
	}
	return list
}

func parsed(t *testing.T, kind wire.SynapseType, settings []byte) Synapse {
	t.Helper()
	task, ok := TaskOf(kind)
	require.True(t, ok)
	s, err := task.Parse(settings)
	require.NoError(t, err)
	return s
}

func (c messageCase) batch(t *testing.T, folder conformance.Folder) Batch {
	t.Helper()
	inputs := stored(folder, *c.Inputs)
	b := Batch{Texts: inputs.Shape[0], Length: inputs.Shape[1]}
	for _, id := range inputs.Int64s() {
		b.Tokens = append(b.Tokens, int32(id))
	}
	return b
}

// requireExchange goes through a whole exchange: the request as the client makes
// it, the answer as the server makes it of what its model gave, and what the
// client makes of the recorded answer.
func requireExchange(t *testing.T, folder conformance.Folder, c messageCase) {
	if c.Request == nil {
		requireNotSent(t, folder, c)
		return
	}
	b, synapses := c.batch(t, folder), c.synapses(t, folder)
	request := readMessage(t, folder, c.Request)
	m, err := newForward(request.GetHotkey(), b, synapses)
	require.NoError(t, err)
	requireBytes(t, folder, c.Request, m)

	requireServed(t, folder, c)
	requireResults(t, folder, c, b, synapses)
}

// requireNotSent is a request that the client refuses. A batch cannot have any
// rank but two; its tensor as a server reads it can.
func requireNotSent(t *testing.T, folder conformance.Folder, c messageCase) {
	if len(c.Inputs.Shape) != 2 {
		w, err := Encode(stored(folder, *c.Inputs), 0)
		require.NoError(t, err)
		_, fault := parseBatch(causalLM, w, allowed())
		require.NotNil(t, fault)
		_, want, _ := strings.Cut(c.Client[0].Message, "error:")
		_, got, _ := strings.Cut(fault.Message, "error:")
		require.Equal(t, want, got)
		return
	}
	_, err := NewForward("", c.batch(t, folder), causalLM.Default())
	var fault *Fault
	require.ErrorAs(t, err, &fault)
	require.Equal(t, &Fault{c.Client[0].Code, c.Client[0].Message}, fault)
}

// requireServed compares the server's reply to a request.
func requireServed(t *testing.T, folder conformance.Folder, c messageCase) {
	m := readMessage(t, folder, c.Request)
	r := ParseForward(m, allowed())
	if c.Response == nil { // the reference fails, and its README says what was meant
		requireMeant(t, m, r)
		return
	}
	want := readMessage(t, folder, c.Response)
	outputs := c.Model
	for i, item := range r.Items {
		outputs = serve(t, folder, item, want.GetSynapses()[i], outputs)
	}
	got := r.Reply(want.GetHotkey())
	if want.GetReturnCode() == success && got.GetReturnCode() != success {
		require.True(t, refusedOnPurpose(t, folder, c, r), "refused: %v", got)
		return
	}
	for i := range want.GetSynapses() {
		allow(t, r.Items[i], want, got, i)
	}
	requireEqualMessages(t, want, got)
}

func requireEqualMessages(t *testing.T, want, got *wire.TensorMessage) {
	t.Helper()
	w, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	require.NoError(t, err)
	g, err := proto.MarshalOptions{Deterministic: true}.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, w, g, "want %v\ngot %v", want, got)
}

// refusedOnPurpose says whether the reference answers what we do not: no entries
// of each position, the spare token in a text, and logits that are no numbers.
func refusedOnPurpose(t *testing.T, folder conformance.Folder, c messageCase, r *Request) bool {
	t.Helper()
	for _, item := range r.Items {
		if q, ok := item.Synapse.(*TextCausalLM); ok && q.TopK == 0 {
			return true
		}
		if slices.ContainsFunc(item.Batch.Tokens, func(id int32) bool { return id >= StandardVocabulary }) {
			return true
		}
	}
	for _, o := range c.Model {
		for _, v := range o.tensorOf(t, folder).Float32s() {
			if v != v {
				return true
			}
		}
	}
	return false
}

// allow puts our own into what is wanted of a synapse where it may differ: numbers
// within their tolerance, words that are not the reference's own, and the code of
// some failures that the reference takes for others.
func allow(t *testing.T, item *Item, want, got *wire.TensorMessage, i int) {
	t.Helper()
	ws, gs := want.GetSynapses()[i], got.GetSynapses()[i]
	_, rows := item.Synapse.(*TextCausalLM)
	switch {
	case ws.GetReturnCode() == success && rows:
		requireLikeRows(t, want.GetTensors()[i], got.GetTensors()[i], item.Synapse.(*TextCausalLM).TopK)
		want.Tensors[i] = got.GetTensors()[i]
	case ws.GetReturnCode() == exception && item.Batch.Tokens == nil:
		// The reference goes on with an input that it could not read, if it could read
		// another synapse's, and fails over it. We keep to the first fault.
		require.Contains(t, []wire.ReturnCode{badShape, wire.ReturnCode_RETURN_CODE_REQUEST_DESERIALIZATION_EXCEPTION}, gs.GetReturnCode())
		ws.ReturnCode, ws.Message = gs.GetReturnCode(), gs.GetMessage()
	case ws.GetReturnCode() == notEncoded && gs.GetReturnCode() == wire.ReturnCode_RETURN_CODE_EMPTY_RESPONSE:
		// Where no answer came the reference means an empty response, but encodes first.
		ws.ReturnCode, ws.Message = gs.GetReturnCode(), gs.GetMessage()
		if i == 0 && want.GetReturnCode() == notEncoded {
			want.ReturnCode = gs.GetReturnCode()
		}
	case foreignWords(ws.GetMessage()):
		ws.Message = gs.GetMessage()
	}
}

// foreignWords are those of the libraries of the reference, and what it says of a
// whole tensor where ours comes row by row.
func foreignWords(message string) bool {
	for _, words := range []string{"Unpack failed", "selected index k", "forward_response_tensor.shape"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// requireLikeRows compares answers of TextCausalLM, exactly but for their numbers.
func requireLikeRows(t *testing.T, want, got *wire.Tensor, topk int) {
	t.Helper()
	w, err := Decode(want, math.MaxInt32)
	require.NoError(t, err)
	g, err := Decode(got, math.MaxInt32)
	require.NoError(t, err)
	if want.GetSerializer() == wire.Serializer_SERIALIZER_CMPPACK { // half precision: one step more or less
		requireNear(t, w.Float32s(), g.Float32s(), 1e-3, 1e-7)
	} else {
		requireRows(t, w, g, topk, nil)
	}
	require.Len(t, got.GetBuffer(), len(want.GetBuffer()))
	bare := proto.Clone(got).(*wire.Tensor)
	bare.Buffer = want.GetBuffer()
	require.True(t, proto.Equal(want, bare))
}

// serve answers an item with what the model gave for it, and returns what it gave
// for others. What became of a synapse before or beside the model is the server's
// affair: it is as recorded.
func serve(t *testing.T, folder conformance.Folder, item *Item, want *wire.Synapse, outputs []recordedOutput) []recordedOutput {
	t.Helper()
	code := want.GetReturnCode()
	if code == notServed || code == exception {
		if item.Fault == nil {
			item.Fault = &Fault{code, want.GetMessage()}
		}
		return outputs
	}
	if len(outputs) == 0 {
		if item.Fault == nil { // the model gave nothing
			finishItem(item, nil)
		}
		return nil
	}
	if item.Fault == nil {
		finishItem(item, func(needs []Need) error { return outputs[0].meet(t, folder, needs) })
		if want.GetMessage() != "Success" { // which is said where the model says nothing
			item.Message = want.GetMessage()
		}
	}
	return outputs[1:]
}

// finishItem meets an item's needs and sets its answer, or its fault.
func finishItem(item *Item, meet func([]Need) error) {
	needs, finish := item.Synapse.Answer(item.Batch)
	var err error
	if meet != nil {
		err = meet(needs)
	}
	if err == nil {
		item.Answer, err = finish()
	}
	if err != nil && !errors.As(err, &item.Fault) {
		item.Fault = Faultf(exception, "%v", err)
	}
}

func (o recordedOutput) tensorOf(t *testing.T, folder conformance.Folder) Tensor {
	t.Helper()
	if o.Tensor != nil {
		return stored(folder, *o.Tensor)
	}
	return o.tensor(t, folder)
}

// meet gives a model's output to the needs.
func (o recordedOutput) meet(t *testing.T, folder conformance.Folder, needs []Need) error {
	t.Helper()
	out := o.tensorOf(t, folder)
	switch o.Kind {
	case "logits":
		return feedRows(needs, out)
	case "hidden":
		values, width := out.Float32s(), out.Shape[2]
		for row := range out.Shape[0] * out.Shape[1] {
			if err := needs[row/out.Shape[1]].Hidden(row%out.Shape[1], values[row*width:(row+1)*width]); err != nil {
				return err
			}
		}
	case "topk_tensor":
		for text, p := range recordedPhrases(out.Float32s(), out.Shape[1]-1, out.Shape[0]).Texts {
			if err := needs[text].Next(p); err != nil {
				return err
			}
		}
	case "generated":
		ids, width := out.Int64s(), out.Shape[1]
		each := out.Shape[0] / len(needs)
		for row := range out.Shape[0] {
			tokens := make([]int32, width)
			for i := range tokens {
				tokens[i] = int32(ids[row*width+i])
			}
			if err := needs[row/each].Generated(row%each, tokens); err != nil {
				return err
			}
		}
	default:
		t.Fatalf("unknown output %q", o.Kind)
	}
	return nil
}

// requireMeant compares what is answered where the reference's server fails.
func requireMeant(t *testing.T, m *wire.TensorMessage, r *Request) {
	t.Helper()
	want := notServed // of a synapse of no known type
	switch {
	case len(m.GetTensors()) == 0:
		want = emptyRequest
	case len(m.GetTensors()) != len(m.GetSynapses()):
		want = badShape
	}
	got := r.Reply("")
	require.Equal(t, want, got.GetReturnCode())
	require.Empty(t, got.GetTensors())
	for _, s := range got.GetSynapses() {
		require.Equal(t, want, s.GetReturnCode())
		require.NotEmpty(t, s.GetMessage())
	}
}

func requireReply(t *testing.T, folder conformance.Folder, c messageCase) {
	requireResults(t, folder, c, c.batch(t, folder), c.synapses(t, folder))
}

// requireResults compares what the client makes of a reply.
func requireResults(t *testing.T, folder conformance.Folder, c messageCase, b Batch, synapses []Synapse) {
	t.Helper()
	m := readMessage(t, folder, c.Response)
	require.Len(t, synapses, len(c.Client))
	for i, got := range ParseReply(m, b, synapses...) {
		want := c.Client[i]
		require.True(t, (got.Answer == nil) != (got.Fault == nil))
		if m.GetReturnCode() != success && want.Code == success { // which is not to be reproduced
			require.Equal(t, failed(m.GetReturnCode()), got.Fault.Code)
			continue
		}
		if want.Code != success {
			require.NotNil(t, got.Fault)
			require.Equal(t, want.Code, got.Fault.Code)
			if want.Code != notDecoded {
				require.Equal(t, want.Message, got.Fault.Message)
			}
			want.requireTensor(t, folder, synapses[i].(Missing).MissingAnswer(c.Inputs.Shape))
			continue
		}
		require.Nil(t, got.Fault)
		want.requireTensor(t, folder, got.Answer.Tensor())
	}
}

// requireTensor compares numbers, exactly but for logarithms, or what was recorded of them.
func (r recordedResult) requireTensor(t *testing.T, folder conformance.Folder, got Tensor) {
	t.Helper()
	require.Equal(t, r.Shape, got.Shape)
	if r.Tensor != nil {
		want := stored(folder, *r.Tensor)
		require.Equal(t, want.DType, got.DType)
		tolerance := 0.0
		if len(r.Shape) == 3 && r.Shape[2] == NetworkVocabulary {
			tolerance = 2e-4
		}
		requireNear(t, want.Float32s(), got.Float32s(), 0, tolerance)
		return
	}
	values, width := got.Float32s(), r.Shape[len(r.Shape)-1]
	most, at := stored(folder, *r.RowMax).Float32s(), stored(folder, *r.RowMaxAt).Int64s()
	least, sums := stored(folder, *r.RowMin).Float32s(), stored(folder, *r.LogSumExp).float()
	for row := range len(values) / width {
		logs := values[row*width : (row+1)*width]
		top, lse, err := kernels.Reduce(nil, logs, 16, kernels.Descending, &kernels.Scratch{})
		require.NoError(t, err)
		for i, e := range top {
			require.InDelta(t, most[row*16+i], e.Value, 2e-4, "row %d, rank %d", row, i)
			require.InDelta(t, most[row*16+i], logs[at[row*16+i]], 2e-4, "row %d, rank %d", row, i)
		}
		if math.Abs(sums(row)) < 1e30 {
			require.InDelta(t, sums(row), lse, 1e-4)
		}
		lowest := logs[0]
		for _, v := range logs {
			lowest = min(lowest, v)
		}
		require.InDelta(t, least[row], lowest, 1e-4)
	}
}

// requireBackward goes through an exchange of gradients.
func requireBackward(t *testing.T, folder conformance.Folder, c messageCase) {
	b := c.batch(t, folder)
	var gradients []Tensor
	for _, g := range c.Gradients {
		gradients = append(gradients, g.tensor(t, folder))
	}
	synapses := c.synapses(t, folder)
	if len(synapses) < len(gradients) { // what the client refuses it does not record
		synapses = refusedSynapses(t, c, gradients)
	}
	m, err := NewBackward(readHotkey(t, folder, c), b, synapses, gradients)
	if firstFailed(c.ClientCodes) != success {
		var fault *Fault
		require.ErrorAs(t, err, &fault)
		require.Equal(t, firstFailed(c.ClientCodes), fault.Code)
	} else {
		require.NoError(t, err)
		requireSent(t, folder, c, m, synapses)
	}
	if c.Response != nil {
		requireBackwardReply(t, folder, c)
	}
}

func firstFailed(codes []wire.ReturnCode) wire.ReturnCode {
	for _, code := range codes {
		if code != success {
			return code
		}
	}
	return success
}

func readHotkey(t *testing.T, folder conformance.Folder, c messageCase) string {
	t.Helper()
	if c.Request == nil {
		return ""
	}
	return readMessage(t, folder, c.Request).GetHotkey()
}

// refusedSynapses are such as the client's outputs tell of.
func refusedSynapses(t *testing.T, c messageCase, gradients []Tensor) []Synapse {
	t.Helper()
	require.Len(t, c.ClientOutputs, len(gradients))
	var list []Synapse
	for _, o := range c.ClientOutputs {
		switch {
		case len(o.Shape) == 1:
			list = append(list, seq2Seq.Default())
		case o.Shape[2] == NetworkDimension:
			list = append(list, &TextLastHiddenState{Mask: []int32{-1}})
		case o.Shape[2] == NetworkVocabulary:
			list = append(list, &TextCausalLM{TopK: 4})
		default:
			list = append(list, &TextCausalLMNext{TopK: o.Shape[1] - 1})
		}
	}
	return list
}

// requireSent compares a request byte for byte, but for the ids of equal gradients.
func requireSent(t *testing.T, folder conformance.Folder, c messageCase, got *wire.TensorMessage, synapses []Synapse) {
	t.Helper()
	want := readMessage(t, folder, c.Request)
	for i, s := range synapses {
		q, ok := s.(*TextCausalLM)
		if !ok {
			continue
		}
		at := len(synapses) + i
		w, err := Decode(want.GetTensors()[at], math.MaxInt32)
		require.NoError(t, err)
		g, err := Decode(got.GetTensors()[at], math.MaxInt32)
		require.NoError(t, err)
		requireSparse(t, w, g, q.TopK)
		require.Len(t, got.GetTensors()[at].GetBuffer(), len(want.GetTensors()[at].GetBuffer()))
		got.Tensors[at].Buffer = want.GetTensors()[at].GetBuffer()
	}
	requireBytes(t, folder, c.Request, got)
}

// requireBackwardReply compares what is read of gradients. What the reference
// trains with we refuse, in our own words; other refusals are the reference's.
func requireBackwardReply(t *testing.T, folder conformance.Folder, c messageCase) {
	want := readMessage(t, folder, c.Response)
	r := ParseBackward(readMessage(t, folder, c.Request), allowed())
	for i, g := range c.Received {
		require.Equal(t, g.tensor(t, folder), r.Items[i].Gradient.Tensor())
	}
	got := r.Reply(want.GetHotkey())
	switch want.GetReturnCode() {
	case success, exception: // trained, or could have been
		want.ReturnCode = notServed
		for _, s := range want.GetSynapses() {
			s.ReturnCode, s.Message = notServed, got.GetSynapses()[0].GetMessage()
		}
		require.Contains(t, got.GetSynapses()[0].GetMessage(), "train")
	}
	requireEqualMessages(t, want, got)
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
