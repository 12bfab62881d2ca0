package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"axon/internal/corpus"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
	"axon/synapse/validator/state"
)

// referee is a validator of one rule.
type referee struct {
	*rounds.Validator
	options rounds.Options
	store   *state.Store
	rounds  []*state.Round
}

// referees are validators of both rules that ask the same and hear the same.
type referees struct {
	proper, reference *referee
	closers           []func() error
}

// referees begin at a position of the texts, and ask so many servers.
func (g *attackGame) referees(texts corpus.Corpus, at corpus.Position, servers []player) (*referees, error) {
	folder, err := os.MkdirTemp(g.folder, "state-*")
	if err != nil {
		return nil, err
	}
	var endpoints []client.Endpoint
	for _, p := range servers {
		endpoints = append(endpoints, p.endpoint)
	}
	both := &referees{}
	for _, proper := range []bool{true, false} {
		r, err := g.referee(folder, texts, at, endpoints, proper)
		if err != nil {
			return nil, errors.Join(err, both.Close())
		}
		both.closers = append(both.closers, r.store.Close)
		if proper {
			both.proper = r
		} else {
			both.reference = r
		}
	}
	return both, nil
}

func (g *attackGame) referee(folder string, texts corpus.Corpus, at corpus.Position, endpoints []client.Endpoint, proper bool) (*referee, error) {
	r := &referee{options: g.options(proper)}
	settings := r.options.Settings(texts.Fingerprint())
	var err error
	if r.store, err = state.Open(filepath.Join(folder, settings["rule"]), state.Options{Settings: settings}); err != nil {
		return nil, err
	}
	if r.store.State.Progress.Position, err = json.Marshal(at); err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	r.Validator, err = rounds.New(r.options, g.asker, texts, func() []client.Endpoint { return endpoints }, r.store)
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	return r, nil
}

// Close lets go of the states.
func (r *referees) Close() error {
	var faults []error
	for _, c := range r.closers {
		faults = append(faults, c())
	}
	return errors.Join(faults...)
}

// play has a number of rounds, both rules in turn about the same answers.
func (r *referees) play(ctx context.Context, n int, tell func(done float64)) error {
	for i := range n {
		for _, one := range []*referee{r.proper, r.reference} {
			round, err := one.Round(ctx)
			if err != nil {
				return err
			}
			one.rounds = append(one.rounds, round)
		}
		tell(float64(i+1) / float64(n))
	}
	return nil
}

// first lets all servers play about texts of which none comes twice.
func (g *attackGame) first(ctx context.Context, tell func(float64)) (rows []AttackRow, err error) {
	texts, err := g.corpus(ctx, g.text)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, texts.Close()) }()
	if most := texts.Size().Windows; most < int64(g.config.Rounds*g.config.Texts) {
		return nil, fmt.Errorf("%w: %d rounds of %d texts, where %s has %d at most; name a longer text", ErrAttacks, g.config.Rounds, g.config.Texts, g.text, most)
	}
	r, err := g.referees(texts, corpus.Position{}, append(g.honest[:len(g.honest):len(g.honest)], g.players...))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.play(ctx, g.config.Rounds, tell); err != nil {
		return nil, err
	}
	if r.proper.rounds[g.config.Rounds-1].Repeated {
		return nil, fmt.Errorf("%w: texts came twice within %d rounds of %d; name a longer text, or fewer rounds", ErrAttacks, g.config.Rounds, g.config.Texts)
	}
	return g.judge(r, append(g.honest[:len(g.honest):len(g.honest)], g.players...), false)
}

// repeated lets some attackers play about texts that come a second time: a part of the
// text, about all of which they are asked before anybody counts.
func (g *attackGame) repeated(ctx context.Context, players []player, tell func(float64)) (rows []AttackRow, err error) {
	texts, err := g.excerpt(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, texts.Close()) }()
	servers := append(g.bases(), players...)
	if err := g.askAll(ctx, texts, players); err != nil {
		return nil, err
	}
	r, err := g.referees(texts, corpus.Position{Epoch: repeatedEpochs}, servers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.play(ctx, max(2, g.config.Rounds/4), tell); err != nil {
		return nil, err
	}
	return g.judge(r, servers, true)
}

// excerpt is the beginning of the text, enough for the rounds of an epoch.
func (g *attackGame) excerpt(ctx context.Context) (corpus.Corpus, error) {
	data, err := os.ReadFile(g.text)
	if err != nil {
		return nil, err
	}
	size := max(2, g.config.Rounds/4) * g.config.Texts * repeatedBytes
	path := filepath.Join(g.folder, "excerpt.txt")
	if err := os.WriteFile(path, data[:min(size, len(data))], 0o600); err != nil {
		return nil, err
	}
	return g.corpus(ctx, path)
}

// askAll asks servers about all texts, epoch after epoch.
func (g *attackGame) askAll(ctx context.Context, texts corpus.Corpus, servers []player) error {
	o := g.options(true)
	var endpoints []client.Endpoint
	for _, p := range servers {
		endpoints = append(endpoints, p.endpoint)
	}
	for at := (corpus.Position{}); ; {
		windows, next, err := texts.Draw(ctx, at, o.Texts)
		if err != nil {
			return err
		}
		if next.Epoch >= repeatedEpochs {
			return ctx.Err()
		}
		at = next
		b := synapse.Batch{Texts: len(windows), Length: o.Context}
		for _, w := range windows {
			b.Tokens = append(b.Tokens, w[:o.Context]...)
		}
		var q synapse.Synapse = &synapse.TextCausalLMNext{TopK: o.TopK}
		if g.task == validator.CausalLM {
			q = &synapse.TextCausalLM{TopK: o.TopK}
		}
		g.asker.ask(ctx, endpoints, b, []synapse.Synapse{q})
	}
}

// bases are the honest servers of the attackers' model.
func (g *attackGame) bases() []player {
	for _, p := range g.honest {
		if p.model == g.config.Base {
			return []player{p}
		}
	}
	return nil
}
