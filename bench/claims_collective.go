package bench

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"axon/synapse"
	"axon/synapse/validator"
)

// claimsCopies are the numbers of copies that are tried.
var claimsCopies = []int{0, 1, 3, 7}

// runTexts is how many texts a run is about: a validator's batch.
const runTexts = 8

// mostServers bounds the unlike servers of a game, whose sets are gone through.
const mostServers = 12

// The scores that are compared.
const (
	scoreBase    = "base"           // the individual one: N(loss)^0.5
	scoreSynergy = "synergy"        // what pairs do better, of release 3.7.0
	scoreSum     = "base + synergy" // the release's score with both
	scoreRemoval = "removal"        // how much worse the mean of all is without the server
	scoreShapley = "Shapley value"  // the same, averaged over all orders
)

// collectiveScores are all of them, the individual one first.
var collectiveScores = []string{scoreBase, scoreSum, scoreSynergy, scoreRemoval, scoreShapley}

// CollectiveResult is what claim c comes to.
type CollectiveResult struct {
	Copied   string          `json:"copied"` // the model of which there are copies
	Runs     int             `json:"runs"`   // about different texts
	Texts    int             `json:"texts"`  // of a run
	Rows     []CollectiveRow `json:"rows"`
	Orders   []ScoreOrder    `json:"orders"`
	Findings []Finding       `json:"findings"`
}

// CollectiveRow is a score of a server among so many copies of one.
type CollectiveRow struct {
	Score     string    `json:"score"`
	Model     string    `json:"model"`
	Copies    int       `json:"copies"`
	Mean      float64   `json:"mean"`
	Deviation float64   `json:"deviation"`          // from run to run
	Relative  *Interval `json:"relative,omitempty"` // the mean over that without copies; nil: that is 0
	Share     float64   `json:"share"`              // of what all servers get, its copies' share included

	runs []float64
}

// ScoreOrder is how often a score of one run puts all servers, without copies, in the order
// of their losses on all texts.
type ScoreOrder struct {
	Score string   `json:"score"`
	Right float64  `json:"right"`
	In95  Interval `json:"right_95"`
}

// collective scores the servers in runs, alone and together.
func (r *claimsRun) collective(ctx context.Context) (*CollectiveResult, error) {
	order := r.order()
	uids := append(slices.Clone(order[1:]), order[0]) // the copied one last: it loses least
	if len(uids) > mostServers {
		return nil, fmt.Errorf("%w: %d servers, of which %d at most are scored together", ErrClaims, len(uids), mostServers)
	}
	width := r.config.Length - 1
	runs := len(r.losses[0]) / (width * runTexts)
	result := &CollectiveResult{Copied: claimsModelName(r.config.Models[order[0]]), Runs: runs, Texts: runTexts}
	for i, copies := range claimsCopies {
		r.tell("c: scores", float64(i)/float64(len(claimsCopies)))
		values := map[string][][]float64{} // by score, server and run
		for _, s := range collectiveScores {
			values[s] = make([][]float64, len(uids))
		}
		for run := range runs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			losses := make([][]float64, len(uids))
			for j, uid := range uids {
				losses[j] = r.losses[uid][run*width*runTexts : (run+1)*width*runTexts]
			}
			if err := scoreRun(losses, copies, width, values); err != nil {
				return nil, err
			}
		}
		result.Rows = append(result.Rows, r.collectiveRows(uids, copies, values)...)
	}
	result.compare(r)
	for _, score := range collectiveScores {
		result.Orders = append(result.Orders, result.order(score))
	}
	result.Findings = r.collectiveFindings(result)
	return result, nil
}

// scoreRun adds a run's scores of each server to its values, the last one's copies left out.
func scoreRun(losses [][]float64, copies, width int, values map[string][][]float64) error {
	add := func(score string, worth []float64) {
		for i, w := range worth {
			values[score][i] = append(values[score][i], w)
		}
	}
	last := len(losses) - 1
	var replies []validator.Reply
	for i, l := range append(slices.Clone(losses), slices.Repeat(losses[last:], copies)...) {
		a := &validator.Answer{Losses: l}
		for at := width - 1; at < len(l); at += width {
			a.First = append(a.First, l[at])
		}
		replies = append(replies, validator.Reply{UID: i, Answer: a})
	}
	stats, err := validator.Rules{Synergy: true}.Score(validator.CausalLM, replies)
	if err != nil {
		return err
	}
	of := func(f func(validator.Worth) float64) []float64 {
		list := make([]float64, len(losses))
		for i := range list {
			list[i] = f(stats[i].Worth)
		}
		return list
	}
	add(scoreBase, of(func(w validator.Worth) float64 { return w.Base }))
	add(scoreSynergy, of(func(w validator.Worth) float64 { return w.Synergy }))
	add(scoreSum, of(func(w validator.Worth) float64 { return w.Score }))
	g := game{copied: probsOf(losses[last]), copies: copies, empty: -math.Log(synapse.StandardVocabulary)}
	for _, l := range losses[:last] {
		g.others = append(g.others, probsOf(l))
	}
	v := g.values()
	add(scoreRemoval, g.removal(v))
	add(scoreShapley, g.shapley(v))
	return nil
}

func probsOf(losses []float64) []float64 {
	p := make([]float64, len(losses))
	for i, l := range losses {
		p[i] = math.Exp(-l)
	}
	return p
}

