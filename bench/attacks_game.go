package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"axon/internal/corpus"
	"axon/internal/hostile"
	"axon/internal/localnet"
	"axon/internal/standard"
	"axon/models"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
)

const (
	// attackDelay is by how much a server is late that is within the time-out.
	attackDelay = 50 * time.Millisecond
	// attackPatience is how long a validator waits, and attackHaste how long for a server that
	// would not answer in any time.
	attackPatience = time.Minute
	attackHaste    = 100 * time.Millisecond
	// repeatedBytes is how much text comes a second time, for a round about.
	repeatedBytes = 1 << 10
	// repeatedEpochs are how often. In each the windows lie elsewhere, all by the same: what one
	// epoch asks for stood in the texts of another for a third of all pairs of them.
	repeatedEpochs = 6
)

// player is a server, honest or not.
type player struct {
	attack   hostile.Attack
	model    string
	endpoint client.Endpoint
}

// attackGame is a network of honest and hostile servers, and whoever asks them.
type attackGame struct {
	config  AttackConfig
	task    validator.Task
	folder  string // of texts and states
	text    string // the file
	net     *localnet.Network
	asker   *echo
	honest  []player // in the order of the config's models
	players []player // the attackers
	closers []func() error
}

func newAttackGame(ctx context.Context, c AttackConfig, task validator.Task) (g *attackGame, err error) {
	g = &attackGame{config: c, task: task}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close())
		}
	}()
	if g.folder, err = os.MkdirTemp("", "axon-attacks-*"); err != nil {
		return g, err
	}
	g.closers = append(g.closers, func() error { return os.RemoveAll(g.folder) })
	if g.text = c.File; g.text == "" {
		g.text = filepath.Join(g.folder, "heldout.txt")
		if err := os.WriteFile(g.text, []byte(models.HeldOut), 0o600); err != nil {
			return g, err
		}
	}
	means, err := g.means()
	if err != nil {
		return g, err
	}
	if err := g.start(ctx, means); err != nil {
		return g, err
	}
	g.asker, err = newEcho(g.players)
	if err == nil {
		g.closers = append(g.closers, g.asker.Close)
	}
	return g, err
}

// means are what attackers have: a key to ask with, the better servers, and the text.
func (g *attackGame) means() (hostile.Means, error) {
	m := hostile.Means{Delay: attackDelay, Neighbours: g.neighbours}
	var err error
	if m.Key, err = auth.NewKey(); err != nil {
		return m, err
	}
	data, err := os.ReadFile(g.text)
	if err != nil {
		return m, fmt.Errorf("read the text: %w", err)
	}
	tokens, err := standardTokens{}.Tokenize(string(data))
	m.Text = [][]int32{tokens}
	return m, err
}

// neighbours are the honest servers, the largest model first.
func (g *attackGame) neighbours() []client.Endpoint {
	var list []client.Endpoint
	for _, p := range g.bySize() {
		list = append(list, p.endpoint)
	}
	return list
}

func (g *attackGame) bySize() []player {
	list := slices.Clone(g.honest)
	slices.SortStableFunc(list, func(a, b player) int {
		return int(g.net.Info(b.endpoint.UID).Params) - int(g.net.Info(a.endpoint.UID).Params)
	})
	return list
}

// start starts all servers. Those of one model share what it says.
func (g *attackGame) start(ctx context.Context, means hostile.Means) error {
	shared := map[string]*hostile.Once{}
	wrap := func(name string, a hostile.Attack) func(server.Model) server.Model {
		return func(m server.Model) server.Model {
			if shared[name] == nil && m != nil {
				shared[name] = hostile.NewOnce(m, 4*g.config.Texts)
			}
			if m != nil {
				m = shared[name]
			}
			attacker := a.Wrap(m, means)
			if c, ok := attacker.(io.Closer); ok { // of its connections to neighbours
				g.closers = append(g.closers, c.Close)
			}
			return attacker
		}
	}
	var nodes []localnet.Node
	for _, name := range g.config.Models {
		nodes = append(nodes, localnet.Node{Model: name, Wrap: wrap(name, hostile.Attack{})})
		g.honest = append(g.honest, player{hostile.Attack{Name: hostile.Honest}, name, client.Endpoint{}})
	}
	for _, a := range g.config.Attacks {
		if err := a.Check(means); err != nil {
			return err
		}
		g.players = append(g.players, player{a, g.config.Base, client.Endpoint{}})
		if !a.OnTheWire() {
			nodes = append(nodes, localnet.Node{Model: g.config.Base, Wrap: wrap(g.config.Base, a)})
		}
	}
	o := localnet.Options{Threads: g.config.Threads, Sequences: 16, Tokens: 32 * (g.config.Context + 8)}
	var err error
	if g.net, err = localnet.Start(ctx, o, nodes...); err != nil {
		return err
	}
	g.closers = append(g.closers, g.net.Close)
	return g.connect(shared[g.config.Base], means)
}

// connect starts the servers that localnet has not, and notes where all are.
func (g *attackGame) connect(base server.Model, means hostile.Means) error {
	endpoints := g.net.Endpoints()
	for i := range g.honest {
		g.honest[i].endpoint = endpoints[i]
	}
	at, uid := len(g.honest), len(endpoints)
	for i := range g.players {
		p := &g.players[i]
		if !p.attack.OnTheWire() {
			p.endpoint = endpoints[at]
			at++
			continue
		}
		s, err := hostile.Serve(base, p.attack, means)
		if err != nil {
			return err
		}
		g.closers = append(g.closers, s.Close)
		p.endpoint = s.Endpoint(uid)
		uid++
	}
	return nil
}

// Close ends all servers and removes what was written.
func (g *attackGame) Close() error {
	var faults []error
	for _, c := range slices.Backward(g.closers) {
		faults = append(faults, c())
	}
	g.closers = nil
	return errors.Join(faults...)
}

// options are the validator's, but for the rules.
func (g *attackGame) options(proper bool) rounds.Options {
	topK := attackTopKNext
	if g.task == validator.CausalLM {
		topK = attackTopK
	}
	return rounds.Options{
		Task: g.task, Rules: validator.Rules{Proper: proper}, Seed: g.config.Seed,
		TopK: topK, Texts: g.config.Texts, Context: g.config.Context, Repeat: true,
	}.WithDefaults()
}

// corpus opens a text.
func (g *attackGame) corpus(ctx context.Context, path string) (corpus.Corpus, error) {
	return corpus.Open(ctx, corpus.Options{
		Paths: []string{path}, Length: g.options(true).Window(), Seed: g.config.Seed, Tokenizer: standardTokens{},
	})
}

// standardTokens cuts text into standard tokens.
type standardTokens struct{}

// Tokenize implements corpus.Tokenizer.
func (standardTokens) Tokenize(text string) ([]int32, error) {
	v, err := standard.Vocab()
	if err != nil {
		return nil, err
	}
	return v.Tokenize(text, false, false)
}
