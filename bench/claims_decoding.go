package bench

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"axon/synapse"
	"axon/synapse/validator"
)

// logitsTopK is how many entries of each position the newer way asks for: the release's
// default.
const logitsTopK = 512

// DecodingResult is what claim a comes to.
type DecodingResult struct {
	Servers  []DecodingServer `json:"servers"`
	Findings []Finding        `json:"findings"`
}

// DecodingServer is a server whose loss was estimated in both ways.
type DecodingServer struct {
	Model   string        `json:"model"`
	Truth   Estimate      `json:"truth"`   // its own loss, nats a token
	Decoded []DecodedLoss `json:"decoded"` // the older way, by the texts that it learnt from
	Older   WayCost       `json:"older"`
	Newer   WayCost       `json:"newer"`
	Logits  Estimate      `json:"logits_error"` // of the newer way: estimate − truth
	Worse   Interval      `json:"worse"`        // by which the older way's error is larger

	truth, logits, decoded []float64 // losses by text
}

// DecodedLoss is an estimate by a decoder.
type DecodedLoss struct {
	training
	Tokens int      `json:"tokens"` // predictions that it learnt from
	Vocab  int      `json:"vocabulary"`
	Error  Estimate `json:"error"` // estimate − truth, paired by text
}

// WayCost is what an estimate costs the validator.
type WayCost struct {
	Bytes        int     `json:"bytes"`          // received
	JudgeBytes   int     `json:"bytes_to_judge"` // of these, for the texts that servers are judged by
	Seconds      float64 `json:"seconds"`        // with what the server takes
	JudgeSeconds float64 `json:"seconds_to_judge"`
}

// decoding measures every server in both ways.
func (r *claimsRun) decoding(ctx context.Context) (*DecodingResult, error) {
	result := &DecodingResult{}
	for uid, name := range r.config.Models {
		s := DecodingServer{Model: claimsModelName(name), truth: r.perText(uid)}
		s.Truth = newEstimate(s.truth)
		for i, way := range []func(context.Context, int, *DecodingServer) error{r.newer, r.older} {
			r.tell("a: logits and hidden states", (float64(uid)+0.1*float64(i))/float64(len(r.config.Models)))
			if err := way(ctx, uid, &s); err != nil {
				return nil, err
			}
		}
		s.Worse = r.worse(&s)
		result.Servers = append(result.Servers, s)
	}
	result.Findings = r.decodingFindings(result.Servers)
	return result, nil
}

// newer asks for logits.
func (r *claimsRun) newer(ctx context.Context, uid int, s *DecodingServer) error {
	losses, got, err := r.causalLM(ctx, uid, r.test, claimsBatch, &synapse.TextCausalLM{TopK: logitsTopK})
	if err != nil {
		return err
	}
	s.logits = meansOf(losses, r.config.Length-1)
	s.Logits = newEstimate(minus(s.logits, s.truth))
	s.Newer = WayCost{got.Bytes, got.Bytes, got.Elapsed.Seconds(), got.Elapsed.Seconds()}
	return nil
}

// causalLM are the losses of texts by the distributions of TextCausalLM, prediction by
// prediction.
func (r *claimsRun) causalLM(ctx context.Context, uid int, texts [][]int32, batch int, q *synapse.TextCausalLM) ([]float64, asked, error) {
	width := r.config.Length - 1
	losses := make([]float64, len(texts)*width)
	got, err := r.ask(ctx, uid, texts, batch, func() synapse.Synapse { return q }, func(first int, b synapse.Batch, a synapse.Answer) error {
		last := make([]int32, b.Texts) // what comes after a text is not judged
		m, err := validator.MeasureCausalLM(a.(*synapse.Distributions), b, last, synapse.NetworkVocabulary)
		if err != nil {
			return err
		}
		copy(losses[first*width:], m.Losses)
		return nil
	})
	return losses, got, err
}

