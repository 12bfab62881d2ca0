package bench

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"axon/synapse"
	"axon/synapse/validator"
	"axon/synapse/wire"
)

// kaplanExponent is α of L(N) = (N_c/N)^α, which [validator.EffectiveParams] inverts. So the
// effective parameters fall by 1/α = 13.2 % when a loss rises by 1 %.
const kaplanExponent = 0.076

// CompressionResult is what claim b comes to.
type CompressionResult struct {
	Rows     []CompressionRow `json:"rows"`
	Findings []Finding        `json:"findings"`
}

// CompressionRow is one way of sending an answer, by one server.
type CompressionRow struct {
	Model    string    `json:"model"`
	Synapse  string    `json:"synapse"`
	Encoding string    `json:"encoding"`
	TopK     int       `json:"top_k,omitempty"`
	Per      string    `json:"per"`               // what the bytes are of: a position or a text
	Bytes    float64   `json:"bytes"`             // of the message, as it was received or as it would be
	Texts    int       `json:"texts,omitempty"`   // that were asked about
	Bias     *Estimate `json:"bias,omitempty"`    // of the loss, nats a token, paired by text with the server's own
	Params   float64   `json:"params,omitempty"`  // by how much the effective parameters change, as a part of them
	Refused  string    `json:"refused,omitempty"` // why there is no such answer

	perText []float64 // losses
	truth   []float64 // the server's own on the same texts
}

// coding is a way of sending answers.
type coding struct {
	encoding string
	topK     int
	question synapse.Synapse
	texts    int
}

// codings are those that are compared, those with the most bytes first.
func (r *claimsRun) codings() []coding {
	half := synapse.Serializers{ForwardResponse: wire.Serializer_SERIALIZER_CMPPACK}
	packed := synapse.Serializers{ForwardResponse: wire.Serializer_SERIALIZER_PACKED}
	all, few := r.config.Effort.Coded, r.config.Effort.Dense
	list := []coding{
		{"float32", synapse.StandardVocabulary, &synapse.TextCausalLM{TopK: synapse.StandardVocabulary}, few},
		{"float32", 4096, &synapse.TextCausalLM{TopK: 4096}, all},
		{"float32", 512, &synapse.TextCausalLM{TopK: 512}, all},
		{"float32", 64, &synapse.TextCausalLM{TopK: 64}, all},
		{"float16", 512, &synapse.TextCausalLM{Coding: half, TopK: 512}, all},
		{"packed", 4096, &synapse.TextCausalLM{Coding: packed, TopK: 4096}, all},
		{"packed", 512, &synapse.TextCausalLM{Coding: packed, TopK: 512}, all},
		{"float32", 4096, &synapse.TextCausalLMNext{TopK: 4096}, all},
		{"float32", 0, &synapse.TextLastHiddenState{}, few},
		{"float16", 0, &synapse.TextLastHiddenState{Coding: half}, few},
		{"float32", 0, &synapse.TextCrossEntropy{}, all},
		{"float16", 0, &synapse.TextCrossEntropy{Coding: half}, all},
	}
	for i := range list {
		list[i].texts = min(list[i].texts, len(r.test))
	}
	return list
}

// compression measures all codings, of the servers that lose most and least.
func (r *claimsRun) compression(ctx context.Context) (*CompressionResult, error) {
	result := &CompressionResult{}
	order := r.order()
	servers := slices.Compact([]int{order[0], order[len(order)-1]})
	for i, uid := range servers {
		list := r.codings()
		for j, c := range list {
			r.tell("b: ways to send logits", (float64(i)+float64(j)/float64(len(list)))/float64(len(servers)))
			row, err := r.coded(ctx, uid, c)
			if err != nil {
				return nil, err
			}
			result.Rows = append(result.Rows, row)
		}
	}
	result.Rows = append(result.Rows, CompressionRow{
		Synapse: "(a row of the vocabulary)", Encoding: "float32", TopK: synapse.NetworkVocabulary, Per: "position", Bytes: 4 * synapse.NetworkVocabulary,
	})
	result.Findings = compressionFindings(result.Rows, claimsModelName(r.config.Models[order[0]]))
	return result, nil
}

// order are the servers, that which loses least first.
func (r *claimsRun) order() []int {
	order := make([]int, len(r.losses))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(Mean(r.losses[a]), Mean(r.losses[b])) })
	return order
}

