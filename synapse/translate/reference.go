package translate

import "fmt"

// reference translates as release 3.7.0 of the network does.
type reference struct {
	server, standard *reader

	endName, serverEndName string // see [twin]

	toStandard sequences // the server's tokens in standard ones
	unroll     unroll    // from the server's rows to standard ones
	fold       fold      // from several rows of the server to a standard one
	parts      *parts

	rows, standardRows buffers
}

func newReference(p *Pair) (*reference, error) {
	r := &reference{server: newReader(p.server, p.CleanUp), standard: newReader(p.standard, p.CleanUp)}
	if r.server.endName() != "" && r.standard.endName() != "" {
		r.endName, r.serverEndName = r.standard.endName(), r.server.endName()
	}
	var err error
	if r.toStandard, err = spellPhrases(r.server, r.standard); err != nil {
		return nil, err
	}
	toServer, err := spellPhrases(r.standard, r.server)
	if err != nil {
		return nil, err
	}
	r.unroll, r.fold = newUnroll(r.toStandard), newFold(toServer)
	r.parts = newParts(r.server)
	r.rows, r.standardRows = newBuffers(p.server.Size()), newBuffers(p.standard.Size())
	return r, nil
}

func spellPhrases(from, to *reader) (sequences, error) {
	return spell(from.Size(), func(t int32) ([]int32, error) { return to.encodePhrase(from.decode(t)) })
}

// prepare tokenises a text for the server and finds out which of its rows are
// needed for which standard rows.
func (r *reference) prepare(standard []int32) (Text, error) {
	twin := newTwin(r.standard.decode(standard...), r.endName, r.serverEndName)
	tokens, bytes, err := r.server.encodeWithSpans(twin.server)
	if err != nil {
		return nil, fmt.Errorf("tokenise the text for the server: %w", err)
	}
	// The reference tokenises the text anew to find its offsets.
	again, standardBytes, err := r.standard.encodeWithSpans(twin.text)
	if err != nil {
		return nil, fmt.Errorf("tokenise the text: %w", err)
	}
	if len(tokens) == 0 || len(again) == 0 {
		return nil, fmt.Errorf("%w: the text %.40q has %d tokens for the server and %d standard ones", ErrText, twin.text, len(tokens), len(again))
	}
	t := &referenceText{reference: r, tokens: tokens, length: len(standard)}
	t.plan = newPlan(len(standard),
		pad(characters(twin.server, bytes), twin.to, twin.padded),
		pad(characters(twin.text, standardBytes), twin.from, twin.padded))
	return t, t.plan.load(r.parts)
}