// older asks for hidden states, and learns to decode them.
func (r *claimsRun) older(ctx context.Context, uid int, s *DecodingServer) error {
	begun := time.Now()
	learn, learnt, err := r.states(ctx, uid, r.learn)
	if err != nil {
		return err
	}
	test, tested, err := r.states(ctx, uid, r.test)
	if err != nil {
		return err
	}
	s.Older = WayCost{Bytes: learnt.Bytes + tested.Bytes, JudgeBytes: tested.Bytes}
	normalise(learn, test)
	held := learn.len() / 10
	validation := learn.first(held)
	rest := &examples{learn.width, learn.states[held*learn.width:], learn.tokens[held:]}
	for _, part := range []int{16, 4, 1} {
		d, t, err := train(rest.first(rest.len()/part), validation, r.config.Effort.Epochs, func() *rand.Rand { return r.config.random(2) })
		if err != nil {
			return err
		}
		trained := time.Now()
		losses, err := d.losses(test)
		if err != nil {
			return err
		}
		s.Older.JudgeSeconds = (tested.Elapsed + time.Since(trained)).Seconds()
		s.decoded = meansOf(losses, r.config.Length-1)
		s.Decoded = append(s.Decoded, DecodedLoss{t, rest.len() / part, len(d.classes), newEstimate(minus(s.decoded, s.truth))})
	}
	s.Older.Seconds = time.Since(begun).Seconds()
	return nil
}

// states asks for hidden states, and joins each with the token that came next.
func (r *claimsRun) states(ctx context.Context, uid int, texts [][]int32) (*examples, asked, error) {
	width := r.config.Length - 1
	e := &examples{width: synapse.NetworkDimension, tokens: make([]int32, len(texts)*width)}
	e.states = make([]float32, len(e.tokens)*e.width)
	got, err := r.ask(ctx, uid, texts, claimsBatch, func() synapse.Synapse { return &synapse.TextLastHiddenState{} }, func(first int, b synapse.Batch, a synapse.Answer) error {
		for i := range b.Texts {
			for pos := range width {
				at := (first+i)*width + pos
				copy(e.state(at), a.(*synapse.HiddenStates).At(i, pos))
				e.tokens[at] = b.Text(i)[pos+1]
			}
		}
		return nil
	})
	return e, got, err
}

// normalise leaves out of states what is always zero, and brings the rest to mean 0 and
// deviation 1 on the examples to learn from, beside a 1 for the bias.
func normalise(learn, test *examples) {
	mean, deviation := moments(learn)
	var used []int
	for i, d := range deviation {
		if d > 0 {
			used = append(used, i)
		}
	}
	for _, e := range []*examples{learn, test} {
		states := make([]float32, 0, e.len()*(len(used)+1))
		for i := range e.tokens {
			for _, j := range used {
				states = append(states, (e.state(i)[j]-float32(mean[j]))/float32(deviation[j]))
			}
			states = append(states, 1)
		}
		e.width, e.states = len(used)+1, states
	}
}

func moments(e *examples) (mean, deviation []float64) {
	mean, deviation = make([]float64, e.width), make([]float64, e.width)
	for i := range e.tokens {
		for j, v := range e.state(i) {
			mean[j] += float64(v)
			deviation[j] += float64(v) * float64(v)
		}
	}
	n := float64(e.len())
	for j := range mean {
		mean[j] /= n
		deviation[j] = math.Sqrt(max(0, deviation[j]/n-mean[j]*mean[j]))
	}
	return mean, deviation
}

// worse is by how much the older way's error is larger than the newer one's.
func (r *claimsRun) worse(s *DecodingServer) Interval {
	decoded, logits := minus(s.decoded, s.truth), minus(s.logits, s.truth)
	return bootstrap(r.config.random(3), len(decoded), r.config.Effort.Bootstrap, func(places []int) float64 {
		return math.Abs(Mean(pick(decoded, places))) - math.Abs(Mean(pick(logits, places)))
	})
}