// coded measures one way of sending.
func (r *claimsRun) coded(ctx context.Context, uid int, c coding) (CompressionRow, error) {
	row := CompressionRow{Model: claimsModelName(r.config.Models[uid]), Synapse: c.question.Task().Name, Encoding: c.encoding, TopK: c.topK, Per: "position", Texts: c.texts}
	b := synapse.Batch{Texts: 1, Length: r.config.Length, Tokens: r.test[0]}
	if f := c.question.Check(b, synapse.Limits{Texts: 1, Length: b.Length, TopK: math.MaxInt32, Answer: math.MaxInt64}); f != nil {
		row.Refused, row.Texts = f.Message, 0
		return row, nil //nolint:nilerr // that there is no such answer is what was to be found
	}
	var got asked
	var err error
	truth := r.perText(uid)[:c.texts]
	per := c.texts * r.config.Length
	switch q := c.question.(type) {
	case *synapse.TextCausalLM:
		batch := claimsBatch
		if c.topK > 4096 {
			batch = 1
		}
		var losses []float64
		losses, got, err = r.causalLM(ctx, uid, r.test[:c.texts], batch, q)
		row.perText = meansOf(losses, r.config.Length-1)
	case *synapse.TextCrossEntropy:
		var losses []float64
		losses, got, err = r.crossEntropies(ctx, uid, r.test[:c.texts], q.Coding)
		row.perText = meansOf(losses, r.config.Length-1)
	case *synapse.TextCausalLMNext:
		row.Per, per, truth = "text", c.texts, r.lastLosses(uid)[:c.texts]
		row.perText, got, err = r.firstTokens(ctx, uid, r.test[:c.texts], q)
	default:
		got, err = r.ask(ctx, uid, r.test[:c.texts], claimsBatch, func() synapse.Synapse { return q }, func(int, synapse.Batch, synapse.Answer) error { return nil })
	}
	if err != nil {
		return row, err
	}
	row.Bytes, row.truth = float64(got.Bytes)/float64(per), truth
	if row.perText != nil {
		bias := newEstimate(minus(row.perText, truth))
		row.Bias, row.Params = &bias, math.Pow(1+bias.Mean/Mean(truth), -1/kaplanExponent)-1
	}
	return row, nil
}

// lastLosses are a server's own losses of each text's last token.
func (r *claimsRun) lastLosses(uid int) []float64 {
	width := r.config.Length - 1
	last := make([]float64, len(r.test))
	for i := range last {
		last[i] = r.losses[uid][(i+1)*width-1]
	}
	return last
}

// firstTokens are the losses of each text's last token by the phrases that follow the rest.
func (r *claimsRun) firstTokens(ctx context.Context, uid int, texts [][]int32, q *synapse.TextCausalLMNext) ([]float64, asked, error) {
	shorter, targets, losses := make([][]int32, len(texts)), make([]int32, len(texts)), make([]float64, len(texts))
	for i, t := range texts {
		shorter[i], targets[i] = t[:len(t)-1], t[len(t)-1]
	}
	got, err := r.ask(ctx, uid, shorter, claimsBatch, func() synapse.Synapse { return q }, func(first int, b synapse.Batch, a synapse.Answer) error {
		m, err := validator.MeasureFirstNext(a.(*synapse.NextPhrases).Texts, targets[first:first+b.Texts])
		if err != nil {
			return err
		}
		copy(losses[first:], m.Losses)
		return nil
	})
	return losses, got, err
}

// compressionFindings judge the release's default, and the packed form, for the server that
// loses least.
// The last row is that of whole logits without ids.
func compressionFindings(rows []CompressionRow, model string) []Finding {
	find := func(task, encoding string, k int) CompressionRow {
		i := slices.IndexFunc(rows, func(r CompressionRow) bool {
			return r.Model == model && r.Synapse == task && r.Encoding == encoding && r.TopK == k
		})
		return rows[i]
	}
	whole, top := rows[len(rows)-1], find("TextCausalLM", "float32", logitsTopK)
	packed, hidden := find("TextCausalLM", "packed", logitsTopK), find("TextLastHiddenState", "float32", 0)
	fewer := func(claim string, than, is CompressionRow) Finding {
		ratio := than.Bytes / is.Bytes
		return Finding{claim, decide(Interval{ratio, ratio}, 1.05, true), fmt.Sprintf("%.0f bytes a position for %.0f: %.2f times fewer, the same in each message", is.Bytes, than.Bytes, ratio)}
	}
	return []Finding{
		fewer("b1 k=512 takes fewer bytes than whole logits", whole, top),
		fewer("b2 k=512 takes fewer bytes than the hidden states it replaced", hidden, top),
		fewer("b3 k=512 packed does", hidden, packed),
		keeps("b4 k=512 keeps the loss, to 1 % of the effective parameters", newEstimate(minus(top.perText, top.truth)), Mean(top.truth)),
		keeps("b5 packing keeps it, beside float32 pairs", newEstimate(minus(packed.perText, top.perText)), Mean(top.truth)),
	}
}

// keeps judges whether a bias is within one per cent of the effective parameters.
func keeps(claim string, bias Estimate, loss float64) Finding {
	limit, i := loss*kaplanExponent/100, bias.Interval()
	f := Finding{claim, Undecided, fmt.Sprintf("bias %s nats of %.3f, the limit is ±%.4f", i.text(4), loss, limit)}
	switch {
	case i.Low >= -limit && i.High <= limit:
		f.Verdict = Holds
	case i.Low > limit || i.High < -limit:
		f.Verdict = DoesNotHold
	}
	return f
}
