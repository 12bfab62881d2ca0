package bench

import (
	"math"
	"math/rand/v2"

	"axon/internal/hostile"
	"axon/synapse/validator"
	"axon/synapse/validator/state"
	"axon/synapse/wire"
)

// The verdicts on an attack: more, the same or less than honest play earns.
const (
	EarnsMore = "more"
	EarnsSame = "same"
	EarnsLess = "less"
)

const (
	// attackSigmas95 and attackSigmas999 are halves of intervals that hold a normal variable
	// 95 % and 99.9 % of the time. The first is shown, the second decides: there are many rows.
	attackSigmas95  = 1.959964
	attackSigmas999 = 3.290527
)

// judge makes the rows of all servers.
func (g *attackGame) judge(r *referees, servers []player, repeated bool) ([]AttackRow, error) {
	trials := make([]*trial, 2)
	for i, one := range []*referee{r.reference, r.proper} {
		trials[i] = &trial{game: g, referee: one, proper: r.proper, stats: map[int][]validator.Stats{}}
		for _, p := range servers {
			if err := trials[i].collect(p.endpoint.UID); err != nil {
				return nil, err
			}
		}
	}
	rows := make([]AttackRow, len(servers))
	for i, p := range servers {
		rows[i] = AttackRow{
			Task: g.task.String(), Attack: p.attack.Name, About: p.attack.About, Model: p.model, Beside: g.beside(p).model,
			Knows: p.attack.Knows.String(), Repeated: repeated, Rounds: len(r.proper.rounds), Texts: r.proper.State().Progress.Texts,
			Reference: trials[0].outcome(p), Proper: trials[1].outcome(p),
		}
	}
	return rows, nil
}

// trial is one rule's part.
type trial struct {
	game    *attackGame
	referee *referee
	proper  *referee // whose losses are those of first tokens
	stats   map[int][]validator.Stats
}

// collect finds a server's statistics of each round.
func (t *trial) collect(uid int) error {
	rules := t.referee.options.Rules
	for i := range t.referee.rounds {
		answer := t.answer(uid, i)
		stats, err := rules.Score(t.game.task, []validator.Reply{{UID: uid, Routing: math.NaN(), Answer: answer}})
		if err != nil {
			return err
		}
		t.stats[uid] = append(t.stats[uid], stats...)
	}
	return nil
}

// answer is what a server's answer came to in a round; nil: there was none.
func (t *trial) answer(uid, round int) *validator.Answer {
	own, first := replyOf(t.referee.rounds[round], uid), replyOf(t.proper.rounds[round], uid)
	if own.Code != wire.ReturnCode_RETURN_CODE_SUCCESS || len(own.Losses) == 0 || len(first.Losses) == 0 {
		return nil
	}
	return &validator.Answer{Losses: float64s(own.Losses), First: float64s(first.Losses)}
}

func replyOf(r *state.Round, uid int) state.Reply {
	for _, reply := range r.Replies {
		if reply.UID == uid {
			return reply
		}
	}
	return state.Reply{}
}

func float64s(x []float32) []float64 {
	list := make([]float64, len(x))
	for i, v := range x {
		list[i] = float64(v)
	}
	return list
}

// outcome says what a server earned.
func (t *trial) outcome(p player) AttackOutcome {
	beside := t.game.beside(p)
	known, honest := t.referee.State().Servers[p.endpoint.UID], t.referee.State().Servers[beside.endpoint.UID].Average
	a := known.Average
	o := AttackOutcome{
		Answered: known.Answered(), Loss: orZero(a.Worth.Loss), LossError: orZero(a.Tally.Error()),
		More: t.more(p, beside), Score: orZero(a.Score), Weight: a.Weight,
	}
	if p.attack.Anew {
		o.Weight = t.weight(p, t.all())
	}
	o.Ratio = orZero(o.Weight / honest.Weight)
	spread := t.spread(p, beside)
	if o.Ratio > 0 {
		o.Interval = [2]float64{o.Ratio * math.Exp(-attackSigmas95*spread), o.Ratio * math.Exp(attackSigmas95*spread)}
	}
	o.Verdict = verdictOfRatio(o.Ratio, spread)
	if t.referee == t.proper {
		o.MoreThanBest = t.more(p, t.game.best(p))
		if !p.attack.Anew {
			o.Verdict = verdictOfLoss(o.More)
		}
	}
	return o
}

