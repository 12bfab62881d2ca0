package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"axon/synapse"
	"axon/synapse/wire"
)

const (
	idLength = 12
	// Of calls that proved nobody, so many lines are written in a time: what strangers
	// can make us write is bounded.
	strangerLines = 10
	strangerTime  = 10 * time.Second
)

func (s *Server) newCall(ctx context.Context, m *method) *call {
	p, _ := peer.FromContext(ctx) // grpc's server sets it for every call
	return &call{method: m, id: rand.Text()[:idLength], peer: p.Addr.String(), began: time.Now()}
}

// conclude counts a call that has ended, and writes its line.
func (s *Server) conclude(c *call) {
	if c.err == nil {
		c.method.metrics.conclude(c)
	}
	s.log.write(c, time.Since(c.began))
}

// requestLog writes one line for each request.
type requestLog struct {
	logger *slog.Logger

	mu     sync.Mutex
	until  time.Time // the end of the time that lines are counted in
	lines  int
	silent int // lines not written in that time
}

func newRequestLog(l *slog.Logger) *requestLog { return &requestLog{logger: l} }

func (l *requestLog) write(c *call, took time.Duration) {
	attributes := []slog.Attr{slog.String("id", c.id), slog.String("method", c.method.path), slog.String("peer", c.peer)}
	if !c.proven {
		silent, ok := l.stranger(time.Now())
		if !ok {
			return
		}
		if silent > 0 {
			attributes = append(attributes, slog.Int("silent", silent))
		}
	}
	level := slog.LevelWarn
	if c.succeeded() {
		level = slog.LevelInfo
	}
	l.logger.LogAttrs(context.Background(), level, "request", append(attributes, c.attributes(took)...)...)
}

// stranger reports whether a line may be written about a call that proved nobody, and
// how many were not since the last.
func (l *requestLog) stranger(now time.Time) (silent int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.until) {
		silent = l.silent
		l.until, l.lines, l.silent = now.Add(strangerTime), 0, 0
	}
	if l.lines >= strangerLines {
		l.silent++
		return 0, false
	}
	l.lines++
	return silent, true
}

// succeeded reports whether something was answered.
func (c *call) succeeded() bool {
	return c.err == nil && c.reply.GetReturnCode() == wire.ReturnCode_RETURN_CODE_SUCCESS
}

func (c *call) attributes(took time.Duration) []slog.Attr {
	var list []slog.Attr
	if c.proven {
		list = append(list, slog.String("hotkey", c.caller.Hotkey.Address()))
	}
	if c.request != nil {
		list = append(list, slog.String("synapses", synapsesOf(c.reply)), slog.String("shape", shapeOf(c.request)))
	}
	if c.reply != nil {
		list = append(list, slog.String("codes", codesOf(c.reply)))
	}
	if c.err != nil {
		list = append(list, slog.String("status", status.Code(c.err).String()), slog.String("error", status.Convert(c.err).Message()))
	}
	return append(list, slog.Int("in", c.received), slog.Int("out", c.sent),
		slog.Duration("wait", c.waited), slog.Duration("model", time.Duration(c.worked.Load())), slog.Duration("time", took))
}

// nameOf is a task's name; what nobody registered has none.
func nameOf(t wire.SynapseType) string {
	if task, ok := synapse.TaskOf(t); ok {
		return task.Name
	}
	return "unknown"
}

func synapsesOf(m *wire.TensorMessage) string {
	var list []string
	for _, s := range m.GetSynapses() {
		list = append(list, nameOf(s.GetSynapseType()))
	}
	return strings.Join(list, ",")
}

// codesOf is the message's code where there are no synapses.
func codesOf(m *wire.TensorMessage) string {
	list := []string{}
	for _, s := range m.GetSynapses() {
		list = append(list, s.GetReturnCode().String())
	}
	if len(list) == 0 {
		return m.GetReturnCode().String()
	}
	return strings.Join(list, ",")
}

// shapeOf is that of each synapse's input, once where they are alike.
func shapeOf(r *synapse.Request) string {
	var list []string
	for _, item := range r.Items {
		shape := strconv.Itoa(item.Batch.Texts) + "x" + strconv.Itoa(item.Batch.Length)
		if len(list) == 0 || list[len(list)-1] != shape {
			list = append(list, shape)
		}
	}
	return strings.Join(list, ",")
}
