package bench

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchOutput is what llama-bench -o json prints, shortened.
const benchOutput = `[
  {"build_commit": "de3ff81", "model_type": "gpt2 0.1B F16", "n_prompt": 64, "n_gen": 0, "n_depth": 0,
   "avg_ns": 6186915399, "stddev_ns": 0, "avg_ts": 10.344400, "samples_ns": [ 6186915399 ], "samples_ts": [ 10.3444 ]},
  {"build_commit": "de3ff81", "model_type": "gpt2 0.1B F16", "n_prompt": 0, "n_gen": 16, "n_depth": 32,
   "avg_ns": 8682131504, "stddev_ns": 0, "avg_ts": 1.842870, "samples_ns": [ 8682131504 ], "samples_ts": [ 1.84287 ]}
]`

// batchedOutput is what llama-batched-bench --output-format jsonl prints.
const batchedOutput = `
{"n_kv_max": 512, "n_batch": 2048, "n_threads": 2, "pp": 16, "tg": 32, "pl": 8, "n_kv": 64, "t_pp": 2.624118, "speed_pp": 12.194573, "t_tg": 1.5, "speed_tg": 170.666667, "t": 4.1, "speed": 1.864548}

llama_perf_context_print: not JSON
`

func TestParseBench(t *testing.T) {
	d, err := parseBench([]byte(benchOutput), Test{Gen: 16, Depth: 32})
	require.NoError(t, err)
	require.Equal(t, 8682131504*time.Nanosecond, d)
	_, err = parseBench([]byte(benchOutput), Test{Gen: 17})
	require.ErrorIs(t, err, errNoFigures)
	_, err = parseBench([]byte("error: no such option"), Test{Gen: 16})
	require.ErrorContains(t, err, "cannot be read")
}

func TestParseBatched(t *testing.T) {
	d, err := parseBatched([]byte(batchedOutput), Test{Gen: 32, Depth: 16, Parallel: 8})
	require.NoError(t, err)
	require.Equal(t, 1500*time.Millisecond, d)
	_, err = parseBatched([]byte(batchedOutput), Test{Gen: 32, Parallel: 8})
	require.ErrorIs(t, err, errNoFigures)
	_, err = parseBatched(nil, Test{Gen: 32})
	require.ErrorIs(t, err, errNoFigures)
}

var config = Config{Threads: 2, Batch: 2048, UBatch: 512, Flash: "auto", TypeK: "f16", TypeV: "q8_0", GPULayers: -1}

func TestThePeerGetsTheSameSettings(t *testing.T) {
	shared := "-m m.gguf -t 2 -b 2048 -ub 512 -fa auto -ctk f16 -ctv q8_0 "
	require.Equal(t, shared+"-r 1 -o json -d 32 -p 512 -n 0",
		strings.Join(benchArgs("m.gguf", config, Test{Prompt: 512, Depth: 32}), " "))
	require.Equal(t, shared+"-r 1 -o json -d 0 -p 0 -n 0 -pg 512,128",
		strings.Join(benchArgs("m.gguf", config, Test{Prompt: 512, Gen: 128}), " "))
	require.Equal(t, shared+"-npp 128 -ntg 64 -npl 8 -c 1536 --output-format jsonl -kvu",
		strings.Join(batchedArgs("m.gguf", config, Test{Gen: 64, Depth: 128, Parallel: 8}, true), " "))
	gpu := config
	gpu.GPULayers, gpu.NoKVOffload, gpu.NoMmap = 7, true, true
	require.Equal(t, shared+"-ngl 7 -lm none -r 1 -o json -d 0 -p 0 -n 8 -nkvo 1",
		strings.Join(benchArgs("m.gguf", gpu, Test{Gen: 8}), " "))
	require.Equal(t, shared+"-ngl 7 -lm none -npp 1 -ntg 8 -npl 2 -c 18 --output-format jsonl -nkvo",
		strings.Join(batchedArgs("m.gguf", gpu, Test{Gen: 8, Parallel: 2}, false), " "))
}

// program writes a shell script that plays a peer.
func program(t *testing.T, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o755))
	return path
}

func TestFindPeers(t *testing.T) {
	dir := t.TempDir()
	_, err := FindPeers("auto", "", dir)
	require.ErrorContains(t, err, "make peers")
	_, err = FindPeers(filepath.Join(dir, "absent"), "", dir)
	require.ErrorContains(t, err, "make peers")

	one := program(t, filepath.Join(dir, "peers"), llamaBench, "")
	p, err := FindPeers("auto", "", dir)
	require.NoError(t, err)
	require.Equal(t, Peers{Bench: one}, p)

	other := program(t, filepath.Join(dir, "peers"), batchedBench, "")
	p, err = FindPeers(one, "", "elsewhere")
	require.NoError(t, err)
	require.Equal(t, Peers{Bench: one, Batched: other}, p)

	p, err = FindPeers("", "", dir)
	require.NoError(t, err)
	require.Equal(t, Peers{}, p)
}

func TestEachTestHasItsPeer(t *testing.T) {
	p := Peers{Bench: "a", Batched: "b", UnifiedKV: true}
	require.Equal(t, "llama-bench", p.Runner("m", config, Test{Gen: 1}).Name())
	require.Equal(t, "llama-batched-bench -kvu", p.Runner("m", config, Test{Gen: 1, Parallel: 2}).Name())
	require.Nil(t, Peers{Bench: "a"}.Runner("m", config, Test{Gen: 1, Parallel: 2}))
	require.Nil(t, Peers{}.Runner("m", config, Test{Gen: 1}))
}

func TestAPeerThatFailsIsQuoted(t *testing.T) {
	test := Test{Gen: 16, Depth: 32}
	dir := t.TempDir()
	broken := Peers{Bench: program(t, dir, "broken", "echo first >&2; echo no such model >&2; exit 3")}
	_, err := broken.Runner("m.gguf", config, test).Run(context.Background())
	require.ErrorContains(t, err, "exit status 3: no such model")
	require.ErrorContains(t, err, "-m m.gguf")

	works := Peers{Bench: program(t, dir, "works", "cat <<'END'\n"+benchOutput+"\nEND\n")}
	d, err := works.Runner("m.gguf", config, test).Run(context.Background())
	require.NoError(t, err)
	require.Equal(t, 8682131504*time.Nanosecond, d)
}

func TestAPeerEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := Peers{Bench: program(t, t.TempDir(), "slow", "exec sleep 600")}.Runner("m", config, Test{Gen: 1})
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := Run(ctx, 1, &script{name: "axon"}, p, func() {})
	require.Equal(t, context.Canceled, err)
}