// What is less than these counts as the same: a hundredth of a weight, and by how much a loss
// changes a weight by that, at the losses of the largest models.
const (
	attackSameWeight = 0.01
	attackSameLoss   = 0.002 // nats
)

// verdictOfLoss is by the proper rule, where a score follows from the loss: over many rounds
// who loses less earns more.
func verdictOfLoss(m AttackMean) string {
	switch half := attackSigmas999 * m.Error; {
	case m.Mean+half < -attackSameLoss:
		return EarnsMore
	case m.Mean-half > attackSameLoss:
		return EarnsLess
	}
	return EarnsSame
}

// verdictOfRatio is by the reference's rule, where it does not. The logarithm of the ratio is
// taken for normal.
func verdictOfRatio(ratio, spread float64) string {
	switch middle, half := math.Log(ratio), attackSigmas999*spread; {
	case middle-half > attackSameWeight:
		return EarnsMore
	case middle+half < -attackSameWeight:
		return EarnsLess
	}
	return EarnsSame
}

func orZero(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// beside is who plays honestly beside an attacker: the server of the same model, or the
// neighbour whom it copies, the one of the largest model.
func (g *attackGame) beside(p player) player {
	if p.attack.Knows == hostile.Neighbour || p.attack.Knows == hostile.Several {
		return g.bySize()[0]
	}
	for _, h := range g.honest {
		if h.model == p.model {
			return h
		}
	}
	return p
}

// best is the best honest play by what an attacker knows.
func (g *attackGame) best(p player) player {
	honest := g.beside(p)
	for _, other := range g.players {
		if other.attack.Name == hostile.Translated && other.model == honest.model {
			return other
		}
	}
	return honest
}

// more compares losses on the texts that both have any on.
func (t *trial) more(p, beside player) AttackMean {
	var list []float64
	for _, round := range t.referee.rounds {
		own, other := perTextLosses(replyOf(round, p.endpoint.UID), round.Texts), perTextLosses(replyOf(round, beside.endpoint.UID), round.Texts)
		for i := range min(len(own), len(other)) {
			list = append(list, own[i]-other[i])
		}
	}
	return AttackMean{Mean(list), StdDev(list) / math.Sqrt(max(1, float64(len(list)))), len(list)}
}

// perTextLosses are the means of a reply's losses for each text.
func perTextLosses(r state.Reply, texts int) []float64 {
	if len(r.Losses) == 0 || len(r.Losses)%texts != 0 {
		return nil
	}
	each := len(r.Losses) / texts
	list := make([]float64, texts)
	for i := range list {
		list[i] = Mean(float64s(r.Losses[i*each : (i+1)*each]))
	}
	return list
}

// spread is the standard error of the logarithm of a ratio of weights, by drawing rounds anew
// (Efron and Tibshirani, An Introduction to the Bootstrap, 1993): both weights are averaged
// again over the same draw.
func (t *trial) spread(p, beside player) float64 {
	rnd := rand.New(rand.NewPCG(t.game.config.Seed, 1))
	n := len(t.referee.rounds)
	var logs []float64
	places := make([]int, n)
	for range t.game.config.Resamplings {
		for i := range places {
			places[i] = rnd.IntN(n)
		}
		if v := math.Log(t.weight(p, places) / t.weight(beside, places)); !math.IsNaN(v) && !math.IsInf(v, 0) {
			logs = append(logs, v)
		}
	}
	return StdDev(logs)
}

// weight is what a server's weight would be after these rounds; of one that starts anew in
// each of them, what it is on average.
func (t *trial) weight(p player, places []int) float64 {
	uid, sum := p.endpoint.UID, 0.0
	a := validator.NewAverage(t.game.task, uid)
	for _, i := range places {
		if p.attack.Anew {
			a = validator.NewAverage(t.game.task, uid)
		}
		a.Update(t.stats[uid][i], t.referee.options.Rules)
		sum += a.Weight
	}
	if p.attack.Anew {
		return sum / float64(len(places))
	}
	return a.Weight
}

// all are the rounds as they were.
func (t *trial) all() []int {
	places := make([]int, len(t.referee.rounds))
	for i := range places {
		places[i] = i
	}
	return places
}
