package main

import "runtime"

// quietRuntime lets one goroutine run at a time until the returned function is
// called. While C computes, Go's monitor thread looks every 20 µs whether a
// processor can be taken back; with a single one it takes it at once and goes
// to sleep. Where ggml's threads fill all cores those looks cost several per
// cent of the speed of next tokens. Only for commands whose own work is small.
func quietRuntime() (restore func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}
