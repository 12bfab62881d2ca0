package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// completionRequest is what llama-server's /completion is asked. Tokens are picked
// greedily from as few candidates as possible; the probabilities are the model's own.
type completionRequest struct {
	Prompt       []int32  `json:"prompt"`
	Predict      int      `json:"n_predict"`
	Probs        int      `json:"n_probs"`
	Temperature  float64  `json:"temperature"`
	TopK         int      `json:"top_k"`
	Samplers     []string `json:"samplers"`
	IgnoreEOS    bool     `json:"ignore_eos"`
	PostSampling bool     `json:"post_sampling_probs"`
	CachePrompt  bool     `json:"cache_prompt"`
	Slot         int      `json:"id_slot"`
	Fields       []string `json:"response_fields"` // all else would be sent too
}

const probabilities = "completion_probabilities"

func completion(slot int, prompt []int32, n, topK int) completionRequest {
	return completionRequest{
		Prompt: prompt, Predict: n, Probs: topK, TopK: 1, Samplers: []string{"top_k"},
		IgnoreEOS: true, CachePrompt: true, Slot: slot, Fields: []string{probabilities},
	}
}

// maxAnswer bounds an answer: 512 probabilities take 40 kB, and more for longer pieces.
func maxAnswer(r completionRequest) int64 { return 64<<10 + 1024*int64(r.Predict)*int64(r.Probs+1) }

// post asks, and returns the answer unread.
func (p *peerServer) post(ctx context.Context, r completionRequest) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/completion", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.http.Do(req)
	if err != nil {
		return nil, p.unanswered(err)
	}
	defer func() { _ = res.Body.Close() }()
	limit := maxAnswer(r)
	answer, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return nil, p.unanswered(err)
	case int64(len(answer)) > limit:
		return nil, fmt.Errorf("an answer of more than %d bytes", limit)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %.300s", res.Status, answer)
	}
	return answer, nil
}

// unanswered blames the program where it has ended.
func (p *peerServer) unanswered(err error) error {
	select {
	case <-p.over:
		return p.failed("ended while it was asked")
	default:
		return err
	}
}

// peerToken is one entry of an answer.
type peerToken struct {
	ID      int32   `json:"id"`
	Logprob float64 `json:"logprob"`
}

// peerPosition is one position of an answer: what was picked there, and the most likely.
type peerPosition struct {
	peerToken
	Top []peerToken `json:"top_logprobs"`
}

// countPositions is how many positions an answer is about, with k entries each. That is
// told without reading it closely, since readers of JSON differ in speed. Tokens that
// are a part of a character are not told, so there may be fewer than n.
func countPositions(body []byte, n, k int) (int, error) {
	entries := bytes.Count(body, []byte(`"logprob":`))
	if entries%(k+1) != 0 || entries > n*(k+1) {
		return 0, fmt.Errorf("%w: %d log-probabilities instead of %d: %.200s", errPeerAnswer, entries, n*(k+1), body)
	}
	return entries / (k + 1), nil
}

// parseCompletion reads an answer of n positions with k entries each: log-probabilities
// in descending order. Errors wrap errPeerAnswer.
func parseCompletion(body []byte, n, k int) ([]peerPosition, error) {
	var a struct {
		Positions []peerPosition `json:"completion_probabilities"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", errPeerAnswer, err)
	}
	if len(a.Positions) != n {
		return nil, fmt.Errorf("%w: %d positions instead of %d", errPeerAnswer, len(a.Positions), n)
	}
	for i, p := range a.Positions {
		if len(p.Top) != k {
			return nil, fmt.Errorf("%w: %d probabilities at position %d instead of %d", errPeerAnswer, len(p.Top), i, k)
		}
		for j, e := range p.Top {
			if e.ID < 0 || e.Logprob > 1e-3 || j > 0 && e.Logprob > p.Top[j-1].Logprob {
				return nil, fmt.Errorf("%w: entry %d of position %d is %+v", errPeerAnswer, j, i, e)
			}
		}
	}
	return a.Positions, nil
}

// errPeerAnswer is returned when llama-server's answer is not what was asked for.
var errPeerAnswer = errors.New("unexpected answer of llama-server")

// check asks for some positions and reads the answer closely.
func (p *peerServer) check(ctx context.Context) error {
	const n = 4
	body, err := p.post(ctx, completion(0, []int32{1}, n, p.test.TopK))
	if err != nil {
		return err
	}
	positions, err := countPositions(body, n, p.test.TopK)
	if err == nil {
		_, err = parseCompletion(body, positions, p.test.TopK)
	}
	return err
}
