package nucleus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"axon/engine"
	"axon/synapse"
)

// generate continues a text as a need says.
func (t *text) generate(ctx context.Context, n *synapse.Need) error {
	g := n.Generation
	req, err := t.request(g)
	if err != nil {
		return err
	}
	bounded := ctx
	if g.MaxTime > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, g.MaxTime)
		defer cancel()
	}
	r, err := t.engine.Generate(bounded, req)
	if late := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil; err != nil && !late {
		return err
	}
	for i, s := range r.Sequences {
		tokens, err := t.standard(s)
		if err != nil {
			return err
		}
		if err := n.Generated(i, tokens[:min(len(tokens), g.MaxLength)]); err != nil {
			return err
		}
	}
	return nil
}

// request says in the engine's words what is to be generated. The length counts
// the prompt, and at least one token is generated, as with the reference.
func (t *text) request(g *synapse.Generation) (engine.GenerateRequest, error) {
	prompt := append(append([]int32{}, t.start...), t.own...)
	req := engine.GenerateRequest{
		Prompt: prompt, MaxTokens: max(1, g.MaxLength-len(prompt)), N: max(1, g.Sequences),
		Sampling: engine.Sampling{RepeatPenalty: g.RepetitionPenalty, RepeatLast: -1, NoRepeatNGram: g.NoRepeatNGram},
	}
	switch {
	case g.Sample && g.Beams > 1:
		return req, fmt.Errorf("%w: beam search that samples; ask for num_beams 1 or do_sample false", engine.ErrUnsupported)
	case g.Sample:
		req.Sampling.Temp, req.Sampling.TopK, req.Sampling.TopP, req.Sampling.Seed = g.Temperature, g.TopK, g.TopP, rand.Uint32()
	case g.Beams > 1:
		req.Beams = &engine.BeamOptions{Beams: g.Beams, Groups: max(1, g.BeamGroups), LengthPenalty: g.LengthPenalty, EarlyStopping: g.EarlyStopping}
	}
	return req, nil
}

// standard is the text with its continuation in standard tokens. Where the model
// ended the text, the end is a token too.
func (t *text) standard(s engine.Generated) ([]int32, error) {
	tokens := append(append([]int32{}, t.own...), s.Tokens...)
	if t.translated != nil {
		whole, err := t.server.Text(tokens)
		if err != nil {
			return nil, err
		}
		if tokens, err = t.std.Tokenize(whole); err != nil {
			return nil, err
		}
	}
	if end := t.std.EndOfText(); s.Reason == engine.StopEOG && end >= 0 && (len(tokens) == 0 || tokens[len(tokens)-1] != end) {
		tokens = append(tokens, end)
	}
	return tokens, nil
}
