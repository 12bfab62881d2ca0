package synapse

import (
	"time"

	"axon/kernels"
	"axon/synapse/wire"
)

// Synapse is one question about a batch of texts: a task and its settings. Both
// sides of a call use it: a client to ask and to read the answer, a server to
// check and to answer.
type Synapse interface {
	// Task is what kind of question it is.
	Task() *Task
	// Settings are the task's message as the wire has them.
	Settings() []byte
	// Serializers are those that the question asks for.
	Serializers() *Serializers
	// Check refuses settings that make no sense for a batch, and what exceeds
	// the limits, before anything is allocated for it.
	Check(b Batch, l Limits) *Fault
	// Numbers is how many numbers an answer about a batch has, at least and at most. The
	// two differ where it depends on the server's vocabulary. The batch was checked.
	Numbers(b Batch) (least, most int64)
	// Load is how many tokens each text of a checked batch may come to in a model: its own,
	// or all that is generated from it.
	Load(b Batch) int
	// Answer begins an answer: what is needed of the model for each text of the
	// batch, and a function that makes the answer's tensor once all needs are met.
	// The batch was checked.
	Answer(b Batch) (needs []Need, finish func() (*wire.Tensor, error))
	// Decode reads the answer of a server. Errors are those of [Decode].
	Decode(b Batch, t *wire.Tensor) (Answer, error)
}

// Answer is what a client gets, of the type that the synapse's Decode names.
type Answer interface {
	// Tensor is the answer as the reference's client would hand it out.
	Tensor() Tensor
}

// Task is a kind of synapse.
type Task struct {
	Type    wire.SynapseType
	Name    string        // as the reference has it, such as TextCausalLM
	Timeout time.Duration // how long a server may take
	// Default makes a question with the reference's default settings.
	Default func() Synapse
	// Parse reads a question's settings. Errors wrap [ErrDecode].
	Parse func(settings []byte) (Synapse, error)
}

// Serializers are those of a synapse's four tensors.
type Serializers struct {
	ForwardRequest, ForwardResponse, BackwardRequest, BackwardResponse wire.Serializer
}

// Batch is a rectangle of standard token ids: Texts texts of Length tokens each.
type Batch struct {
	Texts, Length int
	Tokens        []int32 // Texts × Length
}

// Text is one text's tokens.
func (b Batch) Text(i int) []int32 { return b.Tokens[i*b.Length : (i+1)*b.Length] }

// Limits bound what a server takes upon itself for one synapse. What is zero
// allows nothing.
type Limits struct {
	Texts    int   // texts in a batch
	Length   int   // tokens of a text
	TopK     int   // entries of each position
	Answer   int64 // numbers in an answer: rows × what each of them carries
	Generate int   // tokens of a generated text, prompt included
	Beams    int   // beams, or sequences returned, of each text
	// MaxTime is the longest that a text is generated. What asks for longer is not
	// refused, since the reference asks for 150 s and gives its servers 36: a server
	// stops then.
	MaxTime time.Duration
	// LossyIDs lets token ids through float16, which CMPPACK makes of all numbers,
	// although those beyond 2048 come out as others. The reference does; a receiver
	// then reads probabilities of the wrong tokens.
	LossyIDs bool
}

// Need is what a synapse needs of a model for one text. A nil function is not
// needed. Functions may be called from several goroutines at once and in any
// order of positions; what they are given is not theirs to keep. An error of
// theirs ends the answer.
type Need struct {
	// Row takes the distribution of what follows each position, over the standard
	// tokens: the K most likely, in the given order.
	Row   func(pos int, top kernels.Sparse) error
	K     int
	Order kernels.Order

	// LogProb takes how likely the text's own token at a position is after those
	// before it: positions 1 … Length−1.
	LogProb func(pos int, logProb float32)

	// Next takes what may follow the text: the NextK most likely of the server's
	// own tokens, in descending order, spelt in standard tokens.
	Next  func(p Phrases) error
	NextK int

	// Hidden takes the last hidden state at each position, as wide as the model's.
	Hidden func(pos int, state []float32) error

	// Generated takes continuations of the text, prompt included, in standard
	// tokens: the n-th of those that Generation asks for.
	Generated  func(n int, tokens []int32) error
	Generation *Generation
}

// Generation is how a text is to be continued, in the words of Hugging Face's
// generate, whose semantics it has.
type Generation struct {
	MaxLength         int // standard tokens, prompt included; at least one token is generated
	Sequences         int
	Beams, BeamGroups int
	NoRepeatNGram     int
	EarlyStopping     bool
	Sample            bool
	TopK              int
	TopP, Temperature float32
	RepetitionPenalty float32
	LengthPenalty     float32
	MaxTime           time.Duration
}
