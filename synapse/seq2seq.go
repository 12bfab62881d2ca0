package synapse

import (
	"fmt"
	"math"
	"time"

	"axon/synapse/wire"
)

// TextSeq2Seq asks for texts to be continued.
//
// Answer: int64 [Texts·NumReturnSequences, n ≤ NumToGenerate], the sequences of
// one text after those of another: prompt and continuation in standard tokens,
// cut to NumToGenerate.
type TextSeq2Seq struct {
	Coding Serializers
	// The settings, named as in Hugging Face's generate.
	NumToGenerate      int // tokens of a sequence, those of the prompt included
	NumReturnSequences int
	NumBeams           int
	NumBeamGroups      int
	NoRepeatNGramSize  int // 0: repeat at will
	EarlyStopping      bool
	DoSample           bool
	TopK               int // 0: all
	TopP               float32
	Temperature        float32
	RepetitionPenalty  float32
	LengthPenalty      float32
	MaxTime            float32 // seconds
}

var seq2Seq = &Task{
	Type:    wire.SynapseType_SYNAPSE_TYPE_TEXT_SEQ_2_SEQ,
	Name:    "TextSeq2Seq",
	Timeout: generateTime,
	Default: func() Synapse {
		return &TextSeq2Seq{
			TopK: 50, NumToGenerate: 256, NumBeams: 5, NoRepeatNGramSize: 2, NumReturnSequences: 1,
			TopP: 0.95, Temperature: 1, RepetitionPenalty: 1, LengthPenalty: 1, MaxTime: 150, NumBeamGroups: 1,
		}
	},
	Parse: parseSeq2Seq,
}

func parseSeq2Seq(settings []byte) (Synapse, error) {
	var m wire.TextSeq2Seq
	if err := unmarshal(settings, &m); err != nil {
		return nil, err
	}
	return &TextSeq2Seq{
		Coding:             codingOf(&m),
		TopK:               int(m.GetTopk()),
		NumToGenerate:      int(m.GetNumToGenerate()),
		NumBeams:           int(m.GetNumBeams()),
		NoRepeatNGramSize:  int(m.GetNoRepeatNgramSize()),
		EarlyStopping:      m.GetEarlyStopping(),
		NumReturnSequences: int(m.GetNumReturnSequences()),
		DoSample:           m.GetDoSample(),
		TopP:               m.GetTopP(),
		Temperature:        m.GetTemperature(),
		RepetitionPenalty:  m.GetRepetitionPenalty(),
		LengthPenalty:      m.GetLengthPenalty(),
		MaxTime:            m.GetMaxTime(),
		NumBeamGroups:      int(m.GetNumBeamGroups()),
	}, nil
}

// Task is TextSeq2Seq.
func (*TextSeq2Seq) Task() *Task { return seq2Seq }

// Serializers are the synapse's.
func (q *TextSeq2Seq) Serializers() *Serializers { return &q.Coding }

// Settings are the synapse's message.
func (q *TextSeq2Seq) Settings() []byte {
	return marshal(&wire.TextSeq2Seq{
		Topk:                           int32Of(q.TopK),
		NumToGenerate:                  int32Of(q.NumToGenerate),
		ForwardRequestSerializerType:   q.Coding.ForwardRequest,
		ForwardResponseSerializerType:  q.Coding.ForwardResponse,
		BackwardRequestSerializerType:  q.Coding.BackwardRequest,
		BackwardResponseSerializerType: q.Coding.BackwardResponse,
		NumBeams:                       int32Of(q.NumBeams),
		NoRepeatNgramSize:              int32Of(q.NoRepeatNGramSize),
		EarlyStopping:                  q.EarlyStopping,
		NumReturnSequences:             int32Of(q.NumReturnSequences),
		DoSample:                       q.DoSample,
		TopP:                           q.TopP,
		Temperature:                    q.Temperature,
		RepetitionPenalty:              q.RepetitionPenalty,
		LengthPenalty:                  q.LengthPenalty,
		MaxTime:                        q.MaxTime,
		NumBeamGroups:                  int32Of(q.NumBeamGroups),
	})
}

