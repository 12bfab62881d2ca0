package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"axon/internal/localnet"
	"axon/internal/standard"
	"axon/models"
	"axon/synapse"
	"axon/synapse/auth"
	"axon/synapse/client"
	"axon/synapse/server"
)

const (
	// claimsBatch is how many texts are asked about at once.
	claimsBatch = 8
	// claimsInFlight is how many requests a server has at once: one is computed while
	// another one is read.
	claimsInFlight = 2
)

// claimsRun is the network, the texts, and what the servers really lose.
type claimsRun struct {
	config ClaimsConfig
	tell   func(what string, done float64)
	net    *localnet.Network
	client *client.Client
	test   [][]int32   // texts that servers are compared by
	learn  [][]int32   // texts that the older way learns from
	losses [][]float64 // of each server for each prediction of both, by TextCrossEntropy
}

func newClaimsRun(ctx context.Context, c ClaimsConfig, tell func(string, float64)) (_ *claimsRun, err error) {
	r := &claimsRun{config: c, tell: tell}
	if r.test, r.learn, err = claimsTexts(c); err != nil {
		return nil, err
	}
	key, err := auth.NewKey()
	if err != nil {
		return nil, err
	}
	nodes := localnet.Models(c.Models...)
	for i := range nodes {
		nodes[i].Adjust = roomForWholeRows
	}
	o := localnet.Options{Threads: c.Threads, Tokens: 4 * claimsInFlight * claimsBatch * c.Length, Sequences: 2 * claimsInFlight * claimsBatch}
	if r.net, err = localnet.Start(ctx, o, nodes...); err != nil {
		return nil, err
	}
	if r.client, err = client.New(client.Options{Key: key, Timeout: patience}); err != nil {
		return nil, errors.Join(err, r.net.Close())
	}
	return r, nil
}

// roomForWholeRows lets a server answer with all tokens there are.
func roomForWholeRows(o *server.Options) {
	o.Limits = server.DefaultLimits()
	o.Limits.TopK = synapse.StandardVocabulary
	o.Limits.Answer = 128 << 20
	o.Timeout = patience
}

// claimsTexts cuts the held-out text into windows that have no token in common, in random
// order.
func claimsTexts(c ClaimsConfig) (test, learn [][]int32, err error) {
	v, err := standard.Vocab()
	if err != nil {
		return nil, nil, err
	}
	tokens, err := v.Tokenize(models.HeldOut, false, false)
	if err != nil {
		return nil, nil, err
	}
	if most := len(tokens) / c.Length; c.Texts+c.Train > most {
		return nil, nil, fmt.Errorf("%w: %d texts and %d to learn from, where the held-out text has %d of %d tokens", ErrClaims, c.Texts, c.Train, most, c.Length)
	}
	var all [][]int32
	for len(tokens) >= c.Length {
		all, tokens = append(all, tokens[:c.Length]), tokens[c.Length:]
	}
	c.random(1).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:c.Texts], all[c.Texts : c.Texts+c.Train], nil
}

// asked is what a question took.
type asked struct {
	Bytes   int           // of answers
	Replies int           // messages
	Elapsed time.Duration // from the first question to the last answer's use
}

// ask asks a server about texts, some at a time, and hands on each answer with the place of
// its first text. use is called by one goroutine at a time.
func (r *claimsRun) ask(ctx context.Context, uid int, texts [][]int32, batch int, question func() synapse.Synapse, use func(first int, b synapse.Batch, a synapse.Answer) error) (asked, error) {
	begun := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var got asked
	var wait sync.WaitGroup
	firsts := make(chan int)
	for range claimsInFlight {
		wait.Go(func() {
			for first := range firsts {
				err := r.askOnce(ctx, uid, texts[first:min(first+batch, len(texts))], question(), func(b synapse.Batch, a synapse.Answer, bytes int) error {
					mu.Lock()
					defer mu.Unlock()
					got.Bytes += bytes
					got.Replies++
					return use(first, b, a)
				})
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for first := 0; first < len(texts) && ctx.Err() == nil; first += batch {
		firsts <- first
	}
	close(firsts)
	wait.Wait()
	got.Elapsed = time.Since(begun)
	return got, context.Cause(ctx)
}

func (r *claimsRun) askOnce(ctx context.Context, uid int, texts [][]int32, q synapse.Synapse, use func(synapse.Batch, synapse.Answer, int) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := synapse.Batch{Texts: len(texts), Length: len(texts[0])}
	for _, t := range texts {
		b.Tokens = append(b.Tokens, t...)
	}
	reply := r.client.Forward(ctx, r.net.Endpoints()[uid], b, q)
	if f := reply.Fault(); f != nil {
		return faultError(q, f)
	}
	return use(b, reply.Results[0].Answer, reply.BytesIn)
}

// truth asks each server how likely it finds the texts' own tokens: what it really loses.
func (r *claimsRun) truth(ctx context.Context) error {
	r.losses = make([][]float64, len(r.config.Models))
	for uid := range r.losses {
		r.tell("losses of the servers", float64(uid)/float64(len(r.losses)))
		losses, _, err := r.crossEntropies(ctx, uid, slices.Concat(r.test, r.learn), synapse.Serializers{})
		if err != nil {
			return err
		}
		r.losses[uid] = losses
	}
	return nil
}

// crossEntropies are the losses of all predictions of texts, text after text.
func (r *claimsRun) crossEntropies(ctx context.Context, uid int, texts [][]int32, coding synapse.Serializers) ([]float64, asked, error) {
	width := r.config.Length - 1
	losses := make([]float64, len(texts)*width)
	question := func() synapse.Synapse { return &synapse.TextCrossEntropy{Coding: coding} }
	got, err := r.ask(ctx, uid, texts, claimsBatch, question, func(first int, b synapse.Batch, a synapse.Answer) error {
		for i := range b.Texts {
			for j, p := range a.(*synapse.LogProbs).Text(i) {
				losses[(first+i)*width+j] = -float64(p)
			}
		}
		return nil
	})
	return losses, got, err
}

// perText are the mean losses of a server on each test text.
func (r *claimsRun) perText(uid int) []float64 {
	return meansOf(r.losses[uid], r.config.Length-1)[:len(r.test)]
}

// meansOf are the means of runs of so many values.
func meansOf(x []float64, run int) []float64 {
	means := make([]float64, len(x)/run)
	for i := range means {
		means[i] = Mean(x[i*run : (i+1)*run])
	}
	return means
}