func (r *claimsRun) decodingFindings(servers []DecodingServer) []Finding {
	least := slices.MinFunc(servers, func(a, b DecodingServer) int { return cmp.Compare(a.Worse.Low, b.Worse.Low) })
	accurate := Finding{"a1 logits tell a server's loss more accurately than decoded hidden states", decide(least.Worse, 0, true),
		fmt.Sprintf("the decoder's error is larger by %s nats, where by least: for %s", least.Worse.text(3), least.Model)}
	if r.ownTokens() {
		accurate.Because += "; all servers have tokens of their own, and their states stand only roughly at the standard ones"
	}
	return slices.Concat([]Finding{accurate}, cheaper(servers), []Finding{r.ranking(servers)})
}

// ownTokens reports whether no server has the standard tokens.
func (r *claimsRun) ownTokens() bool {
	for uid := range r.config.Models {
		if r.net.Info(uid).VocabSize == synapse.StandardVocabulary {
			return false
		}
	}
	return true
}

// cheaper compares bytes, which are the same in each run, and times, which are one run's.
func cheaper(servers []DecodingServer) []Finding {
	ratios := func(of func(DecodingServer) float64) []float64 {
		list := make([]float64, len(servers))
		for i, s := range servers {
			list[i] = of(s)
		}
		return list
	}
	find := func(claim string, bytes, times []float64) Finding {
		return Finding{claim, decide(Interval{slices.Min(bytes), slices.Max(bytes)}, 1.05, true),
			fmt.Sprintf("the older way takes %.2f times the bytes; in this run %.1f times the time, from %.1f to %.1f", Mean(bytes), Median(times), slices.Min(times), slices.Max(times))}
	}
	return []Finding{
		find("a2 … and more cheaply, with what the decoder has to learn",
			ratios(func(s DecodingServer) float64 { return float64(s.Older.Bytes) / float64(s.Newer.Bytes) }),
			ratios(func(s DecodingServer) float64 { return s.Older.Seconds / s.Newer.Seconds })),
		find("a3 … and once it has learnt",
			ratios(func(s DecodingServer) float64 { return float64(s.Older.JudgeBytes) / float64(s.Newer.JudgeBytes) }),
			ratios(func(s DecodingServer) float64 { return s.Older.JudgeSeconds / s.Newer.JudgeSeconds })),
	}
}

// ranking tells how often both ways put the servers in their order, over resampled texts.
func (r *claimsRun) ranking(servers []DecodingServer) Finding {
	older, newer := 0, 0
	n := r.config.Effort.Bootstrap
	bootstrap(r.config.random(4), r.config.Texts, n, func(places []int) float64 {
		if inOrder(servers, places, func(s DecodingServer) []float64 { return s.decoded }) {
			older++
		}
		if inOrder(servers, places, func(s DecodingServer) []float64 { return s.logits }) {
			newer++
		}
		return 0
	})
	o, l := wilson(older, n), wilson(newer, n)
	if len(servers) < 2 {
		return Finding{"a4 … and order the servers more reliably", Undecided, "there is one"}
	}
	f := Finding{"a4 … and order the servers more reliably", Undecided,
		fmt.Sprintf("right in %.1f %% of resampled texts by decoders, in %.1f %% by logits", 100*float64(older)/float64(n), 100*float64(newer)/float64(n))}
	switch {
	case l.Low > o.High:
		f.Verdict = Holds
	case o.Low > l.High:
		f.Verdict = DoesNotHold
	case older == n && newer == n:
		f.Verdict, f.Because = DoesNotHold, "both are right in all resampled texts"
	}
	return f
}

// inOrder reports whether estimates on some texts put servers in the order of their real
// losses on all.
func inOrder(servers []DecodingServer, places []int, estimate func(DecodingServer) []float64) bool {
	order := slices.SortedFunc(slices.Values(servers), func(a, b DecodingServer) int { return cmp.Compare(a.Truth.Mean, b.Truth.Mean) })
	return slices.IsSortedFunc(order, func(a, b DecodingServer) int {
		return cmp.Compare(Mean(pick(estimate(a), places)), Mean(pick(estimate(b), places)))
	})
}
