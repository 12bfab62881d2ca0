package llama

/*
#include <stdbool.h>
#include <stdint.h>
*/
import "C"

import (
	"log/slog"
	"runtime/cgo"
)

// axonProgress is called by C while a model loads; false stops the load. A
// panic must not unwind through C, so it stops the load instead.
//
//export axonProgress
func axonProgress(handle C.uintptr_t, progress C.float) (goOn C.bool) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("panic while reporting progress", "panic", p)
			goOn = false
		}
	}()
	f := cgo.Handle(handle).Value().(func(float32) bool)
	return C.bool(f(float32(progress)))
}
