package llama

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// PinnedVersion is the release of llama.cpp that this package was written
// against: the shim relies on its structs, defaults and limits.
const PinnedVersion = "0.5.0"

// LogLevel says which of llama.cpp's own messages appear on standard error.
// Errors are always captured and become part of the Go error.
type LogLevel int32

// The levels, each including those before it.
const (
	LogNone LogLevel = iota
	LogError
	LogWarn
	LogInfo
	LogDebug
)

var logLevel atomic.Int32

// SetLogLevel chooses what llama.cpp prints; LogNone is the default.
func SetLogLevel(l LogLevel) {
	logLevel.Store(int32(l))
	C.ax_set_log_level(C.int(l))
}

// Init starts the backends and compares the linked library with the pin. Open
// calls it; calling it again costs nothing.
var Init = sync.OnceValue(func() error {
	if err := checkCPU(); err != nil {
		return err
	}
	C.ax_init(C.int(logLevel.Load()))
	if v := Version(); v != PinnedVersion && !ownCheckout() {
		return fmt.Errorf("%w: %s, want %s; rebuild with make clean build", ErrVersion, v, PinnedVersion)
	}
	return nil
})

// ownCheckout reports whether the build was asked for somebody's own llama.cpp
// (LLAMA_CPP_DIR), whose version is theirs to answer for.
func ownCheckout() bool { return strings.HasPrefix(C.GoString(C.ax_build_key()), "own-") }

// Version is the release of the linked llama.cpp.
func Version() string { return C.GoString(C.ax_llama_version()) }

// GGMLVersion is the release of the linked ggml.
func GGMLVersion() string { return C.GoString(C.ax_ggml_version()) }

// SystemInfo lists the instruction sets and build options that ggml reports.
func SystemInfo() string {
	_ = Init()
	return C.GoString(C.ax_system_info())
}

// Support says what the linked library can do on this system.
type Support struct{ Mmap, Mlock, GPUOffload, RPC bool }

// Supports asks the linked library what it can do.
func Supports() Support {
	_ = Init()
	return Support{
		Mmap:       bool(C.ax_supports(0)),
		Mlock:      bool(C.ax_supports(1)),
		GPUOffload: bool(C.ax_supports(2)),
		RPC:        bool(C.ax_supports(3)),
	}
}

// Counts is the number of C objects that are alive, by kind.
type Counts struct{ Models, Contexts, Pools, Samplers, Adapters int64 }

// Live counts the C objects that were made and not freed: what a leak test
// compares before and after.
func Live() Counts {
	var c C.ax_counts
	C.ax_live(&c)
	return Counts{int64(c.models), int64(c.contexts), int64(c.pools), int64(c.samplers), int64(c.loras)}
}

// failure turns what the shim wrote into an error.
func failure(e *C.ax_error) error {
	text := C.GoString(&e.text[0])
	if text == "" {
		text = "llama.cpp gave no reason"
	}
	return errors.New(text)
}
