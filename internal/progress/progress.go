// Package progress draws a progress bar on a terminal, and nothing elsewhere.
package progress

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	width    = 30
	interval = 100 * time.Millisecond
	// patience is how long work must last before a bar appears at all.
	patience = 300 * time.Millisecond
)

// Bar is a progress bar. Its methods may be called from any goroutine; those
// of a nil bar do nothing.
type Bar struct {
	mu     sync.Mutex
	f      *os.File
	label  string
	total  float64
	done   float64
	begun  time.Time
	drawn  time.Time
	shown  bool
	hidden bool
}

// Start begins a bar that is full at total. It stays silent unless f is a
// terminal.
func Start(f *os.File, label string, total float64) *Bar {
	return &Bar{f: f, label: label, total: total, begun: time.Now(), hidden: !term.IsTerminal(int(f.Fd()))}
}

// Set says how much is done.
func (b *Bar) Set(done float64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = done
	b.draw()
}

// Add says that n more is done.
func (b *Bar) Add(n float64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += n
	b.draw()
}

// Stop takes the bar off the screen.
func (b *Bar) Stop() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown {
		fmt.Fprint(b.f, "\r\x1b[K")
	}
	b.hidden = true
}

func (b *Bar) draw() {
	now := time.Now()
	if b.hidden || now.Sub(b.begun) < patience || now.Sub(b.drawn) < interval {
		return
	}
	b.drawn, b.shown = now, true
	fmt.Fprint(b.f, "\r"+b.line(now)+"\x1b[K")
}

// line is the bar as text, with the time that is left at the present rate.
func (b *Bar) line(now time.Time) string {
	part := 0.0
	if b.total > 0 {
		part = min(max(b.done/b.total, 0), 1)
	}
	n := int(part * width)
	left := ""
	if part > 0 {
		rest := time.Duration(float64(now.Sub(b.begun)) * (1 - part) / part)
		left = " " + rest.Round(time.Second).String() + " left"
	}
	return fmt.Sprintf("%s [%s%s] %3.0f%%%s", b.label, strings.Repeat("█", n), strings.Repeat("·", width-n), 100*part, left)
}
