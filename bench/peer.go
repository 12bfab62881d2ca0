package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Peer is a program of llama.cpp's that measures the same as we do.
type Peer struct {
	path  string
	name  string
	args  []string
	parse func(out []byte, t Test) (time.Duration, error)
	test  Test
}

// The programs that Peers looks for.
const (
	llamaBench   = "llama-bench"
	batchedBench = "llama-batched-bench"
)

// Peers are the programs to compare with; an empty path: none.
type Peers struct {
	Bench     string // llama-bench, for one generation at a time
	Batched   string // llama-batched-bench, for several at once
	UnifiedKV bool   // let the latter's sequences share one KV cache, as ours do
}

// FindPeer is the path of a program: path itself, or for "auto" the one in
// dir/peers or dir, where dir is where axon lies.
func FindPeer(path, program, dir string) (string, error) {
	if path != "auto" {
		found, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w; make peers builds it", program, err)
		}
		return filepath.Abs(found)
	}
	for _, p := range []string{filepath.Join(dir, "peers", program), filepath.Join(dir, program)} {
		if _, err := exec.LookPath(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("there is no %s in %s; make peers builds it, or give its path", program, filepath.Join(dir, "peers"))
}

// FindPeers finds llama-bench as FindPeer does, and llama-batched-bench at
// its own path, or beside llama-bench if that is empty.
func FindPeers(bench, batched, dir string) (Peers, error) {
	var p Peers
	var err error
	if bench != "" {
		if p.Bench, err = FindPeer(bench, llamaBench, dir); err != nil {
			return p, err
		}
		if beside := filepath.Join(filepath.Dir(p.Bench), batchedBench); batched == "" {
			if _, err := os.Stat(beside); err == nil {
				batched = beside
			}
		}
	}
	if batched != "" {
		p.Batched, err = FindPeer(batched, batchedBench, dir)
	}
	return p, err
}

// Runner is the peer for a test; nil: there is none.
func (p Peers) Runner(model string, c Config, t Test) Runner {
	switch {
	case t.parallel() > 1 && p.Batched != "":
		name := batchedBench
		if p.UnifiedKV {
			name += " -kvu"
		}
		return &Peer{path: p.Batched, name: name, args: batchedArgs(model, c, t, p.UnifiedKV), parse: parseBatched, test: t}
	case t.parallel() == 1 && p.Bench != "":
		return &Peer{path: p.Bench, name: llamaBench, args: benchArgs(model, c, t), parse: parseBench, test: t}
	}
	return nil
}

// benchArgs are llama-bench's arguments for one repetition of a test.
func benchArgs(model string, c Config, t Test) []string {
	args := append(sharedArgs(model, c), "-r", "1", "-o", "json", "-d", strconv.Itoa(t.Depth))
	pair := "0,0"
	p, n := t.Prompt, t.Gen
	if p > 0 && n > 0 {
		pair, p, n = fmt.Sprintf("%d,%d", p, n), 0, 0
	}
	args = append(args, "-p", strconv.Itoa(p), "-n", strconv.Itoa(n))
	if pair != "0,0" {
		args = append(args, "-pg", pair)
	}
	if c.NoKVOffload {
		args = append(args, "-nkvo", "1")
	}
	return args
}

// batchedArgs are llama-batched-bench's. It needs a prompt of one token at
// least, as a generation does. In either mode -c is for all sequences.
func batchedArgs(model string, c Config, t Test, unified bool) []string {
	prompt := max(1, t.Depth)
	args := append(sharedArgs(model, c),
		"-npp", strconv.Itoa(prompt), "-ntg", strconv.Itoa(t.Gen), "-npl", strconv.Itoa(t.parallel()),
		"-c", strconv.Itoa(t.parallel()*(prompt+t.Gen)), "--output-format", "jsonl")
	if unified {
		args = append(args, "-kvu")
	}
	if c.NoKVOffload {
		args = append(args, "-nkvo")
	}
	return args
}

func sharedArgs(model string, c Config) []string {
	args := []string{
		"-m", model, "-t", strconv.Itoa(c.Threads), "-b", strconv.Itoa(c.Batch), "-ub", strconv.Itoa(c.UBatch),
		"-fa", c.Flash, "-ctk", c.TypeK, "-ctv", c.TypeV,
	}
	if c.GPULayers >= 0 {
		args = append(args, "-ngl", strconv.Itoa(c.GPULayers))
	}
	if c.NoMmap {
		args = append(args, "-lm", "none")
	}
	return args
}

// Name is the program's.
func (p *Peer) Name() string { return p.name }

// Warm does nothing: the program warms up by itself.
func (p *Peer) Warm(context.Context) error { return nil }

// Close does nothing: between runs there is no process.
func (p *Peer) Close() error { return nil }

// Run starts the program and reads the time that it measured itself.
func (p *Peer) Run(ctx context.Context) (time.Duration, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s (command: %s)", err, lastLine(stderr.String()), cmd)
	}
	d, err := p.parse(stdout.Bytes(), p.test)
	if err != nil {
		return 0, fmt.Errorf("%w (command: %s)", err, cmd)
	}
	return d, nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return "it said nothing"
	}
	return s[strings.LastIndexByte(s, '\n')+1:]
}

var errNoFigures = errors.New("its output has no figures for this test")

// parseBench reads llama-bench's -o json.
func parseBench(out []byte, t Test) (time.Duration, error) {
	var tests []struct {
		Prompt  int     `json:"n_prompt"`
		Gen     int     `json:"n_gen"`
		Depth   int     `json:"n_depth"`
		Samples []int64 `json:"samples_ns"`
	}
	if err := json.Unmarshal(out, &tests); err != nil {
		return 0, fmt.Errorf("its output cannot be read: %w", err)
	}
	for _, r := range tests {
		if r.Prompt == t.Prompt && r.Gen == t.Gen && r.Depth == t.Depth && len(r.Samples) == 1 && r.Samples[0] > 0 {
			return time.Duration(r.Samples[0]), nil
		}
	}
	return 0, errNoFigures
}

// parseBatched reads llama-batched-bench's jsonl: the time of generation
// alone (t_tg), prompts evaluated before. Other lines may stand around it.
func parseBatched(out []byte, t Test) (time.Duration, error) {
	for line := range bytes.Lines(out) {
		var r struct {
			Prompt   int     `json:"pp"`
			Gen      int     `json:"tg"`
			Parallel int     `json:"pl"`
			Seconds  float64 `json:"t_tg"`
		}
		if json.Unmarshal(line, &r) != nil {
			continue
		}
		if r.Prompt == max(1, t.Depth) && r.Gen == t.Gen && r.Parallel == t.parallel() && r.Seconds > 0 {
			return time.Duration(r.Seconds * float64(time.Second)), nil
		}
	}
	return 0, errNoFigures
}
