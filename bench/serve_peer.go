package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ServePeer is llama-server and what is asked of it. It tells no probabilities of a
// prompt's tokens, so each position takes a generated token.
type ServePeer struct {
	Path  string // of the program
	Model string // file
	// Given asks about given texts, each of whose beginnings is a request for one
	// token; otherwise the texts are the model's own, and a request is a text: less is
	// sent to and fro, but nobody can say what the texts are.
	Given bool
}

const llamaServer = "llama-server"

// peerServer is a llama-server of our own, which ends with us.
type peerServer struct {
	peer ServePeer
	test ServeTest
	cmd  *exec.Cmd
	log  *startLog
	over chan struct{} // closed when the process has ended
	err  error         // how, once it has
	http *http.Client
	url  string
}

// stopping is how long llama-server may take to end before it is ended.
const stopping = 10 * time.Second

// startPeer starts llama-server on a port that the system chooses, and waits until it
// has loaded the model.
func startPeer(ctx context.Context, peer ServePeer, c Config, t ServeTest) (*peerServer, error) {
	p := &peerServer{peer: peer, test: t, log: newStartLog(), over: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, peer.Path, peerArgs(peer.Model, c, t)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopping
	p.cmd.Env = append(os.Environ(), "LLAMA_LOG_COLORS=0")
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", llamaServer, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.over)
	}()
	select {
	case p.url = <-p.log.listening:
	case <-p.over:
		return nil, p.failed("ended before it listened")
	}
	n := p.slots()
	p.http = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n, DisableCompression: true}}
	if err := p.check(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// peerArgs let llama-server do its best: slots for all texts at once with cells of their
// own, which is faster than shared ones, and no copies of prompts.
func peerArgs(model string, c Config, t ServeTest) []string {
	const step = 256 // cells come in so many
	cells := (t.Length + 8 + step - 1) / step * step
	args := append(sharedArgs(model, c),
		"--host", "127.0.0.1", "--port", "0", "--no-ui", "--cache-ram", "0",
		"-np", strconv.Itoa(t.Clients*t.Texts), "-c", strconv.Itoa(t.Clients*t.Texts*cells), "--no-kv-unified")
	if c.NoKVOffload {
		args = append(args, "-nkvo")
	}
	return args
}

// slots is how many texts are asked about at once.
func (p *peerServer) slots() int { return p.test.Clients * p.test.Texts }

func (p *peerServer) Name() string {
	if p.peer.Given {
		return llamaServer + ", given texts"
	}
	return llamaServer + ", own texts"
}

// Ask asks for the probabilities of as many positions as the request's texts have, all
// texts at once.
func (p *peerServer) Ask(ctx context.Context, client int, r *request) (reply, error) {
	texts := r.batch.Texts
	got := make([]reply, texts)
	err := atOnce(texts, func(i int) (err error) {
		slot, text := client*texts+i, r.batch.Text(i)
		if p.peer.Given {
			got[i], err = p.prefixes(ctx, slot, text)
		} else {
			got[i], err = p.complete(ctx, slot, text[:1], len(text))
		}
		return err
	})
	var all reply
	for _, one := range got {
		all.add(one)
	}
	return all, err
}

// prefixes asks about each beginning of a text, which the slot remembers from the one before.
func (p *peerServer) prefixes(ctx context.Context, slot int, text []int32) (all reply, err error) {
	for n := range text {
		one, err := p.complete(ctx, slot, text[:n+1], 1)
		if err != nil {
			return all, err
		}
		all.add(one)
	}
	return all, nil
}

// complete asks for n tokens after a prompt.
func (p *peerServer) complete(ctx context.Context, slot int, prompt []int32, n int) (reply, error) {
	body, err := p.post(ctx, completion(slot, prompt, n, p.test.TopK))
	if err != nil {
		return reply{}, err
	}
	positions, err := countPositions(body, n, p.test.TopK)
	return reply{tokens: positions, positions: positions, bytes: len(body)}, err
}

// Close ends the program. That it did so at our wish is no error.
func (p *peerServer) Close() error {
	if p.http != nil {
		p.http.CloseIdleConnections()
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.over:
	case <-time.After(stopping):
		_ = p.cmd.Process.Kill()
		<-p.over
	}
	return nil
}

// failed says how the program ended, in its own words.
func (p *peerServer) failed(what string) error {
	return fmt.Errorf("%w: %s: %s (command: %s)", errors.Join(errPeer, p.err), what, lastLine(p.log.text()), p.cmd)
}

// errPeer is returned when llama-server cannot be used.
var errPeer = errors.New("llama-server failed")

// startLog keeps the end of what the program says, and finds where it listens.
type startLog struct {
	listening chan string

	mu   sync.Mutex
	tail []byte
	told bool
}

func newStartLog() *startLog { return &startLog{listening: make(chan string, 1)} }

// logTail is how much of the program's messages is kept.
const logTail = 16 << 10

// Write is what the process calls.
func (l *startLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, b...)
	if url, ok := listeningURL(l.tail); ok && !l.told {
		l.told = true
		l.listening <- url
	}
	if n := len(l.tail); n > logTail {
		l.tail = append(l.tail[:0], l.tail[n-logTail:]...)
	}
	return len(b), nil
}

func (l *startLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.tail)
}

// listeningURL finds the line "… listening on http://127.0.0.1:1234", once it is whole.
func listeningURL(log []byte) (string, bool) {
	const mark = "listening on "
	_, rest, found := bytes.Cut(log, []byte(mark+"http://"))
	if !found {
		return "", false
	}
	line, _, whole := bytes.Cut(rest, []byte("\n"))
	return "http://" + string(bytes.TrimSpace(line)), whole
}