func (r *claimsRun) collectiveRows(uids []int, copies int, values map[string][][]float64) []CollectiveRow {
	var rows []CollectiveRow
	for _, score := range collectiveScores {
		total := 0.0
		for i, runs := range values[score] {
			count := 1
			if i == len(uids)-1 {
				count += copies
			}
			row := CollectiveRow{Score: score, Model: claimsModelName(r.config.Models[uids[i]]), Copies: copies, Mean: Mean(runs), Deviation: StdDev(runs), runs: runs}
			row.Share = float64(count) * max(0, row.Mean)
			total += row.Share
			rows = append(rows, row)
		}
		for i := len(rows) - len(uids); i < len(rows); i++ {
			rows[i].Share /= max(total, math.SmallestNonzeroFloat64) // of nothing there are no parts
		}
	}
	return rows
}

// find is the row of a score of a model among copies.
func (c *CollectiveResult) find(score, model string, copies int) *CollectiveRow {
	i := slices.IndexFunc(c.Rows, func(r CollectiveRow) bool { return r.Score == score && r.Model == model && r.Copies == copies })
	return &c.Rows[i]
}

// compare sets what each score is beside the same one without copies.
func (c *CollectiveResult) compare(r *claimsRun) {
	for i := range c.Rows {
		row := &c.Rows[i]
		alone := c.find(row.Score, row.Model, 0)
		if alone.Mean == 0 {
			continue
		}
		relative := bootstrap(r.config.random(5), c.Runs, r.config.Effort.Bootstrap, func(places []int) float64 {
			return Mean(pick(row.runs, places)) / Mean(pick(alone.runs, places))
		})
		row.Relative = &relative
	}
}

// order counts the runs in which a score falls from each server to the next worse one.
func (c *CollectiveResult) order(score string) ScoreOrder {
	models, right := c.models(), 0
	for run := range c.Runs {
		if slices.IsSortedFunc(models, func(a, b string) int {
			return cmp.Compare(c.find(score, b, 0).runs[run], c.find(score, a, 0).runs[run])
		}) {
			right++
		}
	}
	return ScoreOrder{score, float64(right) / float64(c.Runs), wilson(right, c.Runs)}
}

// models are those of the servers, that which loses least first: the copied one.
func (c *CollectiveResult) models() []string {
	list := []string{c.Copied}
	for _, r := range c.Rows {
		if r.Score == scoreBase && r.Copies == 0 && r.Model != c.Copied {
			list = append(list, r.Model)
		}
	}
	return list
}

func (r *claimsRun) collectiveFindings(c *CollectiveResult) []Finding {
	var list []Finding
	for i, score := range []string{scoreShapley, scoreRemoval, scoreSynergy, scoreSum} {
		f := Finding{fmt.Sprintf("c%d the collective score punishes a copy: %s", i+1, score), Undecided, "the server has nothing to lose"}
		if one := c.find(score, c.Copied, 1).Relative; one != nil {
			f.Verdict = decide(*one, 1, false)
			f.Because = fmt.Sprintf("with one copy a server gets %s of what it got; the owner of both %s",
				one.text(3), c.ownerText(score, 1))
		}
		list = append(list, f)
	}
	for i, score := range []string{scoreShapley, scoreRemoval, scoreSynergy, scoreSum} {
		times := r.fluctuation(c, score)
		list = append(list, Finding{fmt.Sprintf("c%d … and fluctuates: %s", i+5, score), decide(times, 1, true),
			fmt.Sprintf("from run to run its deviation is %s times that of the individual score, both over their means", times.text(2))})
	}
	list = append(list, c.ordering())
	base, copies := c.find(scoreBase, c.Copied, 0), slices.Max(claimsCopies)
	varies := bootstrap(r.config.random(6), c.Runs, r.config.Effort.Bootstrap, func(places []int) float64 { return variation(pick(base.runs, places)) })
	return append(list,
		Finding{"c10 the individual score does not punish a copy", Holds,
			fmt.Sprintf("it is the same by definition; the owner of %d copies %s", copies, c.ownerText(scoreBase, copies))},
		Finding{"c11 … and does not fluctuate", decide(varies, 0.1, false),
			fmt.Sprintf("its deviation is %s of its mean in runs of %d texts; below 0.1 would be steady", varies.text(2), c.Texts)})
}

// ownerText says what becomes of the share of whoever makes copies.
func (c *CollectiveResult) ownerText(score string, copies int) string {
	return fmt.Sprintf("gets %.0f %% of all instead of %.0f %%", 100*c.find(score, c.Copied, copies).Share, 100*c.find(score, c.Copied, 0).Share)
}

// ordering compares the individual score with the collective one that orders best.
func (c *CollectiveResult) ordering() Finding {
	best := slices.MaxFunc(c.Orders[1:], func(a, b ScoreOrder) int { return cmp.Compare(a.Right, b.Right) })
	alone := c.Orders[0]
	f := Finding{"c9 … so that one run orders the servers less reliably", Undecided,
		fmt.Sprintf("right in %s of the runs by the individual score, in %s by %s, the best of the others", alone.In95.text(2), best.In95.text(2), best.Score)}
	switch {
	case alone.In95.Low > best.In95.High:
		f.Verdict = Holds
	case best.In95.Low > alone.In95.High:
		f.Verdict = DoesNotHold
	}
	return f
}

// fluctuation is how many times the individual score's deviation a score has.
func (r *claimsRun) fluctuation(c *CollectiveResult, score string) Interval {
	together, alone := c.find(score, c.Copied, 0), c.find(scoreBase, c.Copied, 0)
	return bootstrap(r.config.random(7), c.Runs, r.config.Effort.Bootstrap, func(places []int) float64 {
		return variation(pick(together.runs, places)) / variation(pick(alone.runs, places))
	})
}

func variation(x []float64) float64 { return StdDev(x) / math.Abs(Mean(x)) }