// Check refuses settings that generate nothing sensible, what exceeds the limits,
// and CMPPACK, which rounds tokens.
func (q *TextSeq2Seq) Check(b Batch, l Limits) *Fault {
	if f := firstFault(checkBatch(q.Task(), b, l), q.Coding.checkCoding(), q.checkCounts(), q.checkNumbers()); f != nil {
		return f
	}
	if f := q.Coding.checkIDs(b, true); f != nil && !l.LossyIDs {
		return f
	}
	return firstFault(
		bound(badRequest, int64(q.maxLength(b)), "tokens of a generated text", int64(l.Generate)),
		bound(badRequest, int64(q.NumBeams), "beams", int64(l.Beams)),
		bound(badRequest, int64(q.NumReturnSequences), "sequences a text", int64(l.Beams)),
		checkAnswer(q, b, l),
	)
}

// Numbers is the tokens of all sequences, which can end early.
func (q *TextSeq2Seq) Numbers(b Batch) (least, most int64) {
	n := product(b.Texts, q.NumReturnSequences, q.NumToGenerate)
	return n, n
}

func (q *TextSeq2Seq) checkCounts() *Fault {
	for _, c := range []struct {
		name     string
		n, least int
	}{
		{"num_to_generate", q.NumToGenerate, 1},
		{"num_return_sequences", q.NumReturnSequences, 1},
		{"num_beams", q.NumBeams, 1},
		{"num_beam_groups", q.NumBeamGroups, 1},
		{"no_repeat_ngram_size", q.NoRepeatNGramSize, 0},
		{"topk", q.TopK, 0},
	} {
		if c.n < c.least {
			return Faultf(badRequest, "%s %d is below %d", c.name, c.n, c.least)
		}
	}
	if q.NumBeams%q.NumBeamGroups != 0 {
		return Faultf(badRequest, "%d beams do not make %d groups", q.NumBeams, q.NumBeamGroups)
	}
	if !q.DoSample && q.NumReturnSequences > q.NumBeams {
		return Faultf(badRequest, "%d sequences exceed the %d beams", q.NumReturnSequences, q.NumBeams)
	}
	return nil
}

func (q *TextSeq2Seq) checkNumbers() *Fault {
	for _, c := range []struct {
		name string
		v    float32
		ok   bool
	}{
		{"top_p", q.TopP, q.TopP >= 0 && q.TopP <= 1},
		{"temperature", q.Temperature, q.Temperature > 0 && !isInf(q.Temperature)},
		{"repetition_penalty", q.RepetitionPenalty, q.RepetitionPenalty > 0 && !isInf(q.RepetitionPenalty)},
		{"length_penalty", q.LengthPenalty, q.LengthPenalty == q.LengthPenalty && !isInf(q.LengthPenalty)},
		{"max_time", q.MaxTime, q.MaxTime > 0},
	} {
		if !c.ok {
			return Faultf(badRequest, "%s %v is out of range", c.name, c.v)
		}
	}
	return nil
}

func isInf(v float32) bool { return math.IsInf(float64(v), 0) }

// maxLength is where a sequence ends: at least one token is generated.
func (q *TextSeq2Seq) maxLength(b Batch) int { return max(b.Length+1, q.NumToGenerate) }

// Load is that of all beams, or sequences, at their longest.
func (q *TextSeq2Seq) Load(b Batch) int {
	return max(q.NumBeams, q.NumReturnSequences) * q.maxLength(b)
}

// generation is what a model is asked to do.
func (q *TextSeq2Seq) generation(b Batch) *Generation {
	return &Generation{
		MaxLength: q.maxLength(b), Sequences: q.NumReturnSequences,
		Beams: q.NumBeams, BeamGroups: q.NumBeamGroups, NoRepeatNGram: q.NoRepeatNGramSize, EarlyStopping: q.EarlyStopping,
		Sample: q.DoSample, TopK: q.TopK, TopP: q.TopP, Temperature: q.Temperature,
		RepetitionPenalty: q.RepetitionPenalty, LengthPenalty: q.LengthPenalty,
		MaxTime: time.Duration(min(float64(q.MaxTime)*1e9, float64(longest))),
	}
}

