// Package bench measures how fast models and kernels run, ours beside others.
//
// Start reading at Test (test.go), which names what is measured as llama-bench
// does, then Run (run.go), which lets two Runners take turns. A Runner is our
// engine (ours.go) or a program of llama.cpp's (peer.go): LlamaBench for one
// generation at a time, BatchedBench for several at once. What comes out is a
// Row (row.go), and a Printer (print.go) writes rows as md, csv, json or jsonl.
//
// The engine is measured from outside, by the requests that any caller would
// send: a prompt is one Distributions for its last position, a generation is
// one greedy Generate. Tokenising and loading are not counted, as llama-bench
// does not count them; picking each token and handing it over are, though
// llama-bench does neither.
//
// Two more things are measured without an engine. RunKernels (kernels.go) times
// the reduction of rows of logits beside llama.cpp's samplers and plain Go, whose
// turns contestants.go defines. RunPack (packing.go) packs sparse rows, says what
// was lost, and times it beside the reference's form (pairs.go). Both take
// rows from logits.go or model_rows.go and the time from rounds.go.
//
// RunServe (serve.go) measures a server of the network's protocol from outside: clients
// ask over loopback, and take turns with the same questions put to the engine itself and
// to llama-server (serve_run.go). Who asks and how is in serve_load.go, what is asked in
// serve_question.go.
//
// The package reads no flags and prints to no terminal of its own choosing.
package bench
