package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/models"
)

// completionAnswer is what llama-server answers, shortened.
const completionAnswer = `{"completion_probabilities":[
  {"id":17421,"token":" Rud","bytes":[32,82,117,100],"logprob":-2.845,"top_logprobs":[
    {"id":17421,"token":" Rud","bytes":[32,82,117,100],"logprob":-2.845},
    {"id":108,"token":"\ufffd","bytes":[176],"logprob":-3.721}]},
  {"id":3,"token":"$","bytes":[36],"logprob":-0.5,"top_logprobs":[
    {"id":3,"token":"$","bytes":[36],"logprob":-0.5},
    {"id":4,"token":"%","bytes":[37],"logprob":-0.5}]}]}`

func TestCompletionsAreRead(t *testing.T) {
	positions, err := parseCompletion([]byte(completionAnswer), 2, 2)
	require.NoError(t, err)
	require.Equal(t, peerToken{17421, -2.845}, positions[0].peerToken)
	require.Equal(t, []peerToken{{3, -0.5}, {4, -0.5}}, positions[1].Top)

	for words, body := range map[string]string{
		"unexpected end":               `{"completion_probabilities":[`,
		"0 positions instead of 2":     `{"content":"nothing was asked"}`,
		"1 probabilities at":           `{"completion_probabilities":[{"top_logprobs":[{"id":1,"logprob":-1}]},{}]}`,
		"entry 1 of position 0 is {ID": strings.Replace(completionAnswer, "-3.721", "-1.5", 1),
		"entry 0 of position 0 is {ID": strings.ReplaceAll(completionAnswer, "-2.845", "2.845"),
	} {
		_, err := parseCompletion([]byte(body), 2, 2)
		require.ErrorIs(t, err, errPeerAnswer)
		require.ErrorContains(t, err, words)
	}
}

func TestPositionsAreCounted(t *testing.T) {
	for n, want := range map[int]int{2: 2, 3: 2} {
		got, err := countPositions([]byte(completionAnswer), n, 2)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, c := range [][2]int{{1, 2}, {2, 3}} {
		_, err := countPositions([]byte(completionAnswer), c[0], c[1])
		require.ErrorIs(t, err, errPeerAnswer)
		require.ErrorContains(t, err, "6 log-probabilities instead of")
	}
}

func FuzzParseCompletion(f *testing.F) {
	f.Add([]byte(completionAnswer), 2, 2)
	f.Add([]byte(`{"completion_probabilities":[{"top_logprobs":null}]}`), 1, 0)
	f.Add([]byte(`{"completion_probabilities":{}}`), 0, 0)
	f.Fuzz(func(t *testing.T, body []byte, n, k int) {
		positions, err := parseCompletion(body, n, k)
		if err != nil {
			require.ErrorIs(t, err, errPeerAnswer)
			return
		}
		require.Len(t, positions, n)
		for _, p := range positions {
			require.Len(t, p.Top, k)
		}
	})
}

func TestThePortIsInTheLog(t *testing.T) {
	log := newStartLog()
	for _, part := range []string{"0.02 I srv  model loaded\n0.02 I srv  llama_server: listening on http://127.0", ".0.1:4711", "\nmore\nlistening on http://elsewhere:1\n"} {
		select {
		case url := <-log.listening:
			t.Fatalf("%s before the line was whole", url)
		default:
		}
		_, err := log.Write([]byte(part))
		require.NoError(t, err)
	}
	require.Equal(t, "http://127.0.0.1:4711", <-log.listening)
	_, err := log.Write([]byte(strings.Repeat("x", 3*logTail)))
	require.NoError(t, err)
	require.Len(t, log.text(), logTail)
}

func TestLlamaServerGetsTheSameSettings(t *testing.T) {
	test := quick
	test.Clients, test.Texts, test.Length = 8, 1, 256
	shared := "-m m.gguf -t 2 -b 2048 -ub 512 -fa auto -ctk f16 -ctv q8_0 "
	own := "--host 127.0.0.1 --port 0 --no-ui --cache-ram 0 -np 8 -c 4096 --no-kv-unified"
	require.Equal(t, shared+own, strings.Join(peerArgs("m.gguf", config, test), " "))
}

func TestWhatLlamaServerIsAsked(t *testing.T) {
	asked, err := json.Marshal(completion(3, []int32{5, 6}, 7, 512))
	require.NoError(t, err)
	require.JSONEq(t, `{"prompt":[5,6],"n_predict":7,"n_probs":512,"temperature":0,"top_k":1,"samplers":["top_k"],"ignore_eos":true,
		"post_sampling_probs":false,"cache_prompt":true,"id_slot":3,"response_fields":["completion_probabilities"]}`, string(asked))
}

func TestAPeerThatDoesNotStartIsQuoted(t *testing.T) {
	leavesNothing(t)
	for body, words := range map[string]string{
		"echo no such model >&2; exit 3":                             "exit status 3: ended before it listened: no such model",
		"echo 'x listening on http://127.0.0.1:1'; exec sleep 600":   "connection refused",
		"echo 'x listening on http://127.0.0.1:1'; exit 0; echo bye": "",
	} {
		path := program(t, t.TempDir(), llamaServer, body)
		_, err := startPeer(t.Context(), ServePeer{Path: path, Model: "m.gguf"}, config, quick)
		require.ErrorContains(t, err, words)
	}
	_, err := startPeer(t.Context(), ServePeer{Path: filepath.Join(t.TempDir(), "absent")}, config, quick)
	require.ErrorContains(t, err, "no such file")
}

func TestAStubbornPeerEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := program(t, t.TempDir(), llamaServer, "exec sleep 600")
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := startPeer(ctx, ServePeer{Path: path}, config, quick)
	require.ErrorIs(t, err, errPeer)
}

// The real program, where it was built.
func TestLlamaServerTellsAsManyProbabilities(t *testing.T) {
	path, err := FindPeer("auto", llamaServer, filepath.Join("..", "bin"))
	if err != nil {
		t.Skip(err)
	}
	where := target(t)
	leavesNothing(t)
	for _, given := range []bool{false, true} {
		t.Run(fmt.Sprintf("given %v", given), func(t *testing.T) {
			where.Peer = &ServePeer{Path: path, Model: filepath.Join("..", "models", models.GPT2Vocabulary), Given: given}
			rows, err := RunServe(t.Context(), where, quick, 1, func() {})
			require.NoError(t, err)
			p := rows[0].Peer
			require.Equal(t, quick.inARound(), p.Latency.Count)
			require.Greater(t, p.BytesPerPosition, rows[0].BytesPerPosition)
			require.Positive(t, p.Ratio.Median)
		})
	}
}

// The program ends when it is told to, and nothing of it is left.
func TestLlamaServerIsStopped(t *testing.T) {
	path, err := FindPeer("auto", llamaServer, filepath.Join("..", "bin"))
	if err != nil {
		t.Skip(err)
	}
	leavesNothing(t)
	p, err := startPeer(t.Context(), ServePeer{Path: path, Model: filepath.Join("..", "models", models.GPT2Vocabulary)}, target(t).Config, quick)
	require.NoError(t, err)
	require.NoError(t, p.Close())
	require.ErrorIs(t, p.cmd.Process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