// longest is what no generation takes.
const longest = 24 * time.Hour

// Answer keeps each sequence, cut to what is sent of it.
func (q *TextSeq2Seq) Answer(b Batch) ([]Need, func() (*wire.Tensor, error)) {
	sequences := make([][]int32, b.Texts*q.NumReturnSequences)
	come := make(arrivals, len(sequences))
	needs := make([]Need, b.Texts)
	for text := range needs {
		needs[text] = Need{Generation: q.generation(b), Generated: func(n int, tokens []int32) error {
			if n < 0 || n >= q.NumReturnSequences {
				return Faultf(wire.ReturnCode_RETURN_CODE_RESPONSE_SHAPE_EXCEPTION, "sequence %d of %d", n, q.NumReturnSequences)
			}
			at := text*q.NumReturnSequences + n
			err := come.claim(at)
			if err == nil {
				sequences[at] = append([]int32(nil), tokens[:min(len(tokens), q.NumToGenerate)]...)
			}
			return err
		}}
	}
	return needs, func() (*wire.Tensor, error) {
		if err := come.check(); err != nil {
			return nil, err
		}
		return padded(sequences).finish(q.Coding.ForwardResponse)
	}
}

// endOfText ends a text in standard tokens.
const endOfText = StandardVocabulary - 1

// padded makes a rectangle. As in the reference a sequence that came to an end is
// filled up with ends of text, and one that is shorter for another reason, such
// as fewer standard than server tokens, with token 0.
func padded(sequences [][]int32) *output {
	width := 0
	for _, s := range sequences {
		width = max(width, len(s))
	}
	out := newOutput(Int64, len(sequences), width)
	for i, s := range sequences {
		for j, token := range s {
			out.putInt(i*width+j, int64(token))
		}
		if n := len(s); n > 0 && s[n-1] == endOfText {
			for j := n; j < width; j++ {
				out.putInt(i*width+j, endOfText)
			}
		}
	}
	return out
}

// Sequences are the answer of TextSeq2Seq: token ids as the server sent them,
// which need not be such.
type Sequences struct {
	PerText int // sequences of each text
	array   Tensor
	numbers []int64
}

// Len is the number of sequences.
func (s *Sequences) Len() int { return s.array.Shape[0] }

// At is the i-th sequence of a text, not to be changed.
func (s *Sequences) At(text, i int) []int64 {
	row, width := text*s.PerText+i, s.array.Shape[1]
	return s.numbers[row*width : (row+1)*width]
}

// Tensor is what the server sent.
func (s *Sequences) Tensor() Tensor { return s.array }

// Decode reads an answer: *[Sequences]. Where several sequences of a text are
// asked for, the reference refuses all answers that have them.
func (q *TextSeq2Seq) Decode(b Batch, w *wire.Tensor) (Answer, error) {
	rows := product(b.Texts, max(q.NumReturnSequences, 0))
	most := product(b.Texts, max(q.NumReturnSequences, 0), max(q.NumToGenerate, 0))
	t, err := Decode(w, int(min(most, math.MaxInt32)))
	if err != nil {
		return nil, err
	}
	if len(t.Shape) != 2 || int64(t.Shape[0]) != rows || t.Shape[1] > q.NumToGenerate {
		return nil, wrong(ErrShape, "forward_response_tensor.shape must be in [%d, <%d], got: %s for synapse: %s",
			rows, q.NumToGenerate, listed(t.Shape), q.Task().Name)
	}
	return &Sequences{q.NumReturnSequences, t, t.Int64s()}, nil
}

// String says how many there are.
func (s *Sequences) String() string { return fmt.Sprintf("%d sequences", s.Len()) }

func (*TextSeq2Seq) answersWithIDs() bool { return true }
