package bench

import (
	"context"
	"iter"
	"runtime"
	"time"

	"axon/internal/corpus"
	"axon/synapse"
	"axon/synapse/client"
	"axon/synapse/validator/rounds"
	"axon/synapse/wire"
)

// step is what one round took.
type step struct {
	whole                time.Duration
	asking               time.Duration // from the first question to the last reply
	measuring            time.Duration // of it, with a reply in hand
	comparing            time.Duration // the servers, and adding up what is known of them
	committing           time.Duration
	cpu, askingCPU       time.Duration // of all cores
	bytes                int64         // of all replies
	answered, timeouts   int
	peakHeap, steadyHeap uint64 // bytes; steady is what remains
	peakResident         uint64
	making, makingCPU    time.Duration // what is the simulation's, and in none of the above
}

// watch stands between a validator and its network and texts, and times what goes through.
type watch struct {
	asker  rounds.Asker
	texts  corpus.Corpus
	memory memory
	step
}

// ForwardAll lets answers be made and the garbage of it be collected, which is not the
// validator's work, and then times each reply's way.
func (w *watch) ForwardAll(ctx context.Context, e []client.Endpoint, b synapse.Batch, s ...synapse.Synapse) iter.Seq2[int, client.Reply] {
	began, cpu := time.Now(), cpuTime()
	replies := w.asker.ForwardAll(ctx, e, b, s...)
	runtime.GC()
	w.making += time.Since(began)
	w.makingCPU += cpuTime() - cpu
	w.memory.start()
	return func(yield func(int, client.Reply) bool) {
		began, cpu := time.Now(), cpuTime()
		for i, r := range replies {
			w.note(r)
			handed := time.Now()
			more := yield(i, r)
			w.measuring += time.Since(handed)
			if !more {
				break
			}
		}
		w.asking += time.Since(began)
		w.askingCPU += cpuTime() - cpu
	}
}

func (w *watch) note(r client.Reply) {
	w.bytes += int64(r.BytesIn)
	switch f := r.Fault(); {
	case f == nil:
		w.answered++
	case f.Code == wire.ReturnCode_RETURN_CODE_TIMEOUT:
		w.timeouts++
	}
}

// watchedTexts are made up, too.
type watchedTexts struct {
	corpus.Corpus
	w *watch
}

// Draw counts as the simulation's work.
func (t watchedTexts) Draw(ctx context.Context, p corpus.Position, n int) ([][]int32, corpus.Position, error) {
	began, cpu := time.Now(), cpuTime()
	defer func() {
		t.w.making += time.Since(began)
		t.w.makingCPU += cpuTime() - cpu
	}()
	return t.Corpus.Draw(ctx, p, n)
}
